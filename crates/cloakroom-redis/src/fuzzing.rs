//! What the fuzz target calls: the readers of what a server says. No part of the API.

use redis::{FromRedisValue as _, Value};

use crate::place::Place;
use crate::{cluster, eviction, sentinel, stored};

/// Takes the bytes for a reply to everything that is asked of a server, of a node of a cluster and of a sentinel.
///
/// # Panics
///
/// What was read is not what was said.
pub fn reply(bytes: &[u8]) {
    let Ok(reply) = redis::parse_redis_value(bytes) else { return };
    let place = Place::Tcp { host: "asked".to_owned(), port: 6379 };
    cluster::fuzzing::read(&reply, &place);
    sentinel::fuzzing::read(&reply, &place);
    eviction::warn(reply.clone());
    if let Ok(value) = Vec::<u8>::from_redis_value(reply) {
        let left = i64::try_from(value.len()).unwrap_or_default();
        if let Some(record) = stored::record(value.clone(), left - 4) {
            assert!(stored::value(&record) == value, "another record than the value says");
        }
    }
}

/// A place that a server named: another one, or the one that was asked, and never port 0.
pub(crate) fn is_one(place: &Place) -> bool {
    matches!(place, Place::Tcp { host, port: 1.. } if !matches!(host.as_str(), "" | "?"))
}

/// The same reply as an error, where it is a text.
pub(crate) fn as_error(reply: &Value) -> Option<Value> {
    let text = String::from_redis_value(reply.clone()).ok()?;
    redis::parse_redis_value(format!("-{}\r\n", text.replace(['\r', '\n'], " ")).as_bytes()).ok()
}
