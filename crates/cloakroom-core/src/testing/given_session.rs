//! A session in a given state.

use std::sync::Arc;

use crate::clock::Clock;
use crate::error::Result;
use crate::live::{Live, Origin, Shared};
use crate::manager::SessionManager;
use crate::session::Session;
use crate::testing::ModelStore;

/// A session in the state that `given` puts it into, for the tests of a handler.
///
/// It is a new visitor's, over a store of its own in memory, so that `save` works.
///
/// ```
/// use cloakroom_core::testing::session;
///
/// let session = session(|session| {
///     session.authenticate("ada")?;
///     session.set("visits", &41)
/// })?;
/// assert_eq!(session.principal().as_deref(), Some("ada"));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
///
/// # Errors
///
/// Those of `given`.
pub fn session(given: impl FnOnce(&Session) -> Result<()>) -> Result<Session> {
    let manager = SessionManager::new(ModelStore::new(Clock::system()), cloakroom_codec::KeyRing::generate());
    let live = Live::nowhere(Origin::NoToken, manager.0.empty_state());
    let session = Session::new(Arc::new(Shared::new(manager.0, live)));
    given(&session)?;
    Ok(session)
}
