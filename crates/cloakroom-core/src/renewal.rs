//! When a secret is renewed without the handler's asking.

use std::time::Duration;

use crate::error::{Error, Result};

/// Renews the secret of a session from time to time, so that a stolen token is worth less.
///
/// The new secret is derived from the old one, so that parallel requests agree on it. The old one stays good
/// until the new one was presented once, and then for the grace.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::Renewal;
///
/// let renewal = Renewal::every(Duration::from_secs(15 * 60)).with_grace(Duration::from_secs(10));
/// assert_eq!(renewal.period().as_secs(), 900);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    period: Duration,
    grace: Duration,
}

impl Renewal {
    /// A renewal at the first use after each `period`, with 30 s of grace.
    #[must_use]
    pub const fn every(period: Duration) -> Self {
        Self { period, grace: Duration::from_secs(30) }
    }

    /// For how long the old secret is good after the new one came back for the first time.
    #[must_use]
    pub const fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The time between renewals.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// The time for which the old secret goes on.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.period.is_zero() {
            return Err(Error::misconfigured(
                "a renewal at every request would never settle; renew every few minutes",
            ));
        }
        if self.grace > self.period {
            return Err(Error::misconfigured(
                "the grace of a renewal is longer than its period, so that two old secrets would be good at \
                 once; shorten the grace",
            ));
        }
        Ok(())
    }
}

/// What happens to a session whose renewed-away secret comes back after its grace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnReuse {
    /// It ends, for both holders of its secrets.
    #[default]
    End,
    /// The event is all; the request is an anonymous one.
    Report,
}
