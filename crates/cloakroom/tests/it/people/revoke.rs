//! All sessions of a person are listed and ended in one call, and others are served meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::{Expiry, SessionManager};
use tokio::task::JoinSet;

use super::client::{Client, LogBook, look};
use super::faulty::{Faulty, IndexFault};
use super::place::{Place, ring};
use super::requests::{Figures, Others};

/// How many sessions a person has.
const MANY: usize = 10_000;
/// How many a person has in the suite where a server is asked for each of them.
const SOME: usize = 2_000;
/// How often it is tried where the machine can hold up others than this process, and where not; and with a fault.
const TRIES: usize = 6;
const ONE: usize = 1;
const FAULTY_TRIES: usize = 2;
/// What must be found out, and what besides where all share one thread.
const FAULTS: [IndexFault; 1] = [IndexFault::HoldsUpOthers];
const FAULTS_OF_A_THREAD: [IndexFault; 2] = [IndexFault::HoldsUpOthers, IndexFault::KeepsTheThread];
/// How many log in at once.
const WRITERS: usize = 48;
/// For how long others are watched before anything happens.
const QUIET: Duration = Duration::from_millis(500);
const WHO: &str = "ada";

/// Lists and revokes so many sessions, and says whether nobody waited for too long.
async fn all_are_revoked(place: &Place, count: usize, fault: Option<IndexFault>) -> Result<(), String> {
    let backend = match (place.connect().await, fault) {
        (backend, Some(fault)) => backend.layer(|store| Faulty::new(store, fault)),
        (backend, None) => backend,
    };
    // Each use of a session that was not used for a moment is written.
    let expiry = Expiry::new(Duration::from_secs(1800), Duration::from_secs(12 * 3600));
    let sessions = SessionManager::builder(backend, ring()())
        .with_expiry(expiry.with_touch_interval(Duration::from_millis(20)))
        .build()
        .unwrap();
    let (begin, book) = (Instant::now(), Arc::new(LogBook::default()));
    let clients = logged_in(&sessions, count, &book).await;
    let (filled, tries) = (begin.elapsed(), book.tries());
    println!("{}: {count} logins in {filled:.1?}, to be tried again {:?}", place.name, tries.failed);
    let others = Others::begin(&sessions).await;
    tokio::time::sleep(QUIET).await;
    say(place, "nothing", QUIET, others.figures());
    let begin = Instant::now();
    let listed = sessions.sessions_of(WHO).await.unwrap().len();
    let (took, listing) = (begin.elapsed(), others.figures());
    say(place, "a listing", took, listing);
    let begin = Instant::now();
    let revoked = sessions.revoke_all(WHO).await.unwrap();
    let (took, revocation) = (begin.elapsed(), others.figures());
    say(place, "a revocation", took, revocation);
    others.end().await;
    assert_eq!((listed, revoked), (count, count), "{}: listed and revoked", place.name);
    assert_eq!(live(&sessions, clients, &book).await, 0, "{}: tokens are live", place.name);
    assert_eq!(sessions.sessions_of(WHO).await.unwrap().len(), 0, "{}: sessions are listed", place.name);
    listing.check().and(revocation.check())
}

/// Nobody is held up, and a store that holds up its callers would be found out.
async fn nobody_is_held_up(place: Place, count: usize, tries: usize, faults: &[IndexFault]) {
    best_of(tries, &place, count, None).await.unwrap();
    for fault in faults {
        let caught = best_of(FAULTY_TRIES, &place, SOME, Some(*fault)).await.unwrap_err();
        println!("{}: {fault:?} is caught: {caught}", place.name);
    }
}

/// What the machine holds up in the process of a server, or in the threads of SQLite, nobody here can tell. Who holds up
/// others does so at each try.
async fn best_of(tries: usize, place: &Place, count: usize, fault: Option<IndexFault>) -> Result<(), String> {
    let mut best = Ok(());
    for _ in 0..tries {
        best = all_are_revoked(place, count, fault).await;
        match &best {
            Ok(()) => break,
            Err(found) => println!("{}: {fault:?}: {found}", place.name),
        }
    }
    best
}

fn say(place: &Place, what: &str, took: Duration, figures: Figures) {
    println!("{}: beside {what} of {took:.1?}: {figures}", place.name);
}

/// Logs so many clients in, many at a time.
async fn logged_in(sessions: &SessionManager, count: usize, book: &Arc<LogBook>) -> Vec<Client> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (sessions, book) = (sessions.clone(), Arc::clone(book));
        writers.spawn(async move {
            let mut clients = Vec::new();
            for _ in (writer..count).step_by(WRITERS) {
                let mut client = Client::default();
                client.log_in(&sessions, WHO, &book).await.unwrap();
                clients.push(client);
            }
            clients
        });
    }
    writers.join_all().await.into_iter().flatten().collect()
}

/// How many of their tokens open a session.
async fn live(sessions: &SessionManager, clients: Vec<Client>, book: &Arc<LogBook>) -> usize {
    let mut looks = JoinSet::new();
    for clients in clients.chunks(clients.len().div_ceil(WRITERS)) {
        let (sessions, clients, book) = (sessions.clone(), clients.to_vec(), Arc::clone(book));
        looks.spawn(async move {
            let mut live = 0;
            for client in clients {
                live += usize::from(look(&book, || client.live(&sessions, WHO)).await.is_some());
            }
            live
        });
    }
    looks.join_all().await.into_iter().sum()
}

#[cfg(feature = "memory")]
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_sessions_in_memory_hold_nobody_up() {
    nobody_is_held_up(Place::memory().await, MANY, ONE, &FAULTS).await;
}

#[cfg(feature = "memory")]
#[tokio::test(flavor = "current_thread")]
async fn ten_thousand_sessions_in_memory_hold_nobody_up_on_one_thread() {
    nobody_is_held_up(Place::memory().await, MANY, ONE, &FAULTS_OF_A_THREAD).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_sessions_in_sqlite_hold_nobody_up() {
    nobody_is_held_up(Place::sqlite(), MANY, TRIES, &FAULTS).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "current_thread")]
async fn ten_thousand_sessions_in_sqlite_hold_nobody_up_on_one_thread() {
    nobody_is_held_up(Place::sqlite(), MANY, TRIES, &FAULTS_OF_A_THREAD).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn thousands_of_sessions_in_redis_hold_nobody_up() {
    nobody_is_held_up(Place::server("redis", "CLOAKROOM_TEST_REDIS_URL"), SOME, TRIES, &FAULTS).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures ten thousand sessions of one person: needs redis"]
async fn measure_ten_thousand_sessions_of_one_person_in_redis() {
    nobody_is_held_up(Place::server("redis", "CLOAKROOM_TEST_REDIS_URL"), MANY, TRIES, &FAULTS).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn thousands_of_sessions_under_sentinels_hold_nobody_up() {
    nobody_is_held_up(Place::server("sentinel", "CLOAKROOM_TEST_SENTINEL_URL"), SOME, TRIES, &FAULTS).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures ten thousand sessions of one person: needs sentinel"]
async fn measure_ten_thousand_sessions_of_one_person_under_sentinels() {
    nobody_is_held_up(Place::server("sentinel", "CLOAKROOM_TEST_SENTINEL_URL"), MANY, TRIES, &FAULTS).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn thousands_of_sessions_in_a_cluster_hold_nobody_up() {
    nobody_is_held_up(Place::server("cluster", "CLOAKROOM_TEST_CLUSTER_URL"), SOME, TRIES, &FAULTS).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures ten thousand sessions of one person: needs cluster"]
async fn measure_ten_thousand_sessions_of_one_person_in_a_cluster() {
    nobody_is_held_up(Place::server("cluster", "CLOAKROOM_TEST_CLUSTER_URL"), MANY, TRIES, &FAULTS).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn thousands_of_sessions_in_postgres_hold_nobody_up() {
    nobody_is_held_up(Place::server("postgres", "CLOAKROOM_TEST_POSTGRES_URL"), SOME, TRIES, &FAULTS).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures ten thousand sessions of one person: needs postgres"]
async fn measure_ten_thousand_sessions_of_one_person_in_postgres() {
    nobody_is_held_up(Place::server("postgres", "CLOAKROOM_TEST_POSTGRES_URL"), MANY, TRIES, &FAULTS).await;
}

#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn thousands_of_sessions_in_mariadb_hold_nobody_up() {
    nobody_is_held_up(Place::server("mariadb", "CLOAKROOM_TEST_MARIADB_URL"), SOME, TRIES, &FAULTS).await;
}

#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures ten thousand sessions of one person: needs mariadb"]
async fn measure_ten_thousand_sessions_of_one_person_in_mariadb() {
    nobody_is_held_up(Place::server("mariadb", "CLOAKROOM_TEST_MARIADB_URL"), MANY, TRIES, &FAULTS).await;
}
