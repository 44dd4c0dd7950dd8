//! The published laws of stores and of their index, on a clock that is moved and on the system's.

use std::time::Duration;

use cloakroom_conformance::{Harness, conformance_tests, index_conformance_tests};
use cloakroom_core::Clock;
use cloakroom_memory::MemoryStore;

struct Memory(Clock);

impl Harness for Memory {
    type Store = MemoryStore;

    async fn open(&self) -> MemoryStore {
        MemoryStore::new().with_clock(self.0.clone())
    }

    async fn open_again(&self, store: &MemoryStore) -> MemoryStore {
        store.clone()
    }

    async fn elapse(&self, time: Duration) {
        self.0.advance(time);
    }
}

/// The store as a service has it; time passes by sleeping.
struct Real;

impl Harness for Real {
    type Store = MemoryStore;

    async fn open(&self) -> MemoryStore {
        MemoryStore::new()
    }

    async fn open_again(&self, store: &MemoryStore) -> MemoryStore {
        store.clone()
    }
}

mod on_a_manual_clock {
    use super::*;

    conformance_tests!(Memory(Clock::manual()));
    index_conformance_tests!(Memory(Clock::manual()));
}

mod on_the_system_clock {
    use super::*;

    conformance_tests!(Real);
    index_conformance_tests!(Real);
}
