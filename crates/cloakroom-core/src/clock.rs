//! The only place that reads the time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time: the system's, or one that a test moves by hand.
///
/// A clone of a manual clock is the same clock.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::Clock;
///
/// let clock = Clock::manual();
/// let before = clock.wall();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.wall() - before, Duration::from_secs(60));
/// ```
#[derive(Clone, Default)]
pub struct Clock(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<Manual>),
}

struct Manual {
    /// Milliseconds since the Unix epoch.
    wall: AtomicU64,
    /// Milliseconds since the clock was made; this one never goes back.
    elapsed: AtomicU64,
}

impl Clock {
    /// The clock of the operating system.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it, for tests.
    ///
    /// It starts at 2026-01-01 00:00:00 UTC.
    #[must_use]
    pub fn manual() -> Self {
        let manual = Manual { wall: AtomicU64::new(1_767_225_600_000), elapsed: AtomicU64::new(0) };
        Self(Source::Manual(Arc::new(manual)))
    }

    /// Moves a manual clock forward; the system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(manual) = &self.0 {
            manual.wall.fetch_add(millis(by), Ordering::SeqCst);
            manual.elapsed.fetch_add(millis(by), Ordering::SeqCst);
        }
    }

    /// Sets the wall clock of a manual clock back, as an administrator might; monotonic time goes on.
    pub fn set_back(&self, by: Duration) {
        if let Source::Manual(manual) = &self.0 {
            manual.wall.fetch_sub(millis(by), Ordering::SeqCst);
        }
    }

    /// The time since the Unix epoch, for what is stored and shown. It may jump.
    #[must_use]
    pub fn wall(&self) -> Duration {
        match &self.0 {
            Source::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Source::Manual(manual) => Duration::from_millis(manual.wall.load(Ordering::SeqCst)),
        }
    }

    /// The time since some fixed moment in the past, for deadlines. It never goes back.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System => {
                static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
                START.get_or_init(Instant::now).elapsed()
            }
            Source::Manual(manual) => Duration::from_millis(manual.elapsed.load(Ordering::SeqCst)),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::System => f.write_str("Clock(system)"),
            Source::Manual(_) => f.write_str("Clock(manual)"),
        }
    }
}
