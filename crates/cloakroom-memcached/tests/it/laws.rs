//! The laws of stores, on one server and on many.

use std::time::Duration;

use cloakroom_conformance::{Harness, conformance_tests};
use cloakroom_memcached::MemcachedStore;

use crate::shared::Way;

impl Harness for Way {
    type Store = MemcachedStore;

    async fn open(&self) -> MemcachedStore {
        self.store().await
    }

    async fn open_again(&self, store: &MemcachedStore) -> MemcachedStore {
        self.store_under(store.prefix()).await
    }

    /// The server counts ticks of a second. One is added, so that no record goes early, and fractions are rounded up.
    fn resolution(&self) -> Duration {
        Duration::from_millis(2_100)
    }

    /// The shared servers take items of 1 MiB.
    fn largest_payload(&self) -> Option<usize> {
        Some((1 << 20) - 1024)
    }
}

mod one {
    use super::{Way, conformance_tests};

    conformance_tests!(Way::One, #[ignore = "needs memcached: run `cargo xtask test`"]);
}

mod many {
    use super::{Way, conformance_tests};

    conformance_tests!(Way::Many, #[ignore = "needs memcached: run `cargo xtask test`"]);
}
