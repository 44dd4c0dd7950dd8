//! Servers that go and come back: no restart of the service is needed.

use std::time::{Duration, Instant};

use cloakroom_core::{Created, Deleted, Freshness, Replaced, Store as _, StoreErrorKind};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::outage::{BACK, Keeps, busy_service_recovers};
use xtask::server::RedisServer;

use crate::fake::{Act, Fake, bulk, say};
use crate::sample;
use cloakroom_testkit::{Clock, until};

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn first_request_after_an_outage_succeeds() {
    let mut server = RedisServer::start().expect("a server");
    for url in [server.url(), server.unix_url()] {
        let store = RedisStore::connect(&url).await.expect("a server");
        for round in 0..5 {
            let (key, record) = (sample::key(), sample::record());
            assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
            server.kill9();
            for _ in 0..round {
                let clock = Clock::start();
                let error = store.load(&key, Freshness::Latest).await.expect_err("an outage");
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                assert!(clock.elapsed() < Duration::from_millis(200), "{clock:?}");
            }
            server.restart().expect("the server again");
            let clock = Clock::start();
            let found = store.load(&key, Freshness::Latest).await.expect("an answer");
            let time = clock.elapsed();
            println!("{round} failed requests, then an answer after {time:?}");
            assert!(time < BACK, "{time:?}");
            assert_eq!(found.map(|found| found.payload), Some(record.payload));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn busy_service_recovers_by_itself() {
    let mut server = RedisServer::start().expect("a server");
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    let restart = |server: &mut RedisServer| server.restart().expect("the server again");
    busy_service_recovers(&store, Keeps::Everything, &mut server, RedisServer::kill9, restart).await;
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn lazy_store_waits_for_its_server() {
    let mut server = RedisServer::start().expect("a server");
    server.kill9();
    let store = RedisStore::connect_lazy(&server.url()).expect("a URL");
    let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("no server");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    server.restart().expect("the server");
    assert_eq!(store.load(&sample::key(), Freshness::Latest).await.expect("an answer"), None);
}

/// A library that keeps the outcome of a failed dial would never come back from these.
#[tokio::test]
async fn server_that_was_full_or_loading_is_dialled_again() {
    for line in ["-ERR max number of clients reached", "-LOADING Redis is loading the dataset in memory"] {
        let fake = Fake::start_rude(move |heard| match (heard.connection, heard.name()) {
            (0, _) => say(line),
            (_, "HELLO") => say("%1\r\n+server\r\n+redis"),
            (_, "INFO") => Act::Reply(bulk(b"role:master\r\n")),
            _ => say(":1"),
        })
        .await;
        let store = fake.store();
        let error = store.delete(&sample::key()).await.expect_err("no room");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{line}");
        assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    }
}

/// Whoever comes while a dial is under way cannot know whether it began before the server was back.
#[tokio::test]
async fn failure_of_a_dial_of_others_is_no_answer() {
    let fake = Fake::start_rude(|heard| match (heard.connection, heard.name()) {
        (0, _) => say("-ERR max number of clients reached"),
        (_, "HELLO") => say("%1\r\n+server\r\n+redis"),
        (_, "INFO") => Act::Reply(bulk(b"role:master\r\n")),
        _ => say(":1"),
    })
    .await;
    let store = fake.store();
    let key = sample::key();
    let (first, second) = tokio::join!(store.delete(&key), store.delete(&key));
    assert_eq!(first.expect_err("no room").kind(), StoreErrorKind::Unavailable);
    assert_eq!(second.expect("an answer"), Deleted::Deleted);
}

#[tokio::test]
async fn outage_is_not_hammered() {
    let fake = Fake::start_rude(|_| say("-ERR max number of clients reached")).await;
    let store = fake.store();
    let (start, clock) = (Instant::now(), Clock::start());
    let crowd: Vec<_> = (0..200)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.delete(&sample::key()).await.is_err() })
        })
        .collect();
    for one in crowd {
        assert!(one.await.expect("no panic"));
    }
    // However long the machine takes, twenty times a second at most.
    let most =
        |start: Instant| 1 + usize::try_from(start.elapsed().as_millis() / 50).expect("a small number");
    let dials = fake.connections();
    assert!(dials <= most(start), "{dials} in {:?}", start.elapsed());
    assert!(clock.elapsed() < Duration::from_millis(300), "{clock:?}");

    let (start, before) = (Instant::now(), fake.connections());
    let dials = || fake.connections() - before;
    while start.elapsed() < Duration::from_millis(400) || dials() < 2 {
        assert!(start.elapsed() < Duration::from_secs(20), "{} dials", dials());
        assert!(store.delete(&sample::key()).await.is_err());
    }
    assert!(dials() <= most(start), "{} in {:?}", dials(), start.elapsed());
}

#[tokio::test]
async fn connection_that_broke_while_idle_leaves_nothing_in_doubt() {
    let fake = Fake::start(|heard| match heard.connection {
        0 => Act::Farewell(bulk(b"missing")),
        _ => Act::Reply(bulk(b"conflict")),
    })
    .await;
    let store = fake.store();
    let replace = async || store.replace(&sample::key(), sample::version(), &sample::record()).await;
    assert_eq!(replace().await.expect("an answer"), Replaced::Missing);
    while !format!("{store:?}").contains("not connected") {
        tokio::task::yield_now().await;
    }
    assert_eq!(replace().await.expect("an answer"), Replaced::Conflict);
}

#[tokio::test]
async fn refused_password_is_not_tried_over_and_over() {
    let fake =
        Fake::start_rude(|_| say("-WRONGPASS invalid username-password pair or user is disabled.")).await;
    let store = fake.store();
    for _ in 0..100 {
        let error = store.delete(&sample::key()).await.expect_err("a refusal");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    }
    assert_eq!(fake.connections(), 1);
}

#[test]
fn store_outlives_the_runtime_that_dialled() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let served = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let fake = served.block_on(Fake::start(|_| say(":1")));
    let store = fake.store();
    for _ in 0..3 {
        let deleted = runtime().block_on(store.delete(&sample::key()));
        assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
    }
    // A runtime that ends while its dial is under way leaves nobody waiting.
    let slow = served.block_on(Fake::start_rude(|_| Act::Silence));
    let store = slow.store();
    let first = runtime();
    first.block_on(async {
        let key = sample::key();
        tokio::select! {
            deleted = store.delete(&key) => panic!("{deleted:?}"),
            () = until(|| slow.connections() == 1) => {}
        }
    });
    drop(first);
    runtime().block_on(async {
        let clock = Clock::start();
        assert!(store.delete(&sample::key()).await.is_err());
        assert!(clock.elapsed() < Duration::from_secs(2), "{clock:?}");
    });
    assert_eq!(slow.connections(), 2);
}
