//! Opens the stores that are wrong in one way.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::Harness;
use cloakroom_core::Clock;

use crate::backend::Backend;
use crate::fault::Fault;
use crate::faulty::{Faulty, LIMIT};

/// Opens stores with a fault, or without, on a clock that the laws move.
pub(crate) struct Broken {
    fault: Option<Fault>,
    bytes: Bytes,
    clock: Clock,
    /// The only backend there is, for a fault of namespaces.
    shared: Arc<Backend>,
}

/// Whether the laws may look at the bytes of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bytes {
    Shown,
    Hidden,
}

impl Broken {
    pub(crate) fn with(fault: Option<Fault>, bytes: Bytes) -> Self {
        let clock = Clock::manual();
        Self { fault, bytes, shared: Arc::new(Backend::on(clock.clone())), clock }
    }
}

impl Harness for Broken {
    type Store = Faulty;

    async fn open(&self) -> Faulty {
        let backend = match self.fault {
            Some(Fault::NamespacesAreShared) => Arc::clone(&self.shared),
            _ => Arc::new(Backend::on(self.clock.clone())),
        };
        Faulty::on(backend, self.fault)
    }

    async fn open_again(&self, store: &Faulty) -> Faulty {
        Faulty::on(Arc::clone(store.backend()), self.fault)
    }

    async fn elapse(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn largest_payload(&self) -> Option<usize> {
        Some(LIMIT)
    }

    async fn dump(&self, store: &Faulty) -> Option<Vec<u8>> {
        (self.bytes == Bytes::Shown).then(|| store.backend().dump(self.fault))
    }
}
