//! What the tokens of a session's forms are bound to.

use cloakroom_codec::{CsrfBinding, State, random_array};

use crate::error::Result;
use crate::live::{Live, Place};

/// The session as the handler sees it; `None` where nothing can be meant yet, or no more.
pub(crate) fn binding(live: &Live) -> Option<CsrfBinding> {
    if live.is_over() {
        return None;
    }
    let state = live.seen();
    let session = match (id(state), &live.place) {
        (Some(id), _) => id,
        (None, Place::Stored(stored)) => *stored.handle.as_bytes(),
        (None, _) => return None,
    };
    Some(CsrfBinding::new(session, state.generation))
}

/// What stands in for the handle.
pub(crate) fn id(state: &State) -> Option<[u8; 16]> {
    state.extensions.get(FORM_ID)?.try_into().ok()
}

/// Gives the session what stands in for the handle, unless it has it.
pub(crate) fn name(state: &mut State, fresh: [u8; 16]) {
    if id(state).is_none() {
        state.extensions.insert(FORM_ID, fresh.to_vec());
    }
}

/// What a login or a rotation replaces it by: where a client carries the session, a copy of it logs in to the same
/// generation, and must not learn the tokens of another's login. `None` where the handle does it.
pub(crate) fn fresh_id(state: &State) -> Result<Option<[u8; 16]>> {
    id(state).map(|_| Ok(random_array()?)).transpose()
}

/// Replaces it.
pub(crate) fn rename(state: &mut State, fresh: Option<[u8; 16]>) {
    if let Some(fresh) = fresh {
        state.extensions.insert(FORM_ID, fresh.to_vec());
    }
}

/// The extension of a state that stands in for the handle where none was known when the first form was written:
/// 16 random bytes. Releases that do not know it keep it.
const FORM_ID: u16 = 2;
