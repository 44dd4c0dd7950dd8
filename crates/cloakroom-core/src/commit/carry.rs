//! Hands a session back to the client that carries it.

use std::mem;
use std::sync::Arc;

use cloakroom_codec::{TokenKey, random_array};

use crate::carried::Carried;
use crate::change::Change;
use crate::error::{ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::form;
use crate::live::{News, Phase, Place, Shared};

/// Seals the session as it is now. It calls nobody and waits for nothing.
pub(super) fn carry(shared: &Shared) -> Result<()> {
    let mut live = shared.live();
    let is_rotated = live.fresh_secret.is_some();
    let asked = is_rotated || live.changes.iter().any(|change| !change.is_upkeep());
    let event = if live.changes.iter().any(Change::is_authentication) {
        Some(SessionEventKind::Authenticated)
    } else if is_rotated {
        Some(SessionEventKind::Rotated)
    } else {
        None
    };
    let is_created = !matches!(live.place, Place::Carried(_));
    if is_created && form::id(live.seen()).is_none() {
        // Of parallel pages with a form, each would give it another.
        form::name(live.draft(), random_array()?);
    }
    let sealed = shared.manager.seal_carried(live.seen());
    // Stored or refused, they are settled. Their closures are the application's, and so is what runs when
    // they go.
    let settled = mem::take(&mut live.changes);
    live.draft = None;
    live.fresh_secret = None;
    let outcome = match sealed {
        Ok((state, anew)) => {
            live.base = Arc::new(state);
            live.place = Place::Carried(Carried { anew: Some(anew), key: TokenKey::Writing });
            live.news = News::Token;
            Ok(())
        }
        Err(error) => {
            if error.kind() == ErrorKind::Ended {
                live.news = News::None;
                if asked {
                    live.phase = Phase::Ended;
                }
            }
            Err(error)
        }
    };
    drop(live);
    drop(settled);
    if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Ended) {
        shared.manager.events.emit(SessionEventKind::Ended(EndReason::Absolute), None);
    }
    told(shared, outcome, asked, is_created.then_some(SessionEventKind::Created).into_iter().chain(event))
}

fn told(
    shared: &Shared,
    outcome: Result<()>,
    asked: bool,
    events: impl Iterator<Item = SessionEventKind>,
) -> Result<()> {
    let emit = |event| shared.manager.events.emit(event, None);
    match outcome {
        Ok(()) => events.for_each(emit),
        Err(error) if asked => {
            if error.kind() == ErrorKind::Ended {
                emit(SessionEventKind::WriteRefused);
            }
            return Err(error);
        }
        Err(_) => emit(SessionEventKind::UpkeepFailed),
    }
    Ok(())
}
