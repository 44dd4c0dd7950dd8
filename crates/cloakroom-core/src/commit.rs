//! The one decision: what a request's changes ask of the store.

mod admission;
mod carry;
mod index;
mod outdated;
mod rebase;
mod tries;
mod write;

use std::sync::Arc;
use std::time::Duration;

use cloakroom_codec::TokenKey;

use self::carry::carry;
use self::outdated::end_outdated;
use self::rebase::rebase;
use self::tries::Tries;
use self::write::Write;
use crate::change::Change;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::live::{
    Deletion, Live, News, Origin, Phase, Place, Presented, Reach, Shared, Stored, has_content,
};
use crate::manager::{Inner, principal};
use crate::renewal::{SecretUpkeep, secret_upkeep};
use crate::store::{Deleted, StoreKey, Touched};

/// What a commit is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The end of a request. Adapters let it run to its end.
    Response,
    /// A call within a handler, who may leave it half done beside something else that waits for the same session.
    Call,
}

/// Stores what was changed since the last commit.
pub(crate) async fn commit(shared: &Shared, occasion: Occasion) -> Result<()> {
    let _turn = shared.turn.lock().await;
    let (due, work) = {
        let mut live = shared.live();
        let due = due(&shared.manager, &live);
        let work = matches!(due, Due::Store(Call::Write)).then(|| Write::take(shared, &mut live, occasion));
        (due, work)
    };
    match due {
        Due::Store(Call::Write) => match work {
            Some(work) => write(shared, work).await,
            None => Ok(()),
        },
        Due::Store(Call::Touch(stored, ttl)) => touch(shared, &stored, ttl).await,
        Due::Store(Call::Delete(key)) => delete(shared, &key, EndReason::Logout, deadline(shared)).await,
        Due::Store(Call::EndOutdated(stored)) => end_outdated(shared, stored).await,
        Due::Here(step) => settle(shared, step),
    }
}

/// What [`commit`] does where the store need not be called; `None` where it must be, or where another commit is under
/// way.
pub(crate) fn commit_at_once(shared: &Shared) -> Option<Result<()>> {
    let _turn = shared.turn.try_lock()?;
    let due = due(&shared.manager, &shared.live());
    match due {
        Due::Here(step) => Some(settle(shared, step)),
        Due::Store(_) => None,
    }
}

/// Does what nobody has to be waited for.
fn settle(shared: &Shared, step: Step) -> Result<()> {
    match step {
        Step::Nothing => Ok(()),
        Step::Forget => {
            let mut live = shared.live();
            live.phase = Phase::LoggedOut(Deletion::Done);
            live.news = News::Removal;
            let had_one = matches!(live.place, Place::Carried(_));
            drop(live);
            if had_one {
                shared.manager.events.emit(SessionEventKind::Ended(EndReason::Logout), None);
            }
            Ok(())
        }
        Step::Carry => carry(shared),
        Step::Refuse => {
            shared.live().phase = Phase::Ended;
            shared.manager.events.emit(SessionEventKind::WriteRefused, None);
            Err(Error::new(ErrorKind::Ended))
        }
    }
}

/// What a commit has to do.
enum Due {
    Here(Step),
    Store(Call),
}

/// What needs no store.
enum Step {
    Nothing,
    /// Log out where there is no record.
    Forget,
    /// Give the session back to the client that carries it.
    Carry,
    /// The request came with a token that was just rotated away.
    Refuse,
}

/// What the store is called for.
enum Call {
    Write,
    Touch(Stored, Duration),
    Delete(StoreKey),
    /// End a session whose login is outdated, wherever it lies.
    EndOutdated(Option<Stored>),
}

fn due(manager: &Inner, live: &Live) -> Due {
    match live.phase {
        Phase::Ended | Phase::LoggedOut(Deletion::Done) => return Due::Here(Step::Nothing),
        Phase::LoggedOut(Deletion::Pending) => {
            return match &live.place {
                Place::Nowhere(Origin::NoToken) => Due::Here(Step::Nothing),
                Place::Nowhere(Origin::DeadToken) | Place::Carried(_) => Due::Here(Step::Forget),
                Place::Overtaken => Due::Here(Step::Refuse),
                Place::Stored(stored) => Due::Store(Call::Delete(stored.key)),
            };
        }
        Phase::LoggedOut(Deletion::Outdated) => {
            return Due::Store(Call::EndOutdated(match &live.place {
                Place::Stored(stored) => Some(stored.clone()),
                Place::Nowhere(_) | Place::Overtaken | Place::Carried(_) => None,
            }));
        }
        Phase::Open | Phase::Committed => {}
    }
    match &live.place {
        Place::Overtaken if !live.has_changes() => Due::Here(Step::Nothing),
        Place::Overtaken if live.changes.iter().any(Change::is_authentication) => Due::Store(Call::Write),
        Place::Overtaken => Due::Here(Step::Refuse),
        Place::Nowhere(_) if live.has_changes() && has_content(live.seen()) => {
            if manager.is_client_side() {
                Due::Here(Step::Carry)
            } else {
                Due::Store(Call::Write)
            }
        }
        Place::Nowhere(_) => Due::Here(Step::Nothing),
        Place::Carried(carried) => {
            let is_due =
                live.has_changes() || carried.key == TokenKey::Old || manager.is_keep_alive_due(&live.base);
            if is_due { Due::Here(Step::Carry) } else { Due::Here(Step::Nothing) }
        }
        Place::Stored(stored) => {
            let now = manager.now();
            if live.has_changes()
                || manager.is_use_untold(&live.base, now)
                || secret_upkeep(manager, live.reach, stored, &live.base) != SecretUpkeep::None
            {
                return Due::Store(Call::Write);
            }
            let wanted = manager.ttl_at(&live.base, now).unwrap_or_default();
            let idle = Duration::from_millis(live.base.idle);
            let left = stored.ttl.saturating_sub(manager.clock.monotonic().saturating_sub(stored.read_at));
            if is_token_due(live, stored) || wanted.saturating_sub(left) > manager.expiry.touch_interval(idle)
            {
                return Due::Store(Call::Touch(stored.clone(), wanted));
            }
            Due::Here(Step::Nothing)
        }
    }
}

/// Whether the client came with the secret from before a renewal, and must be given the newest again.
///
/// Only together with a store call that finds the session as it was loaded: the token of a session that was
/// rotated meanwhile would take the place of the rotation's.
fn is_token_due(live: &Live, stored: &Stored) -> bool {
    live.reach == Reach::Request && stored.presented == Presented::Predecessor && live.news == News::None
}

async fn write(shared: &Shared, mut work: Box<Write<'_>>) -> Result<()> {
    let asked = work.is_asked_for();
    match work.run().await {
        Ok(()) => {
            let (replaced, began) = (work.replaced(), work.began());
            drop(work);
            rebase(shared);
            if let Some((key, before)) = replaced {
                let after = Arc::clone(&shared.live().base);
                index::leave(&shared.manager, &key, &before, &after, began).await;
            }
            Ok(())
        }
        Err(error) if !asked => {
            work.give_up();
            if error.kind() == ErrorKind::Ended {
                let mut live = shared.live();
                live.news = News::None;
                if live.reach == Reach::Detached {
                    // As where there is nothing left to keep alive.
                    live.phase = Phase::Ended;
                    return Err(error);
                }
            }
            shared.manager.events.emit(SessionEventKind::UpkeepFailed, None);
            Ok(())
        }
        Err(error) => {
            // What may succeed later stays noted, unless nobody could tell then whether it had been stored.
            if !work.may_be_tried_again(&error) {
                work.give_up();
            }
            if error.kind() == ErrorKind::Ended {
                let mut live = shared.live();
                live.phase = Phase::Ended;
                // Whatever there was to tell is about a session that is over.
                live.news = News::None;
                drop(live);
                shared.manager.events.emit(SessionEventKind::WriteRefused, None);
            }
            Err(error)
        }
    }
}

/// When a commit that begins now has to end.
fn deadline(shared: &Shared) -> Duration {
    shared.manager.clock.monotonic().saturating_add(shared.manager.deadline)
}

async fn delete(shared: &Shared, key: &StoreKey, reason: EndReason, ends_at: Duration) -> Result<()> {
    let manager = &shared.manager;
    let mut tries = Tries::new(manager, ends_at);
    let answer = loop {
        tries.begin();
        match manager.store()?.delete(key).await {
            Ok(answer) => break answer,
            Err(error) if tries.another_after(&error) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if answer == Deleted::Deleted || !tries.is_first() {
        manager.emit(SessionEventKind::Ended(reason), key);
    }
    let is_told = reason == EndReason::Logout && shared.live().reach == Reach::Request;
    close(shared, if is_told { News::Removal } else { News::None });
    let was = principal(&shared.live().base).map(str::to_owned);
    if let (Some(_), Some(principal)) = (manager.limit.most(), was) {
        // It would count as a login that is under way, for a moment.
        manager.strike(&principal, &[*key], Duration::ZERO).await;
    }
    Ok(())
}

/// The session is over, and nothing of it is left to store.
fn close(shared: &Shared, news: News) {
    let mut live = shared.live();
    live.phase = Phase::LoggedOut(Deletion::Done);
    live.news = news;
    live.draft = None;
    live.attempt = None;
    // Their closures are the application's, and so is what runs when they go.
    let changes = std::mem::take(&mut live.changes);
    drop(live);
    drop(changes);
}

/// Keeps the session alive. A handle that outlives its request is told where there is nothing left to keep.
async fn touch(shared: &Shared, stored: &Stored, ttl: Duration) -> Result<()> {
    match shared.manager.store()?.touch(&stored.key, stored.version, ttl).await {
        Ok(Touched::Touched) => {
            let mut live = shared.live();
            if is_token_due(&live, stored) {
                live.news = News::Token;
            }
            if let Place::Stored(stored) = &mut live.place {
                stored.ttl = stored.ttl.max(ttl);
                stored.read_at = shared.manager.clock.monotonic();
            }
        }
        Ok(Touched::Missing) if shared.live().reach == Reach::Detached => {
            shared.live().phase = Phase::Ended;
            return Err(Error::new(ErrorKind::Ended));
        }
        // Somebody else just wrote or ended it: either is as good as a touch.
        Ok(Touched::Conflict | Touched::Missing) => {}
        Err(_) => shared.manager.emit(SessionEventKind::UpkeepFailed, &stored.key),
    }
    Ok(())
}
