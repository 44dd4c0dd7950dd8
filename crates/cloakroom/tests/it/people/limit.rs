//! A limit of sessions is exact, at every moment, when fifty log in at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::{SessionLimit, SessionManager};

use super::client::{Client, LogBook};
use super::crowd::{Stage, Watched};
use super::faulty::{Faulty, IndexFault};
use super::place::{Place, ring};

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
        for violation in &round.violations {
            println!("{}: {violation}", place.name);
        }
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

/// An instance ends the oldest session, and admits its login late. Another login comes meanwhile, at another instance: once
/// both are in, there are as many sessions as there may be. Nobody waits for the session that was ended, nor gives way to it.
async fn nobody_gives_way_to_a_session_that_is_over(place: Place) {
    let keys = ring();
    let manager = |backend| {
        let builder = SessionManager::builder(backend, keys());
        builder.with_session_limit(SessionLimit::EvictOldest(2)).build().unwrap()
    };
    let late = place.connect().await.layer(|store| Faulty::new(store, IndexFault::AdmitsLate));
    let (late, prompt, book) = (manager(late), manager(place.connect().await), Arc::new(LogBook::default()));
    let mut clients = vec![Client::default(), Client::default()];
    for client in &mut clients {
        client.log_in(&prompt, "ada", &book).await.unwrap();
    }
    let login = {
        let book = Arc::clone(&book);
        tokio::spawn(async move {
            let mut client = Client::default();
            client.log_in(&late, "ada", &book).await.unwrap();
            client
        })
    };
    // Which of them is the oldest, logins of one millisecond do not tell.
    while count(&clients, &prompt).await == 2 {
        assert!(!login.is_finished(), "nobody gave way");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!login.is_finished(), "it was not late");
    let mut third = Client::default();
    third.log_in(&prompt, "ada", &book).await.unwrap();
    clients.extend([third, login.await.unwrap()]);
    println!("{}: {:?}", place.name, book.tries());
    assert_eq!(count(&clients, &prompt).await, 2, "{}: of two that there may be", place.name);
}

/// A login ends the oldest session, and the store fails before it is admitted. The next try finds a place free, and ends
/// nobody else.
async fn login_that_failed_ends_one_session(place: Place) {
    let backend = place.connect().await.layer(|store| Faulty::new(store, IndexFault::FailsOnce));
    let builder = SessionManager::builder(backend, ring()());
    let sessions = builder.with_session_limit(SessionLimit::EvictOldest(2)).build().unwrap();
    let prompt = LogBook::default();
    let mut clients = vec![Client::default(), Client::default(), Client::default()];
    for client in &mut clients {
        client.log_in(&sessions, "ada", &prompt).await.unwrap();
    }
    println!("{}: {:?}", place.name, prompt.tries());
    assert_eq!(count(&clients, &sessions).await, 2, "{}: of two that there may be", place.name);
}

#[cfg(feature = "memory")]
#[tokio::test(flavor = "multi_thread")]
async fn login_that_failed_in_memory_ends_one_session_and_not_two() {
    login_that_failed_ends_one_session(Place::memory().await).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn login_that_failed_in_redis_ends_one_session_and_not_two() {
    login_that_failed_ends_one_session(Place::server("redis", "CLOAKROOM_TEST_REDIS_URL")).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn login_that_failed_in_postgres_ends_one_session_and_not_two() {
    login_that_failed_ends_one_session(Place::server("postgres", "CLOAKROOM_TEST_POSTGRES_URL")).await;
}

async fn count(clients: &[Client], sessions: &SessionManager) -> usize {
    let mut live = 0;
    for client in clients {
        live += usize::from(client.live(sessions, "ada").await.unwrap().is_some());
    }
    live
}

#[cfg(feature = "memory")]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_way_in_memory_to_a_session_that_is_over() {
    nobody_gives_way_to_a_session_that_is_over(Place::memory().await).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_way_in_sqlite_to_a_session_that_is_over() {
    nobody_gives_way_to_a_session_that_is_over(Place::sqlite()).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn nobody_gives_way_in_redis_to_a_session_that_is_over() {
    nobody_gives_way_to_a_session_that_is_over(Place::server("redis", "CLOAKROOM_TEST_REDIS_URL")).await;
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
