//! How often a write is sent when its replies get lost.

use std::time::Duration;

use crate::manager::Inner;
use crate::store_error::{StoreError, StoreErrorKind};

/// The tries of one write. Each finds an earlier one by the version that it chose.
pub(super) struct Tries<'m> {
    manager: &'m Inner,
    ends_at: Duration,
    count: u32,
    began: Duration,
}

impl<'m> Tries<'m> {
    pub(super) const fn new(manager: &'m Inner, ends_at: Duration) -> Self {
        Self { manager, ends_at, count: 0, began: Duration::ZERO }
    }

    /// The next try begins.
    pub(super) fn begin(&mut self) {
        self.count += 1;
        self.began = self.manager.clock.monotonic();
    }

    /// Whether there was no try before this one.
    pub(super) const fn is_first(&self) -> bool {
        self.count <= 1
    }

    /// Whether another try may tell what became of this one, and would end within the deadline if it took
    /// as long.
    pub(super) fn another_after(&self, error: &StoreError) -> bool {
        let now = self.manager.clock.monotonic();
        let took = now.saturating_sub(self.began);
        let in_time = now.saturating_add(took) <= self.ends_at;
        error.is_ambiguous() && error.is_transient() && self.count < MOST && in_time
    }

    /// Whether it may be looked what became of a try that no store sends again by itself. One that broke off late, as where
    /// a server gives way to another, says nothing of how long the next takes.
    pub(super) fn look_after(&self, error: &StoreError) -> bool {
        let broke_off = error.kind() == StoreErrorKind::Ambiguous;
        self.another_after(error) || (broke_off && self.manager.clock.monotonic() < self.ends_at)
    }
}

const MOST: u32 = 3;
