//! What tasks did to a store, and what may therefore be seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloakroom_core::{Created, Deleted, Record, Replaced, StoreKey, Version};

use crate::verdict::broken;

/// A book that all tasks keep.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    now: u64,
    writes: HashMap<(StoreKey, Version), Fate>,
    /// Creates less deletes.
    alive: HashMap<StoreKey, i64>,
}

#[derive(Clone, Copy)]
enum Fate {
    /// Written, or about to be.
    Written,
    /// Somebody was told that it was replaced, at this moment or before.
    Replaced(u64),
}

impl Ledger {
    /// A moment: what was noted before it had been answered before it.
    pub(super) fn now(&self) -> u64 {
        let mut book = self.open();
        book.now += 1;
        book.now
    }

    /// Notes a version before it is written.
    pub(super) fn writes(&self, key: &StoreKey, version: Version) {
        self.open().writes.insert((*key, version), Fate::Written);
    }

    pub(super) fn created(&self, key: &StoreKey, answer: Created) {
        if answer == Created::Created {
            *self.open().alive.entry(*key).or_default() += 1;
        }
    }

    pub(super) fn deleted(&self, key: &StoreKey, answer: Deleted) {
        if answer == Deleted::Deleted {
            *self.open().alive.entry(*key).or_default() -= 1;
        }
    }

    pub(super) fn replaced(&self, key: &StoreKey, expected: Version, answer: Replaced) {
        if answer != Replaced::Replaced {
            return;
        }
        let now = self.now();
        let before = self.open().writes.insert((*key, expected), Fate::Replaced(now));
        if let Some(Fate::Replaced(_)) = before {
            broken("two replaces of one version answered Replaced", "the later one told of the conflict");
        }
    }

    /// Judges a version that a load found; `begun` is a moment before the load.
    pub(super) fn seen(&self, key: &StoreKey, version: Version, begun: u64) {
        let fate = self.open().writes.get(&(*key, version)).copied();
        match fate {
            Some(Fate::Written) => {}
            Some(Fate::Replaced(at)) if at > begun => {}
            Some(Fate::Replaced(_)) => {
                broken("a load found a record that had been replaced before it began", "the latest record");
            }
            None => broken("a load found a version that nobody wrote", "a record of ours"),
        }
    }

    /// Judges what is left at the end.
    pub(super) fn balance(&self, key: &StoreKey, left: Option<&Record>) {
        let alive = self.open().alive.get(key).copied().unwrap_or_default();
        if alive != i64::from(left.is_some()) {
            broken(
                format_args!("Created less Deleted is {alive} for a key under which lies {left:?}"),
                "as many as are left",
            );
        }
    }

    fn open(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
