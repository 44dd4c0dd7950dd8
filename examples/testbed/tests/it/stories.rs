//! Every story, on both adapters, over memory and over Redis.

use cloakroom_conformance::stories::{App, Keeps, Settings};
use cloakroom_conformance::{
    client_side_stories_tests, index_stories_tests, no_index_stories_tests, stories_tests,
};

use crate::program::Testbed;

/// The testbed on one adapter, over memory.
struct OverMemory(&'static str);

/// The testbed on one adapter, over the Redis of the test run, under a prefix of its own.
struct OverRedis(&'static str);

impl App for OverMemory {
    type Instance = Testbed;

    async fn start(&self, settings: Settings) -> Testbed {
        Testbed::start(self.0, "memory:", &settings).await
    }
}

impl App for OverRedis {
    type Instance = Testbed;

    async fn start(&self, settings: Settings) -> Testbed {
        let url = std::env::var("CLOAKROOM_TEST_REDIS_URL").expect("CLOAKROOM_TEST_REDIS_URL names a server");
        let version = cloakroom::Version::random().expect("randomness").get();
        Testbed::start(self.0, &format!("{url}?prefix=story-{version:016x}"), &settings).await
    }
}

/// The testbed on one adapter, with no store at all.
struct OverCookie(&'static str);

impl App for OverCookie {
    type Instance = Testbed;

    async fn start(&self, settings: Settings) -> Testbed {
        Testbed::start(self.0, "cookie:", &settings).await
    }

    fn client_keeps(&self) -> Keeps {
        Keeps::Session
    }
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

mod axum_over_redis {
    use super::*;
    stories_tests!(OverRedis("axum"), #[ignore = "needs redis: run `cargo xtask test`"]);
    no_index_stories_tests!(OverRedis("axum"), #[ignore = "needs redis: run `cargo xtask test`"]);
}

mod actix_over_redis {
    use super::*;
    stories_tests!(OverRedis("actix"), #[ignore = "needs redis: run `cargo xtask test`"]);
    no_index_stories_tests!(OverRedis("actix"), #[ignore = "needs redis: run `cargo xtask test`"]);
}
