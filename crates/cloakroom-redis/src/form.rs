//! What the reply to a command can look like.
//!
//! Replies belong to commands by nothing but their order. One that cannot be the reply to its command is all that
//! tells that a connection is out of step, and that every reply behind it is another's.

use redis::{PushKind, Value};

/// Whether this is a reply that the command gives, where it gives no error.
pub(crate) type Form = fn(&Value) -> bool;

pub(crate) fn ok(reply: &Value) -> bool {
    matches!(reply, Value::Okay)
}

pub(crate) fn ok_or_nil(reply: &Value) -> bool {
    matches!(reply, Value::Okay | Value::Nil)
}

pub(crate) fn pong(reply: &Value) -> bool {
    matches!(reply, Value::SimpleString(word) if word == "PONG")
}

pub(crate) fn bytes(reply: &Value) -> bool {
    matches!(reply, Value::BulkString(_))
}

pub(crate) fn bytes_or_nil(reply: &Value) -> bool {
    matches!(reply, Value::BulkString(_) | Value::Nil)
}

/// What a server says of itself when it is greeted.
pub(crate) fn hello(reply: &Value) -> bool {
    matches!(reply, Value::Map(facts) if !facts.is_empty())
}

/// That a channel will be heard.
pub(crate) fn subscribed(reply: &Value) -> bool {
    matches!(reply, Value::Push { kind: PushKind::Subscribe, .. })
}

/// What a server is, and what it knows of others.
pub(crate) fn role(reply: &Value) -> bool {
    matches!(reply, Value::Array(parts) if matches!(parts.first(), Some(Value::BulkString(_))))
}

/// Names, each with what goes by it.
pub(crate) fn facts(reply: &Value) -> bool {
    match reply {
        Value::Map(facts) => !facts.is_empty(),
        // As sentinels say it that know no better.
        Value::Array(parts) => !parts.is_empty() && parts.len().is_multiple_of(2),
        _ => false,
    }
}

/// A host and a port, or that there is none.
pub(crate) fn address_or_nil(reply: &Value) -> bool {
    match reply {
        Value::Nil => true,
        Value::Array(parts) => matches!(parts.as_slice(), [Value::BulkString(_), Value::BulkString(_)]),
        _ => false,
    }
}

/// What a server tells of itself, in lines.
pub(crate) fn text(reply: &Value) -> bool {
    matches!(reply, Value::BulkString(_) | Value::VerbatimString { .. })
}

pub(crate) fn list(reply: &Value) -> bool {
    matches!(reply, Value::Array(_))
}

pub(crate) fn count(reply: &Value) -> bool {
    matches!(reply, Value::Int(0..))
}

/// Whether the one key was there.
pub(crate) fn one_or_none(reply: &Value) -> bool {
    matches!(reply, Value::Int(0 | 1))
}

/// The time that a key has left, or that it never expires, or that there is none.
pub(crate) fn time_left(reply: &Value) -> bool {
    matches!(reply, Value::Int(-2..))
}

/// Seconds, and microseconds.
pub(crate) fn time(reply: &Value) -> bool {
    let number =
        |part: &Value| matches!(part, Value::BulkString(digits) if digits.iter().all(u8::is_ascii_digit));
    matches!(reply, Value::Array(parts) if parts.len() == 2 && parts.iter().all(number))
}

/// Members, each with its score.
pub(crate) fn scores(reply: &Value) -> bool {
    let scored = |pair: &Value| matches!(pair, Value::Array(pair) if matches!(pair.as_slice(), [Value::BulkString(_), Value::Double(_)]));
    matches!(reply, Value::Array(pairs) if pairs.iter().all(scored))
}

#[cfg(test)]
mod tests;
