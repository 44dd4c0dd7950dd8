//! Keys and records to work with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloakroom_core::{Record, StoreKey, Version};

/// How long records live.
pub const MINUTE: Duration = Duration::from_secs(60);

/// A key that no other test has.
///
/// # Panics
///
/// There are no random bytes.
#[must_use]
pub fn key() -> StoreKey {
    let mut bytes = [0; 32];
    for part in bytes.chunks_exact_mut(8) {
        part.copy_from_slice(&version().to_be_bytes());
    }
    StoreKey::from_bytes(bytes)
}

/// A version that nothing else has.
///
/// # Panics
///
/// There are no random bytes.
#[must_use]
pub fn version() -> Version {
    Version::random().expect("random bytes")
}

/// A record that lives a minute, with a payload of its own.
///
/// # Panics
///
/// There are no random bytes.
#[must_use]
pub fn record() -> Record {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let payload = format!("payload {}", NEXT.fetch_add(1, Ordering::Relaxed));
    Record::new(payload.into_bytes(), version(), MINUTE)
}

/// The name of a table that no other test has.
///
/// # Panics
///
/// There are no random bytes.
#[must_use]
pub fn table() -> String {
    format!("test_{:016x}", version().get())
}
