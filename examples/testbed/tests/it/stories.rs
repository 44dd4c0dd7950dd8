//! Every story, on both adapters, over every store.

use std::path::PathBuf;
use std::time::Duration;

use cloakroom_conformance::stories::{App, Instance, Keeps, Settings};
use cloakroom_conformance::{
    client_side_stories_tests, index_stories_tests, no_index_stories_tests, stories_tests,
};

use crate::program::Testbed;

/// The testbed on one adapter, over memory.
struct OverMemory(&'static str);

/// The testbed on one adapter, with no store at all.
struct OverCookie(&'static str);

/// The testbed on one adapter, over a file of its own.
struct OverSqlite(&'static str);

/// The testbed on one adapter, over a server of the test run.
struct Over {
    adapter: &'static str,
    /// Holds the server's URL.
    variable: &'static str,
    /// The parameter of the URL that names what a story has to itself.
    namespace: &'static str,
    /// By how much a session may end too late.
    resolution: Duration,
}

impl App for OverMemory {
    type Instance = Testbed;

    async fn start(&self, settings: Settings) -> Testbed {
        Testbed::start(self.0, "memory:", &settings).await
    }
}

impl App for OverCookie {
    type Instance = Testbed;

    async fn start(&self, settings: Settings) -> Testbed {
        Testbed::start(self.0, "cookie:", &settings).await
    }

    fn client_keeps(&self) -> Keeps {
        Keeps::Session
    }
}

impl App for Over {
    type Instance = Testbed;

    async fn start(&self, settings: Settings) -> Testbed {
        let Self { adapter, variable, namespace, resolution: _ } = self;
        let url = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names a server"));
        let joint = if url.contains('?') { '&' } else { '?' };
        Testbed::start(adapter, &format!("{url}{joint}{namespace}=story_{:016x}", tag()), &settings).await
    }

    fn resolution(&self) -> Duration {
        self.resolution
    }
}

/// A testbed over a file, which goes with it.
struct OverFile {
    testbed: Testbed,
    directory: PathBuf,
}

impl App for OverSqlite {
    type Instance = OverFile;

    async fn start(&self, settings: Settings) -> OverFile {
        let directory = files().join(format!("cloakroom-story-{:016x}", tag()));
        std::fs::create_dir(&directory).expect("a directory of its own");
        let url = format!("sqlite:{}", directory.join("sessions.db").display());
        OverFile { testbed: Testbed::start(self.0, &url, &settings).await, directory }
    }
}

impl Instance for OverFile {
    fn address(&self) -> std::net::SocketAddr {
        self.testbed.address()
    }
}

impl Drop for OverFile {
    fn drop(&mut self) {
        // The program may still write; what it leaves behind is in the temporary directory.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Where files are made: in memory if there is such a place, because each write is synced, and no story pulls the plug.
pub(crate) fn files() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// Memcached counts whole ticks of a second, and the first may come at once.
const MEMCACHED_RESOLUTION: Duration = Duration::from_millis(2100);

/// A number that nobody else has.
pub(crate) fn tag() -> u64 {
    cloakroom::Version::random().expect("randomness").get()
}

mod axum_over_cookie {
    use super::*;
    client_side_stories_tests!(OverCookie("axum"));
    no_index_stories_tests!(OverCookie("axum"));
}

mod actix_over_cookie {
    use super::*;
    client_side_stories_tests!(OverCookie("actix"));
    no_index_stories_tests!(OverCookie("actix"));
}

mod axum_over_memory {
    use super::*;
    stories_tests!(OverMemory("axum"));
    index_stories_tests!(OverMemory("axum"));
}

mod actix_over_memory {
    use super::*;
    stories_tests!(OverMemory("actix"));
    index_stories_tests!(OverMemory("actix"));
}

mod axum_over_sqlite {
    use super::*;
    stories_tests!(OverSqlite("axum"));
    index_stories_tests!(OverSqlite("axum"));
}

mod actix_over_sqlite {
    use super::*;
    stories_tests!(OverSqlite("actix"));
    index_stories_tests!(OverSqlite("actix"));
}

/// Both adapters over one kind of server, with the stories of those that have an index or of those that have none.
macro_rules! over {
    (
        $axum:ident, $actix:ident, $variable:literal, $namespace:literal, $index:ident, $resolution:expr, $ignore:meta
    ) => {
        mod $axum {
            use super::*;
            const APP: Over =
                Over { adapter: "axum", variable: $variable, namespace: $namespace, resolution: $resolution };
            stories_tests!(APP, #[$ignore]);
            $index!(APP, #[$ignore]);
        }

        mod $actix {
            use super::*;
            const APP: Over =
                Over { adapter: "actix", variable: $variable, namespace: $namespace, resolution: $resolution };
            stories_tests!(APP, #[$ignore]);
            $index!(APP, #[$ignore]);
        }
    };
}

over!(
    axum_over_redis,
    actix_over_redis,
    "CLOAKROOM_TEST_REDIS_URL",
    "prefix",
    index_stories_tests,
    Duration::ZERO,
    ignore = "needs redis: run `cargo xtask test`"
);

over!(
    axum_over_sentinel,
    actix_over_sentinel,
    "CLOAKROOM_TEST_SENTINEL_URL",
    "prefix",
    index_stories_tests,
    Duration::ZERO,
    ignore = "needs sentinel: run `cargo xtask test`"
);

over!(
    axum_over_cluster,
    actix_over_cluster,
    "CLOAKROOM_TEST_CLUSTER_URL",
    "prefix",
    index_stories_tests,
    Duration::ZERO,
    ignore = "needs cluster: run `cargo xtask test`"
);

over!(
    axum_over_memcached,
    actix_over_memcached,
    "CLOAKROOM_TEST_MEMCACHED_URL",
    "prefix",
    no_index_stories_tests,
    MEMCACHED_RESOLUTION,
    ignore = "needs memcached: run `cargo xtask test`"
);

over!(
    axum_over_three_memcached,
    actix_over_three_memcached,
    "CLOAKROOM_TEST_MEMCACHED_MANY_URL",
    "prefix",
    no_index_stories_tests,
    MEMCACHED_RESOLUTION,
    ignore = "needs memcached: run `cargo xtask test`"
);

over!(
    axum_over_postgres,
    actix_over_postgres,
    "CLOAKROOM_TEST_POSTGRES_URL",
    "table",
    index_stories_tests,
    Duration::ZERO,
    ignore = "needs postgres: run `cargo xtask test`"
);

over!(
    axum_over_mariadb,
    actix_over_mariadb,
    "CLOAKROOM_TEST_MARIADB_URL",
    "table",
    index_stories_tests,
    Duration::ZERO,
    ignore = "needs mariadb: run `cargo xtask test`"
);
