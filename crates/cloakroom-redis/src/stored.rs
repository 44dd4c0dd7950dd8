//! What lies under a key: the version in 8 bytes, big-endian, then the payload; and its time to live.

use std::time::Duration;

use cloakroom_core::{Record, Version};

use crate::reply;

/// How many bytes of the value are the version.
pub(crate) const VERSION_LEN: usize = 8;

/// The last of them, counted from zero, in digits.
pub(crate) const VERSION_END: &str = "7";

/// Ten years, the longest that a record is kept.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The longest payload. What is longer could be stored, and never be read again.
const LARGEST: usize = reply::LONGEST / 2;

/// Whether the record is one that can be read again.
pub(crate) const fn fits(record: &Record) -> bool {
    record.payload.len() <= LARGEST
}

/// The value that stands for this record: the version, and the payload behind it.
pub(crate) fn value(record: &Record) -> ([u8; VERSION_LEN], &[u8]) {
    (record.version.to_be_bytes(), &record.payload)
}

/// The record that this value stands for, with `left` milliseconds to live, or with none where Redis says
/// that the key never expires, so that it is soon touched; `None` where the value is not one of ours.
pub(crate) fn record(mut value: Vec<u8>, left: i64) -> Option<Record> {
    let version = Version::from_be_bytes(*value.first_chunk::<VERSION_LEN>()?)?;
    let ttl = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    value.drain(..VERSION_LEN);
    Some(Record::new(value, version, ttl))
}

/// A time to live in whole milliseconds: rounded up, at least one, at most ten years.
pub(crate) fn millis(ttl: Duration) -> u64 {
    let rounded_up = ttl.min(LONGEST).as_nanos().div_ceil(1_000_000);
    u64::try_from(rounded_up).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
