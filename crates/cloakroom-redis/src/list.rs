//! What lies under the name of an index: a sorted set, of which these are the members.
//!
//! | member | score |
//! |---|---|
//! | `v` | minus the version of the list |
//! | `e`, and the 32 bytes of a key | minus the time at which the key was last entered |
//! | the 32 bytes of a key | the time at which the entry dies |
//!
//! Times are microseconds since 1970 by the clock of the server. So what is over is what has a score between zero and
//! now, and the last member tells when all is over.

use std::collections::HashMap;
use std::time::Duration;

use cloakroom_core::{Entries, Entry, IndexVersion, StoreKey};
use redis::Value;

/// Up to here, each whole number is a score of its own.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// The list that was read at this time, in its own order: all entries of when a key was entered come before the keys.
/// `None` where it is not one of ours.
pub(crate) fn read(now: u64, members: Vec<Value>) -> Option<Entries> {
    let (mut version, mut entered, mut entries) = (0, HashMap::new(), Vec::new());
    for pair in members {
        let (member, score) = scored(pair)?;
        match member.as_slice() {
            b"v" => version = whole(-score)?,
            [b'e', key @ ..] if key.len() == KEY_LEN => {
                entered.insert(<[u8; KEY_LEN]>::try_from(key).ok()?, whole(-score)?);
            }
            key => {
                let key = <[u8; KEY_LEN]>::try_from(key).ok()?;
                let age = now.saturating_sub(*entered.get(&key)?);
                if whole(score)? >= now {
                    entries.push(Entry::new(StoreKey::from_bytes(key), Duration::from_micros(age)));
                }
            }
        }
    }
    Some(Entries::new(entries, IndexVersion::new(version)))
}

/// The time that a server tells, in microseconds.
pub(crate) fn time(parts: &[Value]) -> Option<u64> {
    let number = |part: &Value| match part {
        Value::BulkString(digits) => std::str::from_utf8(digits).ok()?.parse::<u64>().ok(),
        _ => None,
    };
    let [seconds, micros] = parts else { return None };
    number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?)
}

/// A time in whole microseconds, rounded up, as far as the server counts.
pub(crate) fn micros(time: Duration) -> u64 {
    const MOST: u64 = 1 << 53;
    u64::try_from(time.as_nanos().div_ceil(1_000)).unwrap_or(MOST).min(MOST)
}

const KEY_LEN: usize = 32;

fn scored(pair: Value) -> Option<(Vec<u8>, f64)> {
    let Value::Array(pair) = pair else { return None };
    match <[Value; 2]>::try_from(pair) {
        Ok([Value::BulkString(member), Value::Double(score)]) => Some((member, score)),
        _ => None,
    }
}

fn whole(score: f64) -> Option<u64> {
    let is_whole = (0.0..=WHOLE).contains(&score) && score.fract() == 0.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a whole number from zero on"
    )]
    is_whole.then_some(score as u64)
}

#[cfg(test)]
mod tests;
