//! When a secret is renewed without the handler's asking.

use std::time::Duration;

use cloakroom_codec::{Predecessor, SecretHash, State, TokenKey};

use crate::error::{Error, Result};
use crate::live::{Presented, Reach, Stored};
use crate::manager::{Inner, millis};

/// Renews the secret of a session from time to time, so that a stolen token is worth less.
///
/// The new secret is derived from the old one, so that parallel requests agree on it. The old one stays good
/// until a first request that brought the new one has ended, and then for the grace.
///
/// No honest client is logged out by it if every request reaches the application in less than the grace after it was
/// sent, and every response the client in less than the grace after its commit, or never. Responses may come in any
/// order, and handlers may take any time. After the grace nobody is let in with the old secret, nor told a newer one; a
/// request that was let in before may still store what it changes.
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
    let is_token_old = stored.token_key == TokenKey::Old;
    let is_record_old = stored.record_key == TokenKey::Old;
    if stored.presented == Presented::Predecessor {
        return if is_token_old || is_record_old { SecretUpkeep::Reseal } else { SecretUpkeep::None };
    }
    // Also where renewals were turned off since: no old secret is good for ever.
    if let Some(Predecessor { grace_ends: None, .. }) = &state.predecessor {
        return SecretUpkeep::BeginGrace;
    }
    if next_renewal(manager, state).is_some_and(|due| manager.now() >= due) {
        SecretUpkeep::Renew
    } else if is_record_old || (is_token_old && may_repeat(manager, state)) {
        SecretUpkeep::Reseal
    } else {
        SecretUpkeep::None
    }
}

/// When the newest secret makes room for another, once its predecessor is out of the way.
///
/// For one more grace after that there may be responses under way that tell the newest.
fn next_renewal(manager: &Inner, state: &State) -> Option<u64> {
    let renewal = manager.renewal?;
    let last = [Some(state.created_at), state.rotated_at, state.renewed_at].into_iter().flatten().max();
    let due = last.unwrap_or_default().saturating_add(millis(renewal.period()));
    Some(match &state.predecessor {
        Some(Predecessor { grace_ends: Some(ends), .. }) => {
            due.max(ends.saturating_add(millis(renewal.grace())))
        }
        _ => due,
    })
}

/// Whether whoever has the newest secret may be sent it again.
///
/// The response may be under way for the grace, and must not take the place of the next secret.
fn may_repeat(manager: &Inner, state: &State) -> bool {
    let grace = manager.renewal.map_or(0, |renewal| millis(renewal.grace()));
    next_renewal(manager, state).is_none_or(|due| manager.now().saturating_add(grace) <= due)
}

/// Whether whoever came with a secret of this hash may be sent the newest.
///
/// Nobody hears of it after the grace of what he came with, however long his request took.
pub(crate) fn may_tell(manager: &Inner, brought: &SecretHash, stored: &Stored, state: &State) -> bool {
    if brought.matches(&state.secret_hash) {
        return may_repeat(manager, state);
    }
    match &state.predecessor {
        Some(Predecessor { hash, grace_ends: Some(ends) }) if brought.matches(hash) => manager.now() < *ends,
        Some(Predecessor { hash, grace_ends: None }) if brought.matches(hash) => {
            // It may have begun since the store was asked.
            let age = manager.clock.monotonic().saturating_sub(stored.read_at);
            manager.renewal.is_none_or(|renewal| age.is_zero() || age < renewal.grace())
        }
        _ => false,
    }
}
