//! Servers that go and come back: no restart of the service is needed.

use std::time::{Duration, Instant};

use cloakroom_core::{Created, Deleted, Freshness, Replaced, Store as _, StoreErrorKind};
use cloakroom_memcached::MemcachedStore;
use cloakroom_testkit::outage::{BACK, Keeps, busy_service_recovers};
use xtask::server::MemcachedServer;

use crate::fake::{Act, Fake, TOLD};
use crate::sample;
use cloakroom_testkit::Clock;

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn first_request_after_an_outage_succeeds_and_finds_nothing() {
    let mut server = MemcachedServer::start().expect("a server");
    let store = MemcachedStore::connect(&server.url()).await.expect("a server");
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
        // Memcached keeps nothing: the session is over, and no late writer brings it back.
        let replaced = store.replace(&key, record.version, &sample::record()).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Missing);
        let time = clock.elapsed();
        println!("{round} failed requests, then an answer after {time:?}");
        assert!(time < BACK, "{time:?}");
        assert_eq!(store.load(&key, Freshness::Latest).await.expect("an answer"), None);
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    }
}

/// The connections of a whole crowd lie idle when the server goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn idle_connections_to_a_server_that_went_fail_nobody() {
    let mut server = MemcachedServer::start().expect("a server");
    let store = MemcachedStore::connect(&server.url()).await.expect("a server");
    let crowd = async || {
        let crowd: Vec<_> = (0..64)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.load(&sample::key(), Freshness::Latest).await })
            })
            .collect();
        for one in crowd {
            assert_eq!(one.await.expect("no panic").expect("an answer"), None);
        }
    };
    for _ in 0..3 {
        crowd().await;
        tokio::task::block_in_place(|| {
            server.kill9();
            server.restart().expect("the server again");
        });
        crowd().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn busy_service_recovers_by_itself() {
    let mut server = MemcachedServer::start().expect("a server");
    let store = MemcachedStore::connect(&server.url()).await.expect("a server");
    let restart = |server: &mut MemcachedServer| server.restart().expect("the server again");
    busy_service_recovers(&store, Keeps::Nothing, &mut server, MemcachedServer::kill9, restart).await;
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn lazy_store_waits_for_its_server() {
    let mut server = MemcachedServer::start().expect("a server");
    server.kill9();
    let store = MemcachedStore::connect_lazy(&server.url()).expect("a URL");
    for _ in 0..2 {
        let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("no server");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let error = store.create(&sample::key(), &sample::record()).await.expect_err("no server");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    server.restart().expect("the server");
    assert_eq!(store.load(&sample::key(), Freshness::Latest).await.expect("an answer"), None);
    let created = store.create(&sample::key(), &sample::record()).await;
    assert_eq!(created.expect("an answer"), Created::Created);
}

#[tokio::test]
async fn connection_that_broke_while_idle_leaves_nothing_in_doubt() {
    let fake = Fake::start(|heard| match heard.connection {
        0 => Act::Reset(heard.line("HD")),
        _ => heard.answer("NF"),
    })
    .await;
    let store = fake.store();
    let key = sample::key();
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    fake.ends_arrive(1).await;
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Missing);
}

/// A server that comes back may be another one: it is asked again what it takes.
#[tokio::test]
async fn server_is_asked_once_and_again_after_a_connection_ended() {
    let fake = Fake::start(|heard| match (heard.connection, heard.name()) {
        (0, "md") => Act::Reset(heard.line("HD")),
        (_, "ms") => heard.answer(&format!("HD c{}", heard.flag('E').expect("a number"))),
        _ => heard.answer("HD"),
    })
    .await;
    let store = fake.store();
    let create = async |store: &MemcachedStore| {
        let created = store.create(&sample::key(), &sample::record()).await;
        assert_eq!(created.expect("an answer"), Created::Created);
    };
    create(&store).await;
    create(&store).await;
    assert_eq!((fake.interviews(), fake.connections()), (1, 1));
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    // It is found at the next request.
    fake.ends_arrive(1).await;
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    create(&store).await;
    create(&store).await;
    assert_eq!((fake.interviews(), fake.connections()), (2, 2));
    // A crowd asks once.
    let other = fake.store();
    let _ = tokio::join!(create(&other), create(&other), create(&other), create(&other));
    assert_eq!(fake.interviews(), 3);
}

/// Clients that hang up early keep no writer from what the server tells of itself.
#[tokio::test]
async fn dropped_writes_learn_what_the_server_tells() {
    let told = Act::Drip(TOLD.into(), Duration::from_millis(1));
    let fake = Fake::start_telling(told, |heard| heard.answer("HD")).await;
    let store = fake.store();
    let start = Instant::now();
    let mut dropped = 0;
    loop {
        let (key, record) = (sample::key(), sample::record());
        match tokio::time::timeout(Duration::from_millis(20), store.create(&key, &record)).await {
            Err(_) => dropped += 1,
            Ok(created) => break assert_eq!(created.expect("an answer"), Created::Created),
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{dropped} writes dropped, none went through");
    }
    assert!(dropped > 0, "nothing was dropped");
    assert_eq!(fake.interviews(), 1);
}

/// A connection that we closed says nothing of the server.
#[tokio::test]
async fn dropped_verbs_make_nobody_ask_again() {
    let fake = Fake::start(|heard| match heard.name() {
        "mg" => Act::Silence,
        _ => heard.answer("HD"),
    })
    .await;
    let store = fake.store();
    for _ in 0..10 {
        let created = store.create(&sample::key(), &sample::record()).await;
        assert_eq!(created.expect("an answer"), Created::Created);
        let key = sample::key();
        let load = store.load(&key, Freshness::Latest);
        tokio::time::timeout(Duration::from_millis(5), load).await.expect_err("silence");
    }
    assert_eq!(fake.interviews(), 1);
}

/// The server goes while the connection to it lies idle for too long to be used again.
#[tokio::test]
async fn end_of_a_connection_is_noted_however_old_it_is() {
    let fake = Fake::start(|heard| match (heard.connection, heard.name()) {
        (0, "md") => Act::Reset(heard.line("HD")),
        _ => heard.answer("HD"),
    })
    .await;
    let store = fake.store();
    let create = async || {
        let created = store.create(&sample::key(), &sample::record()).await;
        assert_eq!(created.expect("an answer"), Created::Created);
    };
    create().await;
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    fake.ends_arrive(1).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    create().await;
    assert_eq!((fake.interviews(), fake.connections()), (2, 2));
}

#[test]
fn store_outlives_the_runtime_that_dialled() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let home = || {
        let builder = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        builder.expect("a runtime")
    };
    let served = home();
    let fake = served.block_on(Fake::start(|heard| heard.answer("HD")));
    let store = fake.store();
    for _ in 0..3 {
        let deleted = runtime().block_on(async {
            // More than one connection, so that some lie idle when the runtime ends.
            let key = sample::key();
            tokio::join!(store.delete(&key), store.delete(&key))
        });
        assert_eq!(deleted.0.expect("an answer"), Deleted::Deleted);
        assert_eq!(deleted.1.expect("an answer"), Deleted::Deleted);
    }
    // A runtime of several threads that the store was made in, and that ends before the store does.
    let first = home();
    let store = first.block_on(async { fake.store() });
    for _ in 0..2 {
        assert_eq!(runtime().block_on(store.delete(&sample::key())).expect("an answer"), Deleted::Deleted);
    }
    drop(first);
    for _ in 0..2 {
        assert_eq!(runtime().block_on(store.delete(&sample::key())).expect("an answer"), Deleted::Deleted);
    }
}
