//! What the fuzz target calls: the readers of what a server says. No part of the API.

use redis::{FromRedisValue as _, Value};

use crate::place::Place;
use crate::reply::{DEEPEST, LONGEST, MOST_ELEMENTS, Replies};
use crate::{cluster, eviction, list, sentinel, stored};

/// Takes the bytes for a reply to everything that is asked of a server, of a node of a cluster and of a sentinel.
///
/// # Panics
///
/// What was read is not what was said.
pub fn reply(bytes: &[u8]) {
    stream(bytes);
    let Ok(reply) = redis::parse_redis_value(bytes) else { return };
    let place = Place::Tcp { host: "asked".to_owned(), port: 6379 };
    cluster::fuzzing::read(&reply, &place);
    sentinel::fuzzing::read(&reply, &place);
    eviction::warn(reply.clone());
    index(&reply);
    if let Ok(value) = Vec::<u8>::from_redis_value(reply) {
        let left = i64::try_from(value.len()).unwrap_or_default();
        if let Some(record) = stored::record(value.clone(), left - 4) {
            assert!(
                [&stored::value(&record).0, stored::value(&record).1].concat() == value,
                "another record than the value says"
            );
        }
    }
}

/// The same for a stream of replies: each is what the client library reads in the same bytes, however they are cut.
fn stream(bytes: &[u8]) {
    let (mut at_once, mut by_bytes, mut start) = (Replies::default(), Replies::default(), 0);
    loop {
        let rest = bytes.get(start..).unwrap_or_default();
        let Ok(Some((found, length))) = at_once.next(rest) else { return };
        let whole = rest.get(..length).unwrap_or_default();
        let (elements, depth) = size(&found);
        assert!(
            length <= LONGEST && elements <= MOST_ELEMENTS && depth <= DEEPEST,
            "a reply beyond its limits"
        );
        // Not compared as values: a number that is none differs from itself.
        let wanted = redis::parse_redis_value(whole).map(|value| format!("{value:?}")).ok();
        assert!(wanted == Some(format!("{found:?}")), "another reply than the library reads");
        for cut in 0..length {
            let early = by_bytes.next(rest.get(..cut).unwrap_or_default());
            assert!(matches!(early, Ok(None)), "a reply ends before its end");
        }
        assert!(
            matches!(by_bytes.next(whole), Ok(Some((_, end))) if end == length),
            "a reply ends elsewhere"
        );
        start += length;
    }
}

/// How many elements a reply has, itself included, and how deep they lie in each other.
fn size(reply: &Value) -> (usize, usize) {
    let all = |parts: &mut dyn Iterator<Item = &Value>| {
        parts
            .map(size)
            .fold((1, 1), |(sum, deepest), (elements, depth)| (sum + elements, deepest.max(depth + 1)))
    };
    match reply {
        Value::Array(parts) | Value::Set(parts) | Value::Push { data: parts, .. } if parts.is_empty() => {
            (1, 0)
        }
        Value::Array(parts) | Value::Set(parts) | Value::Push { data: parts, .. } => all(&mut parts.iter()),
        Value::Map(pairs) if pairs.is_empty() => (1, 0),
        Value::Map(pairs) => all(&mut pairs.iter().flat_map(|(name, value)| [name, value])),
        Value::Attribute { data, attributes } => {
            let parts = attributes.iter().flat_map(|(name, value)| [name, value]);
            all(&mut parts.chain([data.as_ref()]))
        }
        _ => (1, 0),
    }
}

/// The same for what is asked of an index: the time, and the members of a list.
fn index(reply: &Value) {
    const NOW: u64 = 1 << 51;
    let Value::Array(parts) = reply else { return };
    let now = list::time(parts).unwrap_or(NOW);
    let Some(found) = list::read(now, parts.clone()) else { return };
    assert!(found.entries.len() <= parts.len() / 2, "more entries than members");
    let mut keys: Vec<_> = found.entries.iter().map(|entry| entry.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() == found.entries.len() || has_doubles(parts), "a key is listed twice");
}

/// Whether a member stands there twice, as no sorted set has it.
fn has_doubles(members: &[Value]) -> bool {
    let name = |pair: &Value| match pair {
        Value::Array(pair) => pair.first().cloned(),
        _ => None,
    };
    let names: Vec<_> = members.iter().map(name).collect();
    names.iter().enumerate().any(|(at, name)| names.iter().skip(at + 1).any(|other| other == name))
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
