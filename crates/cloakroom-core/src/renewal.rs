//! When a secret is renewed without the handler's asking.

use std::time::Duration;

use cloakroom_codec::{Predecessor, State, TokenKey};

use crate::error::{Error, Result};
use crate::live::{Presented, Reach, Stored};
use crate::manager::{Inner, millis};

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

/// What a use of the session does to its secret, without anybody's asking.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecretUpkeep {
    None,
    /// The renewed secret came back for the first time: the old one's grace begins.
    BeginGrace,
    /// It is time for another secret.
    Renew,
    /// Token or record are under a key that no longer writes, and old keys must become free to go.
    Reseal,
}

pub(crate) fn secret_upkeep(manager: &Inner, reach: Reach, stored: &Stored, state: &State) -> SecretUpkeep {
    if reach == Reach::Detached {
        return SecretUpkeep::None;
    }
    let is_sealed_anew = stored.token_key == TokenKey::Writing && stored.record_key == TokenKey::Writing;
    let otherwise = if is_sealed_anew { SecretUpkeep::None } else { SecretUpkeep::Reseal };
    if stored.presented == Presented::Predecessor {
        return otherwise;
    }
    let now = manager.now();
    match &state.predecessor {
        // Also where renewals were turned off since: no old secret is good for ever.
        Some(Predecessor { grace_ends: None, .. }) => return SecretUpkeep::BeginGrace,
        Some(Predecessor { grace_ends: Some(ends), .. }) if now < *ends => return otherwise,
        _ => {}
    }
    let Some(renewal) = manager.renewal else { return otherwise };
    let last = [Some(state.created_at), state.rotated_at, state.renewed_at].into_iter().flatten().max();
    if now.saturating_sub(last.unwrap_or(now)) >= millis(renewal.period()) {
        SecretUpkeep::Renew
    } else {
        otherwise
    }
}
