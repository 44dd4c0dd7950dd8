//! A count that is kept under a limit.

use std::sync::atomic::{AtomicUsize, Ordering};

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// How much of something is in use.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicUsize);

impl Meter {
    /// Takes `amount`, unless that would lead past `limit`. To take nothing always succeeds.
    pub(crate) fn claim(&self, amount: usize, limit: usize) -> Result<(), Full> {
        if amount == 0 {
            return Ok(());
        }
        let grown = |used: usize| used.checked_add(amount).filter(|grown| *grown <= limit);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).map(drop).map_err(|_| Full)
    }

    /// Gives back what was claimed.
    pub(crate) fn release(&self, amount: usize) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    /// What is in use.
    pub(crate) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
