//! The steps that Redis must take as one: constant scripts, each on exactly one key.
//!
//! A failing command inside is handed on as its own reply, because servers before Redis 7 would wrap it in
//! a text of their own and lose its code.

use std::sync::LazyLock;

use redis::{Cmd, Script};

/// Keys: the record. Arguments: the expected version, the new value, its time to live in milliseconds.
pub(crate) static REPLACE: LazyLock<Atomic> = LazyLock::new(|| {
    Atomic::new(
        "local found = redis.pcall('GETRANGE', KEYS[1], 0, 7)
if type(found) == 'table' then return found end
if found == '' then return 'missing' end
if found == string.sub(ARGV[2], 1, 8) then return 'own' end
if found ~= ARGV[1] then return 'conflict' end
local set = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if set.err then return set end
return 'done'",
    )
});

/// Keys: the record. Arguments: the expected version, the time to live in milliseconds.
///
/// A key that never expires reports -1, which is less than any time to live: it gets one.
pub(crate) static TOUCH: LazyLock<Atomic> = LazyLock::new(|| {
    Atomic::new(
        "local found = redis.pcall('GETRANGE', KEYS[1], 0, 7)
if type(found) == 'table' then return found end
if found == '' then return 'missing' end
if found ~= ARGV[1] then return 'conflict' end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  local set = redis.pcall('PEXPIRE', KEYS[1], ARGV[2])
  if type(set) == 'table' then return set end
end
return 'done'",
    )
});

/// Keys: the record, which stays as it is, or stays away. Arguments: a time to live in milliseconds for a key
/// that lost its own.
///
/// What counts is that something is written: servers from Redis 7.2 on let `WAIT` look only at what its own
/// connection wrote, and behind a mere look they count replicas that lack an earlier write.
pub(crate) static STAMP: LazyLock<Atomic> = LazyLock::new(|| {
    Atomic::new(
        "local left = redis.call('PTTL', KEYS[1])
if left == -1 then left = tonumber(ARGV[1]) end
if left >= 0 then
  local set = redis.pcall('PEXPIRE', KEYS[1], math.max(left, 1))
  if type(set) == 'table' then return set end
  return 'done'
end
local set = redis.pcall('SET', KEYS[1], '', 'PX', 1000)
if set.err then return set end
redis.call('DEL', KEYS[1])
return 'done'",
    )
});

/// A script, by its text and by the digest of it.
pub(crate) struct Atomic {
    text: &'static str,
    digest: Script,
}

impl Atomic {
    fn new(text: &'static str) -> Self {
        Self { text, digest: Script::new(text) }
    }

    /// Calls the script by its digest, as a server that has seen it understands.
    pub(crate) fn by_digest(&self) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.digest.get_hash());
        command
    }

    /// Calls the script by its text, which also makes the server remember it.
    pub(crate) fn by_text(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(self.text);
        command
    }
}
