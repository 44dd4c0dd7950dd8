//! Where sessions are kept, whatever it is.

use std::fmt;
use std::sync::Arc;

use crate::store::Store;

/// Where a manager keeps its sessions: any [`Store`], behind one type.
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
}

impl Backend {
    /// Puts a decorator around the store, such as one that counts or caches.
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
        }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        match &self.0 {
            Kind::Store(store) => &**store,
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
        }
    }
}
