//! Where a session keeps what the tokens of its forms are bound to.

use cloakroom_codec::{CsrfSeed, State};

use crate::error::Result;

/// The seed of a session; `None` where none was drawn yet.
pub(crate) fn of(state: &State) -> Option<CsrfSeed> {
    let bytes = state.extensions.get(CSRF_SEED)?;
    bytes.try_into().ok().map(CsrfSeed::from_bytes)
}

/// From now on the tokens of before are worth nothing.
pub(crate) fn renew(state: &mut State, seed: &CsrfSeed) {
    state.extensions.insert(CSRF_SEED, seed.as_bytes().to_vec());
}

/// Gives a session that begins its seed, so that parallel requests of its first pages agree about it.
pub(crate) fn ensure(state: &mut State) -> Result<()> {
    if of(state).is_none() {
        renew(state, &CsrfSeed::random()?);
    }
    Ok(())
}

/// The extension of a state that holds the seed: 16 bytes.
const CSRF_SEED: u16 = 2;
