//! Keeps the index of principals in step with the records.

use std::time::Duration;

use cloakroom_codec::State;

use super::admission::{self, Seat};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::manager::{Inner, principal};
use crate::store::{PrincipalTag, StoreKey};

/// What is about to be written, and over what.
pub(super) struct Step<'a> {
    pub(super) key: &'a StoreKey,
    /// The state that the record has now; `None` for a new record.
    pub(super) before: Option<&'a State>,
    pub(super) after: &'a State,
    /// The record was written under another key of the ring, and is listed by that key's tag.
    pub(super) is_resealed: bool,
    /// Sessions of the same visitor that he has no token of any more; they are the first to give way.
    pub(super) forerunners: &'a [StoreKey],
    pub(super) ends_at: Duration,
}

/// What was done for a record that is about to be written.
pub(super) struct Entered<'m> {
    manager: &'m Inner,
    principal: String,
    key: StoreKey,
    left: Duration,
    at: Duration,
    /// Where there is a limit.
    seat: Option<Seat>,
    /// There was no record before.
    is_new: bool,
    /// The record may be on its way.
    is_sent: bool,
}

/// Before the record, so that the index never misses a live session.
///
/// `None` where there is nothing to do: nobody is logged in, or the session is listed for long enough.
pub(super) async fn enter<'m>(manager: &'m Inner, step: Step<'_>) -> Result<Option<Entered<'m>>> {
    let (Some(index), Some(tag), Some(who)) =
        (manager.principals(), tag_of(manager, step.after), principal(step.after))
    else {
        return Ok(None);
    };
    let is_newcomer = step.before.and_then(principal) != Some(who);
    let lives_longer =
        step.before.is_none_or(|before| before.absolute_deadline < step.after.absolute_deadline);
    if !is_newcomer && !lives_longer && !step.is_resealed {
        return Ok(None);
    }
    let mut at = manager.clock.monotonic();
    let left = left(manager, step.after);
    let seat = match manager.limit.most() {
        Some(most) if is_newcomer => {
            let seat = admission::admit(manager, index, &tag, &step, most).await?;
            at = seat.at;
            Some(seat)
        }
        _ => {
            index.enter(&tag, step.key, left).await?;
            None
        }
    };
    let (principal, key) = (who.to_owned(), *step.key);
    let is_new = step.before.is_none();
    Ok(Some(Entered { manager, principal, key, left, at, seat, is_new, is_sent: false }))
}

impl Entered<'_> {
    /// Whether the session was counted, so that a conflict in its write need not count it again.
    pub(super) const fn has_a_seat(&self) -> bool {
        self.seat.is_some()
    }

    /// Right before the record is sent.
    ///
    /// # Errors
    ///
    /// `Contention`: the seat was taken so long ago that others may soon take it for abandoned.
    pub(super) fn begin(&mut self) -> Result<()> {
        if self.has_a_seat() && self.took() >= self.manager.deadline {
            return Err(Error::new(ErrorKind::Contention));
        }
        self.is_sent = true;
        Ok(())
    }

    /// After the record, where others may have taken the key for a stale one meanwhile: enters it once more. Where
    /// sessions are counted, somebody may have the seat by now: then the session ends.
    ///
    /// # Errors
    ///
    /// `Ended`, or that the store could not be asked.
    pub(super) async fn settle(&self) -> Result<()> {
        let manager = self.manager;
        if self.took() < manager.settle_time() {
            return Ok(());
        }
        if self.has_a_seat() {
            if manager.end(&self.key).await? {
                manager.emit(SessionEventKind::Ended(EndReason::Evicted), &self.key);
            }
            return Err(Error::new(ErrorKind::Ended));
        }
        if let (Some(index), Some(tag)) = (manager.principals(), manager.tags_of(&self.principal).next())
            && index.enter(&tag, &self.key, self.left).await.is_err()
        {
            manager.emit(SessionEventKind::UpkeepFailed, &self.key);
        }
        Ok(())
    }

    /// Instead of the record: takes the key off the lists. Only where nobody can write a record under it any more, or
    /// where a create may still arrive whose token nobody has.
    pub(super) async fn withdraw(self) {
        self.manager.strike(&self.principal, &[self.key], Duration::ZERO).await;
    }

    fn took(&self) -> Duration {
        self.manager.clock.monotonic().saturating_sub(self.at)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.has_a_seat() && self.is_new && !self.is_sent {
            self.manager.abandon(self.key);
        }
    }
}

/// Enters a session once more whose record was found in place, long after its key was entered perhaps.
pub(super) async fn enter_again(manager: &Inner, key: &StoreKey, state: &State) -> Result<()> {
    if let (Some(index), Some(tag)) = (manager.principals(), tag_of(manager, state)) {
        index.enter(&tag, key, left(manager, state)).await?;
    }
    Ok(())
}

/// How long a key stays on the list: a little longer than its record, which is written later.
pub(super) fn left(manager: &Inner, state: &State) -> Duration {
    Duration::from_millis(state.absolute_deadline.saturating_sub(manager.now())).saturating_add(SLACK)
}

/// After the record, in a commit that began at this moment: an entry that stays is harmless, where nobody counts.
pub(super) async fn leave(manager: &Inner, key: &StoreKey, before: &State, after: &State, began: Duration) {
    if principal(before) == principal(after) {
        return;
    }
    let Some(principal) = principal(before) else { return };
    // Dropped in the middle, this may arrive late, and must not take a login with it that came after.
    let age = if manager.limit.most().is_some() {
        // All that was entered before; it would count as a login that is under way.
        manager.clock.monotonic().saturating_sub(began)
    } else {
        let bound_for = manager.now().saturating_sub(before.authenticated_at.unwrap_or_default());
        Duration::from_millis(bound_for).min(manager.settle_time())
    };
    manager.strike(principal, &[*key], age).await;
}

/// The tag of a state's principal under the key that writes; `None` where the store has no use for it.
pub(super) fn tag_of(manager: &Inner, state: &State) -> Option<PrincipalTag> {
    manager.principals()?;
    let tags = manager.keys.principal_tags(principal(state)?);
    tags.first().map(|tag| PrincipalTag::from_bytes(*tag))
}

const SLACK: Duration = Duration::from_millis(500);
