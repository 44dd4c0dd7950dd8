//! What the reply to a command can look like.
//!
//! Replies belong to commands by nothing but their order. One that cannot be the reply to its command is all that
//! tells that a connection is out of step, and that every reply behind it is another's.

use redis::Value;

/// Whether this is a reply that the command gives, where it gives no error.
pub(crate) type Form = fn(&Value) -> bool;

/// For what is read in its own way, on a connection of its own.
pub(crate) fn anything(_: &Value) -> bool {
    true
}

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
