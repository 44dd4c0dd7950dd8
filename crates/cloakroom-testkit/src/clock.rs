//! How long something takes, without what the machine itself is late by; and waiting for what will come.

use std::fmt;
use std::time::{Duration, Instant};

use crate::lateness::Lateness;

/// Measures how long something takes, without the time in which nothing ran at all that should have: on a busy machine
/// that is not the store's fault.
pub struct Clock {
    lateness: Lateness,
    start: Instant,
}

impl Clock {
    /// Begins to measure, in the runtime that calls.
    #[must_use]
    pub fn start() -> Self {
        Self { lateness: Lateness::watch(), start: Instant::now() }
    }

    /// What has passed since, without that.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed().saturating_sub(self.lateness.since(self.start))
    }
}

/// Waits until it is so: twenty seconds are no property of anything, only the end of a test that would not end.
///
/// # Panics
///
/// It is not so by then.
pub async fn until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not come");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, and {:?} in which nothing ran", self.elapsed(), self.lateness.since(self.start))
    }
}
