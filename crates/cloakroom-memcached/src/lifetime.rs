//! Times to live, which the server counts in ticks of a second.

use std::time::Duration;

/// How long a record is to be kept: 1 ms to ten years, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lifetime(u64);

/// Ten years, the longest that a record is kept.
const LONGEST: u64 = 10 * 365 * 24 * 60 * 60 * 1000;

impl Lifetime {
    /// The lifetime nearest to `ttl`, rounded up.
    pub(crate) fn of(ttl: Duration) -> Self {
        let rounded_up = ttl.as_nanos().div_ceil(1_000_000);
        Self(u64::try_from(rounded_up).unwrap_or(u64::MAX).clamp(1, LONGEST))
    }

    pub(crate) const fn to_be_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The lifetime that these bytes are; `None` for none that we write.
    pub(crate) const fn from_be_bytes(bytes: [u8; 8]) -> Option<Self> {
        match u64::from_be_bytes(bytes) {
            millis @ 1..=LONGEST => Some(Self(millis)),
            _ => None,
        }
    }

    /// How many ticks the server is told to keep the record: the seconds, rounded up, and one more, because the
    /// first tick may come at once.
    pub(crate) const fn ticks(self) -> u64 {
        self.0.div_ceil(1000) + 1
    }

    /// What is left of this lifetime when the server has `ticks` to go: within a second of the truth, and never
    /// more than was asked for. A negative number says that somebody took the expiry away; then nothing is
    /// left, so that the record is soon touched.
    pub(crate) fn left(self, ticks: i64) -> Duration {
        let passed = self.ticks().saturating_sub(u64::try_from(ticks).unwrap_or(0));
        Duration::from_millis(self.0.saturating_sub(passed.saturating_mul(1000)))
    }

    /// The lifetime itself.
    pub(crate) const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

#[cfg(test)]
mod tests;
