//! A limit of sessions is exact, at every moment, when fifty log in at once.

use std::time::{Duration, Instant};

use super::crowd::{Stage, Watched};
use super::faulty::IndexFault;
use super::place::Place;

/// How long the rounds of one store take in the suite.
const MOMENT: Duration = Duration::from_secs(4);
/// Each limit is met once at least.
const FEWEST: usize = 6;
/// How many rounds there are at length.
const MANY: usize = 1000;
/// How soon a store that is wrong must be caught.
const CAUGHT: Duration = Duration::from_secs(30);

/// How many rounds there are.
#[derive(Clone, Copy)]
enum Effort {
    Bounded,
    Long,
}

/// Rounds at a store as it is, in which nothing may be wrong, and at the same store with an index that is, which must be caught.
async fn limit_is_exact(place: Place, effort: Effort) {
    rounds(&place, effort).await;
    for fault in [IndexFault::AdmitsWithoutLooking, IndexFault::HidesTheYoung] {
        caught(&place, fault).await;
    }
}

async fn rounds(place: &Place, effort: Effort) {
    let stage = Stage::open(place, None).await;
    let (begin, mut watched, mut violations) = (Instant::now(), Watched::default(), Vec::new());
    let (mut count, mut longest) = (0, Duration::ZERO);
    let more = |count: usize| match effort {
        Effort::Bounded => count < FEWEST || begin.elapsed() < MOMENT,
        Effort::Long => count < MANY,
    };
    while more(count) {
        let start = Instant::now();
        let round = stage.round(count).await;
        longest = longest.max(start.elapsed());
        watched = watched.and(round.watched);
        violations.extend(round.violations);
        count += 1;
        if count.is_multiple_of(100) {
            println!("{}: {count} rounds, {:?} wrong", place.name, violations.len());
        }
    }
    let (name, tries, took) = (place.name, stage.book.tries(), begin.elapsed());
    println!(
        "{name}: {count} rounds of 50 logins in {took:.1?}, the longest {longest:.1?}; {} tries, the longest {:.1?}, to be \
         tried again {:?}; {watched:?}",
        tries.count, tries.longest, tries.failed,
    );
    assert!(violations.is_empty(), "{name}: {violations:#?}");
}

async fn caught(place: &Place, fault: IndexFault) {
    let stage = Stage::open(place, Some(fault)).await;
    let begin = Instant::now();
    for number in 0.. {
        let round = stage.round(number).await;
        if let Some(violation) = round.violations.first() {
            println!("{}: {fault:?} is caught in round {number}: {violation}", place.name);
            return;
        }
        assert!(begin.elapsed() < CAUGHT, "{}: {fault:?} is not caught in {number} rounds", place.name);
    }
}

#[cfg(feature = "memory")]
#[tokio::test(flavor = "multi_thread")]
async fn limit_is_exact_in_memory() {
    limit_is_exact(Place::memory().await, Effort::Bounded).await;
}

#[cfg(feature = "memory")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a thousand rounds of logins in this process"]
async fn measure_a_thousand_rounds_of_logins_in_memory() {
    limit_is_exact(Place::memory().await, Effort::Long).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn limit_is_exact_in_sqlite() {
    limit_is_exact(Place::sqlite(), Effort::Bounded).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a thousand rounds of logins in a file"]
async fn measure_a_thousand_rounds_of_logins_in_sqlite() {
    limit_is_exact(Place::sqlite(), Effort::Long).await;
}

#[cfg(feature = "redis")]
mod redis {
    use super::{Effort, Place, limit_is_exact};

    const REDIS: &str = "CLOAKROOM_TEST_REDIS_URL";
    const SENTINEL: &str = "CLOAKROOM_TEST_SENTINEL_URL";
    const CLUSTER: &str = "CLOAKROOM_TEST_CLUSTER_URL";

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs redis: run `cargo xtask test`"]
    async fn limit_is_exact_in_redis() {
        limit_is_exact(Place::server("redis", REDIS), Effort::Bounded).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "measures a thousand rounds of logins: needs redis"]
    async fn measure_a_thousand_rounds_of_logins_in_redis() {
        limit_is_exact(Place::server("redis", REDIS), Effort::Long).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs sentinel: run `cargo xtask test`"]
    async fn limit_is_exact_under_sentinels() {
        limit_is_exact(Place::server("sentinel", SENTINEL), Effort::Bounded).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "measures a thousand rounds of logins: needs sentinel"]
    async fn measure_a_thousand_rounds_of_logins_under_sentinels() {
        limit_is_exact(Place::server("sentinel", SENTINEL), Effort::Long).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs cluster: run `cargo xtask test`"]
    async fn limit_is_exact_in_a_cluster() {
        limit_is_exact(Place::server("cluster", CLUSTER), Effort::Bounded).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "measures a thousand rounds of logins: needs cluster"]
    async fn measure_a_thousand_rounds_of_logins_in_a_cluster() {
        limit_is_exact(Place::server("cluster", CLUSTER), Effort::Long).await;
    }
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn limit_is_exact_in_postgres() {
    limit_is_exact(Place::server("postgres", "CLOAKROOM_TEST_POSTGRES_URL"), Effort::Bounded).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a thousand rounds of logins: needs postgres"]
async fn measure_a_thousand_rounds_of_logins_in_postgres() {
    limit_is_exact(Place::server("postgres", "CLOAKROOM_TEST_POSTGRES_URL"), Effort::Long).await;
}

#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn limit_is_exact_in_mariadb() {
    limit_is_exact(Place::server("mariadb", "CLOAKROOM_TEST_MARIADB_URL"), Effort::Bounded).await;
}

#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a thousand rounds of logins: needs mariadb"]
async fn measure_a_thousand_rounds_of_logins_in_mariadb() {
    limit_is_exact(Place::server("mariadb", "CLOAKROOM_TEST_MARIADB_URL"), Effort::Long).await;
}
