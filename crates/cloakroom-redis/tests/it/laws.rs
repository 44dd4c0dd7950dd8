//! The laws of stores, on every way to reach the server.

use std::time::Duration;

use cloakroom_conformance::{Harness, conformance_tests, index_conformance_tests};
use cloakroom_redis::RedisStore;
use redis::AsyncCommands as _;

use crate::sample::MINUTE;
use crate::shared::Way;

impl Harness for Way {
    type Store = RedisStore;

    async fn open(&self) -> RedisStore {
        self.store().await
    }

    async fn open_again(&self, store: &RedisStore) -> RedisStore {
        self.store_under(store.prefix()).await
    }

    /// Redis rounds what it tells up or down by a millisecond, and notices an expiry at the next tick.
    fn resolution(&self) -> Duration {
        Duration::from_millis(2)
    }

    async fn dump(&self, store: &RedisStore) -> Option<Vec<u8>> {
        // The shared server has one set of keys, whichever way it is reached; the others are other servers.
        if !matches!(self, Self::Tcp | Self::Unix) {
            return None;
        }
        let client = redis::Client::open(Self::Tcp.url()).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("the shared server");
        let names: Vec<String> = connection.keys(format!("{}:*", store.prefix())).await.expect("KEYS");
        let mut dump = Vec::new();
        for name in names {
            dump.extend_from_slice(name.as_bytes());
            let value: Option<Vec<u8>> =
                redis::cmd("DUMP").arg(&name).query_async(&mut connection).await.expect("DUMP");
            dump.extend(value.unwrap_or_default());
        }
        Some(dump)
    }
}

mod tcp {
    use super::{Way, conformance_tests, index_conformance_tests};

    conformance_tests!(Way::Tcp, #[ignore = "needs redis: run `cargo xtask test`"]);
    index_conformance_tests!(Way::Tcp, #[ignore = "needs redis: run `cargo xtask test`"]);
}

mod unix {
    use super::{Way, conformance_tests, index_conformance_tests};

    conformance_tests!(Way::Unix, #[ignore = "needs redis: run `cargo xtask test`"]);
    index_conformance_tests!(Way::Unix, #[ignore = "needs redis: run `cargo xtask test`"]);
}

mod tls {
    use super::{Way, conformance_tests, index_conformance_tests};

    conformance_tests!(Way::Tls, #[ignore = "needs redis: run `cargo xtask test`"]);
    index_conformance_tests!(Way::Tls, #[ignore = "needs redis: run `cargo xtask test`"]);
}

mod sentinel {
    use super::{Way, conformance_tests, index_conformance_tests};

    conformance_tests!(Way::Sentinel, #[ignore = "needs sentinel: run `cargo xtask test`"]);
    index_conformance_tests!(Way::Sentinel, #[ignore = "needs sentinel: run `cargo xtask test`"]);
}

mod cluster {
    use super::{Way, conformance_tests, index_conformance_tests};

    conformance_tests!(Way::Cluster, #[ignore = "needs cluster: run `cargo xtask test`"]);
    index_conformance_tests!(Way::Cluster, #[ignore = "needs cluster: run `cargo xtask test`"]);
}

/// Where each write waits for a replica, as long as a busy machine takes.
#[derive(Clone, Copy, Debug)]
struct Waiting(Way);

impl Harness for Waiting {
    type Store = RedisStore;

    async fn open(&self) -> RedisStore {
        let prefix = self.0.store().await.prefix().to_owned();
        self.under(&prefix).await
    }

    async fn open_again(&self, store: &RedisStore) -> RedisStore {
        self.under(store.prefix()).await
    }

    fn resolution(&self) -> Duration {
        self.0.resolution()
    }
}

impl Waiting {
    async fn under(&self, prefix: &str) -> RedisStore {
        let builder = RedisStore::builder(&self.0.url()).with_prefix(prefix).with_wait(1);
        let builder = builder.with_timeout(MINUTE).with_wait_timeout(MINUTE / 2);
        builder.connect().await.expect("the shared server")
    }
}

mod waiting_under_sentinels {
    use super::{Waiting, Way, index_conformance_tests};

    index_conformance_tests!(Waiting(Way::Sentinel), #[ignore = "needs sentinel: run `cargo xtask test`"]);
}

mod waiting_in_a_cluster {
    use super::{Waiting, Way, index_conformance_tests};

    index_conformance_tests!(Waiting(Way::Cluster), #[ignore = "needs cluster: run `cargo xtask test`"]);
}
