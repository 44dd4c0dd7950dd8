//! The one decision: what a request's changes ask of the store.

mod index;
mod write;

use std::time::Duration;

use cloakroom_codec::TokenKey;

use self::write::{Write, rebase};
use crate::change::Change;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::live::{
    Deletion, Live, News, Origin, Phase, Place, Presented, Reach, Shared, Stored, has_content,
};
use crate::manager::Inner;
use crate::renewal::{SecretUpkeep, secret_upkeep};
use crate::store::{Deleted, StoreKey, Touched};

/// Stores what was changed since the last commit.
pub(crate) async fn commit(shared: &Shared) -> Result<()> {
    let _turn = shared.turn.lock().await;
    let (due, work) = {
        let mut live = shared.live();
        let due = due(&shared.manager, &mut live);
        let work = matches!(due, Due::Write).then(|| Write::take(shared, &mut live));
        (due, work)
    };
    match due {
        Due::Nothing => Ok(()),
        Due::Write => match work {
            Some(work) => write(shared, work).await,
            None => Ok(()),
        },
        Due::Touch(stored, ttl) => {
            touch(shared, &stored, ttl).await;
            Ok(())
        }
        Due::Delete(key) => delete(shared, &key).await,
        Due::Forget => {
            let mut live = shared.live();
            live.phase = Phase::LoggedOut(Deletion::Done);
            live.news = News::Removal;
            Ok(())
        }
        Due::Refuse => {
            shared.live().phase = Phase::Ended;
            shared.manager.events.emit(SessionEventKind::WriteRefused, None);
            Err(Error::new(ErrorKind::Ended))
        }
    }
}

/// Whether a commit would call the store.
pub(crate) fn needs_store(shared: &Shared) -> bool {
    let mut live = shared.live();
    !shared.has_panicked()
        && matches!(due(&shared.manager, &mut live), Due::Write | Due::Touch(..) | Due::Delete(_))
}

/// What a commit has to do.
enum Due {
    Nothing,
    Write,
    Touch(Stored, Duration),
    Delete(StoreKey),
    /// Log out where there is no record.
    Forget,
    /// The request came with a token that was just rotated away.
    Refuse,
}

fn due(manager: &Inner, live: &mut Live) -> Due {
    match live.phase {
        Phase::Ended | Phase::LoggedOut(Deletion::Done) => return Due::Nothing,
        Phase::LoggedOut(Deletion::Pending) => {
            return match &live.place {
                Place::Nowhere(Origin::NoToken) => Due::Nothing,
                Place::Nowhere(Origin::DeadToken) => Due::Forget,
                Place::Overtaken => Due::Refuse,
                Place::Stored(stored) => Due::Delete(stored.key),
            };
        }
        Phase::Open | Phase::Committed => {}
    }
    match &live.place {
        Place::Overtaken if !live.has_changes() => Due::Nothing,
        Place::Overtaken if live.changes.iter().any(Change::is_authentication) => Due::Write,
        Place::Overtaken => Due::Refuse,
        Place::Nowhere(_) if live.has_changes() && has_content(live.seen()) => Due::Write,
        Place::Nowhere(_) => Due::Nothing,
        Place::Stored(stored) => {
            if live.reach == Reach::Request
                && (stored.presented == Presented::Predecessor || stored.token_key == TokenKey::Old)
            {
                live.news = News::Token;
            }
            if live.has_changes()
                || secret_upkeep(manager, live.reach, stored, &live.base) != SecretUpkeep::None
            {
                return Due::Write;
            }
            let wanted = manager.ttl(&live.base).unwrap_or_default();
            let idle = Duration::from_millis(live.base.idle);
            if wanted.saturating_sub(stored.ttl) > manager.expiry.touch_interval(idle) {
                return Due::Touch(stored.clone(), wanted);
            }
            Due::Nothing
        }
    }
}

async fn write(shared: &Shared, mut work: Box<Write<'_>>) -> Result<()> {
    let asked = work.is_asked_for();
    match work.run().await {
        Ok(()) => {
            drop(work);
            rebase(shared);
            Ok(())
        }
        Err(_) if !asked => {
            work.give_up();
            shared.manager.events.emit(SessionEventKind::UpkeepFailed, None);
            Ok(())
        }
        Err(error) => {
            // What may succeed later stays noted, unless nobody could tell then whether it had been stored.
            if !work.may_be_tried_again(&error) {
                work.give_up();
            }
            if error.kind() == ErrorKind::Ended {
                shared.live().phase = Phase::Ended;
                shared.manager.events.emit(SessionEventKind::WriteRefused, None);
            }
            Err(error)
        }
    }
}

async fn delete(shared: &Shared, key: &StoreKey) -> Result<()> {
    let manager = &shared.manager;
    let ends_at = manager.clock.monotonic() + manager.deadline;
    let mut tries = 0;
    let answer = loop {
        match manager.store().delete(key).await {
            Ok(answer) => break answer,
            Err(error) => {
                tries += 1;
                let in_time = manager.clock.monotonic() < ends_at;
                if !(error.is_transient() && error.is_ambiguous() && tries < AMBIGUOUS_TRIES && in_time) {
                    return Err(error.into());
                }
            }
        }
    };
    if answer == Deleted::Deleted || tries > 0 {
        manager.emit(SessionEventKind::Ended(EndReason::Logout), key);
    }
    let mut live = shared.live();
    live.phase = Phase::LoggedOut(Deletion::Done);
    live.news = if live.reach == Reach::Request { News::Removal } else { News::None };
    live.draft = None;
    live.changes.clear();
    Ok(())
}

async fn touch(shared: &Shared, stored: &Stored, ttl: Duration) {
    match shared.manager.store().touch(&stored.key, stored.version, ttl).await {
        Ok(Touched::Touched) => {
            if let Place::Stored(stored) = &mut shared.live().place {
                stored.ttl = ttl;
            }
        }
        // Somebody else just wrote or ended it: either is as good as a touch.
        Ok(Touched::Conflict | Touched::Missing) => {}
        Err(_) => shared.manager.emit(SessionEventKind::UpkeepFailed, &stored.key),
    }
}

/// How often a write is sent when replies get lost; it finds its own earlier write by the version.
const AMBIGUOUS_TRIES: u32 = 3;
