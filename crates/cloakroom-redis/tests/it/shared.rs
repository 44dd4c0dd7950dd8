//! The servers of one run of the suite, shared by tests that only use keys of their own.

use cloakroom_redis::RedisStore;

use crate::sample;

/// How one of the shared servers is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Tcp,
    Unix,
    Tls,
    Sentinel,
    Cluster,
}

impl Way {
    pub(crate) fn url(self) -> String {
        let name = match self {
            Self::Tcp => "CLOAKROOM_TEST_REDIS_URL",
            Self::Unix => "CLOAKROOM_TEST_REDIS_UNIX_URL",
            Self::Tls => "CLOAKROOM_TEST_REDIS_TLS_URL",
            Self::Sentinel => "CLOAKROOM_TEST_SENTINEL_URL",
            Self::Cluster => "CLOAKROOM_TEST_CLUSTER_URL",
        };
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
    }

    /// A store with a prefix that no other test has.
    pub(crate) async fn store(self) -> RedisStore {
        self.store_under(&format!("test-{:016x}", sample::version().get())).await
    }

    pub(crate) async fn store_under(self, prefix: &str) -> RedisStore {
        RedisStore::builder(&self.url()).with_prefix(prefix).connect().await.expect("the shared server")
    }
}
