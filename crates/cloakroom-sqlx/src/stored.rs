//! What lies in a row, and what a record becomes in one.

use std::time::Duration;

use cloakroom_core::{PrincipalTag, Record, StoreKey, Version};

use crate::dialect::{Stored, Value};

/// The longest payload that is taken, in bytes: 16 MiB, less what a statement of MySQL says around it.
///
/// It is the same for all databases, so that sessions can move from one to the other.
pub(crate) const LONGEST_PAYLOAD: usize = (16 << 20) - (64 << 10);

/// Ten years, the longest that a record is kept.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The record in a row; `None` where it is not one of ours.
pub(crate) fn record(stored: Stored) -> Option<Record> {
    let version = Version::new(stored.version.cast_unsigned())?;
    let principal = match stored.principal {
        Some(bytes) => Some(PrincipalTag::from_bytes(bytes.try_into().ok()?)),
        None => None,
    };
    // Between the two looks at the clock the last millisecond may have passed.
    let ttl = Duration::from_millis(u64::try_from(stored.left).unwrap_or(0));
    Some(Record::new(stored.payload, version, ttl).with_principal(principal))
}

pub(crate) const fn id(key: &StoreKey) -> Value<'_> {
    Value::Bytes(key.as_bytes())
}

/// All 64 bits, of which the first is the sign there.
pub(crate) const fn version(version: Version) -> Value<'static> {
    Value::Number(version.get().cast_signed())
}

pub(crate) fn principal(record: &Record) -> Value<'_> {
    Value::Maybe(record.principal.as_ref().map(|tag| tag.as_bytes().as_slice()))
}

/// A principal that rows are looked for by.
pub(crate) const fn tag(tag: &PrincipalTag) -> Value<'_> {
    Value::Bytes(tag.as_bytes())
}

pub(crate) const fn payload(record: &Record) -> Value<'_> {
    Value::Bytes(record.payload.as_slice())
}

/// A time to live in whole milliseconds: rounded up, at least one, at most ten years.
pub(crate) fn whole_millis(ttl: Duration) -> i64 {
    let rounded_up = ttl.min(LONGEST).as_nanos().div_ceil(1_000_000);
    i64::try_from(rounded_up).unwrap_or(i64::MAX).max(1)
}

/// The same as a value.
pub(crate) fn millis(ttl: Duration) -> Value<'static> {
    Value::Number(whole_millis(ttl))
}

#[cfg(test)]
mod tests;
