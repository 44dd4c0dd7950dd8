//! What the fuzz target makes of what a sentinel says.

use redis::Value;

use super::answer::Answer;
use crate::fuzzing::{as_error, is_one};
use crate::place::Place;

/// Takes the reply for those to the two questions, whole and in parts.
///
/// # Panics
///
/// A primary was read that is none.
pub(crate) fn read(reply: &Value, sentinel: &Place) {
    let mut pairs = vec![vec![reply.clone(), reply.clone()], vec![Value::Nil, reply.clone()]];
    pairs.extend(as_error(reply).map(|error| vec![reply.clone(), error]));
    if let Value::Array(parts) = reply {
        pairs.push(parts.clone());
    }
    for replies in pairs {
        if let Ok(Answer::Primary { place, .. }) = Answer::read(replies, sentinel) {
            assert!(is_one(&place), "a primary nowhere: {place:?}");
        }
    }
}
