//! Whether the server would throw sessions away to make room.

use redis::{FromRedisValue, Value};

use crate::word::Word;

/// Asks for what decides it. `INFO` is allowed to most users, and on hosted servers that hide `CONFIG`.
pub(crate) fn question() -> [Word<'static>; 2] {
    ["INFO", "memory"].map(Into::into)
}

/// Warns where the server has a limit of memory and a policy that evicts keys.
///
/// Every session has a time to live, so that the `volatile-*` policies take it as well.
pub(crate) fn warn(reply: Value) {
    match Memory::from_reply(reply) {
        Some(Memory { limit, policy }) if limit > 0 && policy != "noeviction" => tracing::warn!(
            target: "cloakroom::redis",
            policy,
            "the server evicts keys when its memory is full, which logs users out; \
             set `maxmemory-policy noeviction`, or give sessions a server of their own"
        ),
        Some(_) => {}
        None => tracing::debug!(
            target: "cloakroom::redis",
            "the server does not tell its eviction policy; it should be `noeviction`"
        ),
    }
}

struct Memory {
    limit: u64,
    policy: String,
}

impl Memory {
    fn from_reply(reply: Value) -> Option<Self> {
        let text = String::from_redis_value(reply).ok()?;
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        Some(Self { limit: field("maxmemory")?.parse().ok()?, policy: field("maxmemory_policy")?.to_owned() })
    }
}
