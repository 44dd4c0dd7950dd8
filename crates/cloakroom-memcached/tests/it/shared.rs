//! The servers of one run of the suite, shared by tests that only use keys of their own.

use cloakroom_memcached::MemcachedStore;

use crate::sample;

/// Which of the shared servers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    One,
    Many,
}

impl Way {
    pub(crate) fn url(self) -> String {
        let name = match self {
            Self::One => "CLOAKROOM_TEST_MEMCACHED_URL",
            Self::Many => "CLOAKROOM_TEST_MEMCACHED_MANY_URL",
        };
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
    }

    /// A store with a prefix that no other test has.
    pub(crate) async fn store(self) -> MemcachedStore {
        self.store_under(&format!("test-{:016x}", sample::version().get())).await
    }

    pub(crate) async fn store_under(self, prefix: &str) -> MemcachedStore {
        MemcachedStore::builder(&self.url()).with_prefix(prefix).connect().await.expect("the shared servers")
    }
}
