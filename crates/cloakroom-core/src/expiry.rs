//! How long a session lives.

use std::time::Duration;

use crate::error::{Error, Result};

/// How long a session lives: without use, and at most. The nearer limit wins.
///
/// The defaults are 30 minutes idle and 12 hours absolute: what NIST SP 800-63B asks of a session at
/// assurance level 2, and an office day. Both are always on; a session that never ends cannot be asked for.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::Expiry;
///
/// let expiry = Expiry::new(Duration::from_secs(15 * 60), Duration::from_secs(8 * 3600));
/// assert_eq!(expiry.idle().as_secs(), 900);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    idle: Duration,
    absolute: Duration,
    touch: Option<Duration>,
}

impl Expiry {
    /// A session ends `idle` after its last use, and in any case `absolute` after its start or login.
    #[must_use]
    pub const fn new(idle: Duration, absolute: Duration) -> Self {
        Self { idle, absolute, touch: None }
    }

    /// Writes a new time to live only when at least this much of it has gone.
    ///
    /// The default is a tenth of the idle time, at most 60 s: a session lives between 0.9 and 1.0 of its
    /// idle time after its last use, and most requests write nothing.
    #[must_use]
    pub const fn with_touch_interval(mut self, interval: Duration) -> Self {
        self.touch = Some(interval);
        self
    }

    /// The time without use after which a session ends.
    #[must_use]
    pub const fn idle(&self) -> Duration {
        self.idle
    }

    /// The time after its start or login when a session ends in any case.
    #[must_use]
    pub const fn absolute(&self) -> Duration {
        self.absolute
    }

    /// How much of its time to live must have gone before a use of the session is written.
    pub(crate) fn touch_interval(&self, idle: Duration) -> Duration {
        // One session's own idle time may be shorter than the interval of all.
        self.touch.filter(|touch| *touch < idle).unwrap_or_else(|| (idle / 10).min(LONGEST_TOUCH_INTERVAL))
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.idle < SHORTEST {
            return Err(Error::misconfigured(
                "the idle time of a session is less than a millisecond; give `Expiry::new` at least 1 ms, \
                 and end sessions with `logout()`",
            ));
        }
        if self.idle > self.absolute {
            return Err(Error::misconfigured(
                "the idle time of a session is longer than its absolute time; make the absolute time at \
                 least as long, or shorten the idle time",
            ));
        }
        if self.absolute > LONGEST {
            return Err(Error::misconfigured(
                "the absolute time of a session is longer than 3650 days; shorten it",
            ));
        }
        if self.touch.is_some_and(|touch| touch >= self.idle) {
            return Err(Error::misconfigured(
                "the touch interval is not shorter than the idle time, so that a session in use would end; \
                 shorten the touch interval",
            ));
        }
        Ok(())
    }
}

impl Default for Expiry {
    fn default() -> Self {
        Self::new(Duration::from_secs(30 * 60), Duration::from_secs(12 * 60 * 60))
    }
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(3650 * 24 * 60 * 60);
const LONGEST_TOUCH_INTERVAL: Duration = Duration::from_secs(60);
