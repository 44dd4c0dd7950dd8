//! Every law, on the store that all others are compared with.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_conformance::{Harness, conformance_tests};
use cloakroom_core::{Clock, testing::ModelStore};

/// Time passes when the law says so.
struct Manual(Clock);

impl Harness for Manual {
    type Store = Arc<ModelStore>;

    async fn open(&self) -> Arc<ModelStore> {
        Arc::new(ModelStore::new(self.0.clone()))
    }

    async fn open_again(&self, store: &Arc<ModelStore>) -> Arc<ModelStore> {
        Arc::clone(store)
    }

    async fn elapse(&self, time: Duration) {
        self.0.advance(time);
    }
}

/// Time passes by itself, as with a server.
struct System;

impl Harness for System {
    type Store = Arc<ModelStore>;

    async fn open(&self) -> Arc<ModelStore> {
        Arc::new(ModelStore::new(Clock::system()))
    }

    async fn open_again(&self, store: &Arc<ModelStore>) -> Arc<ModelStore> {
        Arc::clone(store)
    }
}

mod on_a_manual_clock {
    use super::*;

    conformance_tests!(Manual(Clock::manual()));
}

mod on_the_clock_of_the_system {
    use super::*;

    conformance_tests!(System);
}
