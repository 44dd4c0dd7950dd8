//! Where sessions are kept, whatever it is.

use std::fmt;
use std::sync::Arc;

use crate::store::Store;

/// Where a manager keeps its sessions: any [`Store`], behind one type, or with the clients themselves.
///
/// ```
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Backend, Clock};
///
/// let backend = Backend::from(ModelStore::new(Clock::system()));
/// # let _ = backend;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Backend(Kind);

#[derive(Clone)]
enum Kind {
    Store(Arc<dyn Store>),
    ClientSide,
}

impl Backend {
    /// Lets each client carry its session itself, encrypted and signed, in the place of the token.
    ///
    /// There is no store, so there is nothing to set up, to call or to wait for. And nothing is remembered:
    ///
    /// - A session cannot be taken back. After a logout the browser has forgotten it, but a copy that somebody
    ///   kept goes on, and lives as long as any session: used, to its absolute deadline, which is the only bound.
    ///   `rotate()` and `authenticate` make no copy worthless. A request that was under way during a logout may
    ///   give the browser its session back. Listing and revoking sessions is
    ///   [`Unsupported`](crate::ErrorKind::Unsupported), and so is `Session::detached`.
    /// - Of two requests at the same time the response that arrives last wins, and the other's changes are
    ///   lost; nobody is told. `take`, `require_unchanged` and flash messages promise no more than that.
    /// - A session is at most 2 KiB encoded, or what
    ///   [`with_max_size`](crate::SessionManagerBuilder::with_max_size) says and browsers take: a larger one is
    ///   [`TooLarge`](crate::ErrorKind::TooLarge) before anything is sent.
    /// - Deadlines are judged by the clocks of the instances, which must agree.
    ///
    /// It suits preferences, carts and short logins of low value.
    ///
    /// ```
    /// use cloakroom_core::{Backend, KeyRing, SessionManager};
    ///
    /// let sessions = SessionManager::new(Backend::client_side(), KeyRing::generate());
    /// # let _ = sessions;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub const fn client_side() -> Self {
        Self(Kind::ClientSide)
    }

    /// Puts a decorator around the store, such as one that counts or caches. A client-side backend has no
    /// store, and stays as it is.
    ///
    /// ```
    /// use cloakroom_core::testing::{FailingStore, ModelStore};
    /// use cloakroom_core::{Backend, Clock};
    ///
    /// let backend = Backend::from(ModelStore::new(Clock::system())).layer(FailingStore::new);
    /// # let _ = backend;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn layer<S: Store>(self, decorate: impl FnOnce(Arc<dyn Store>) -> S) -> Self {
        match self.0 {
            Kind::Store(store) => Self::from(decorate(store)),
            Kind::ClientSide => self,
        }
    }

    /// The store; `None` where clients carry their sessions.
    pub(crate) fn store(&self) -> Option<&dyn Store> {
        match &self.0 {
            Kind::Store(store) => Some(&**store),
            Kind::ClientSide => None,
        }
    }
}

impl<S: Store> From<S> for Backend {
    fn from(store: S) -> Self {
        Self(Kind::Store(Arc::new(store)))
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Store(store) => f.debug_tuple("Backend").field(store).finish(),
            Kind::ClientSide => f.write_str("Backend(ClientSide)"),
        }
    }
}
