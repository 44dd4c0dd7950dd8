//! Moments of the monotonic clock.

use std::time::Duration;

/// A moment in nanoseconds of [`Clock::monotonic`](cloakroom_core::Clock::monotonic); the last one, 584
/// years on, never comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(u64);

impl Deadline {
    /// The moment that never comes.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The moment at which the clock shows `elapsed`.
    pub(crate) fn at(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The moment `ttl` after this one.
    pub(crate) fn after(self, ttl: Duration) -> Self {
        Self(self.0.saturating_add(Self::at(ttl).0))
    }

    /// The time from `now` to this moment, zero once it has come.
    pub(crate) const fn left(self, now: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(now.0))
    }

    /// The time since an earlier moment.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        self.left(earlier)
    }

    /// Whether the moment has come: at the deadline itself, not only after it.
    pub(crate) const fn has_passed(self, now: Self) -> bool {
        self.0 <= now.0
    }
}
