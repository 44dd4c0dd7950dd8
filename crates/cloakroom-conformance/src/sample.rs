//! Keys, versions and records for the laws.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloakroom_core::{PrincipalTag, Record, StoreKey, Version};

use crate::dice::Dice;

/// Long enough that nothing with it expires while a law runs.
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// How much of a long life may pass while a law runs.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The key of this number.
pub(crate) fn key(number: u64) -> StoreKey {
    StoreKey::from_bytes(bytes(number))
}

/// The principal of this number.
pub(crate) fn tag(number: u64) -> PrincipalTag {
    PrincipalTag::from_bytes(bytes(!number))
}

/// A version that no law has used yet.
pub(crate) fn fresh_version() -> Version {
    static USED: AtomicU64 = AtomicU64::new(1);
    loop {
        let number = USED.fetch_add(1, Ordering::Relaxed);
        if let Some(version) = Version::new(Dice::new(number).next()) {
            return version;
        }
    }
}

/// A record under `key` with a fresh version, to live for `ttl`.
pub(crate) fn record(key: &StoreKey, ttl: Duration) -> Record {
    record_with(key, fresh_version(), ttl)
}

/// The record under `key` with this version, to live for `ttl`.
///
/// Its payload follows from key and version, so that a mixture of two records, or a record of somebody
/// else, can be told from a whole one.
pub(crate) fn record_with(key: &StoreKey, version: Version, ttl: Duration) -> Record {
    let mut dice = Dice::new(version.get());
    let filler = 16 + dice.roll(96);
    let mut payload = key.as_bytes().to_vec();
    payload.extend_from_slice(&version.to_be_bytes());
    payload.extend((0..filler).map(|_| dice.next().to_be_bytes()[0]));
    Record::new(payload, version, ttl)
}

/// Whether a record is whole, and was written under this key.
pub(crate) fn is_genuine(key: &StoreKey, record: &Record) -> bool {
    record.payload == record_with(key, record.version, Duration::ZERO).payload
}

fn bytes(number: u64) -> [u8; 32] {
    let mut dice = Dice::new(number);
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_exact_mut(8) {
        chunk.copy_from_slice(&dice.next().to_be_bytes());
    }
    bytes
}
