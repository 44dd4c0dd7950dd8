//! One map cut into many, so that no lock and no growth concerns all sessions at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::hashed::Hashed;

/// At a million sessions, a shard holds 16 000: it grows in well under a millisecond.
const COUNT: u8 = 64;

/// Equal parts, each behind its own lock. A digest belongs to one of them.
#[derive(Debug)]
pub(crate) struct Shards<T>(Box<[Padded<T>]>);

/// Keeps neighbours off one cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<T>(Mutex<T>);

impl<T: Default> Shards<T> {
    pub(crate) fn new() -> Self {
        Self((0..COUNT).map(|_| Padded(Mutex::default())).collect())
    }
}

impl<T> Shards<T> {
    /// Locks the part that a key belongs to.
    pub(crate) fn of(&self, key: Hashed<'_>) -> MutexGuard<'_, T> {
        // Neither the lowest nor the highest bits: the maps within use those.
        let number = usize::from(key.hash.to_le_bytes()[4] % COUNT);
        #[expect(clippy::indexing_slicing, reason = "a remainder of the number of parts")]
        lock(&self.0[number])
    }

    /// Locks a part by its number, of which the first is zero; `None` past the last.
    pub(crate) fn numbered(&self, number: usize) -> Option<MutexGuard<'_, T>> {
        self.0.get(number).map(lock)
    }
}

fn lock<T>(part: &Padded<T>) -> MutexGuard<'_, T> {
    part.0.lock().unwrap_or_else(PoisonError::into_inner)
}
