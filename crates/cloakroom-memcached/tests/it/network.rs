//! Bad networks and frozen servers: every verb ends in time, and the store finds its way back.

use std::time::Duration;

use cloakroom_core::{Created, Deleted, Freshness, Record, Store as _, StoreErrorKind, StoreKey};
use cloakroom_memcached::MemcachedStore;
use cloakroom_testkit::network::{self, GRACE, every_verb};
use cloakroom_testkit::{Network, Proxy};
use xtask::server::MemcachedServer;

use crate::fake::{Act, Fake, TOLD};
use crate::sample::{self, MINUTE};
use cloakroom_testkit::Clock;

/// Long enough for a dial and a verb on a slow machine: what is to be answered is answered in it.
const TIMEOUT: Duration = Duration::from_secs(1);

fn store(url: &str) -> MemcachedStore {
    MemcachedStore::builder(url).with_timeout(TIMEOUT).connect_lazy().expect("a URL")
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn frozen_connections_are_not_used_again() {
    let server = MemcachedServer::start().expect("a server");
    let proxy = Proxy::before_port(server.port()).await.expect("a proxy");
    let (store, key) = (store(&proxy.url("memcache")), sample::key());
    let crowd = || async {
        let answers = (0..4).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.load(&key, Freshness::Latest).await })
        });
        let mut failed = 0;
        for answer in answers.collect::<Vec<_>>() {
            match answer.await.expect("no panic") {
                Ok(found) => assert_eq!(found, None),
                Err(error) => {
                    assert_eq!(error.kind(), StoreErrorKind::Timeout);
                    failed += 1;
                }
            }
        }
        failed
    };
    assert_eq!(crowd().await, 0);
    assert!(proxy.seen().connections() > 1, "{}", proxy.seen().connections());
    proxy.set(Network::FreezeOlder);
    // One timeout, and the idle connections beside it are closed as well.
    let error = store.load(&key, Freshness::Latest).await.expect_err("a timeout");
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert_eq!(crowd().await, 0);
}

/// The reply to a request that timed out goes to nobody.
#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn late_replies_answer_nobody() {
    let server = MemcachedServer::start().expect("a server");
    let patient = MemcachedStore::connect(&server.url()).await.expect("a server");
    let hasty = MemcachedStore::builder(&server.url()).with_timeout(Duration::from_millis(50));
    let store = hasty.connect().await.expect("a server");
    let keys: Vec<StoreKey> = (0..32).map(|_| sample::key()).collect();
    let owned = |number: usize| format!("of {number}").into_bytes();
    for (number, key) in keys.iter().enumerate() {
        let record = Record::new(owned(number), sample::version(), MINUTE);
        assert_eq!(patient.create(key, &record).await.expect("an answer"), Created::Created);
    }
    for round in 0..5 {
        server.stop().expect("a frozen server");
        let waiting: Vec<_> = keys
            .iter()
            .map(|key| {
                let (store, key) = (store.clone(), *key);
                tokio::spawn(async move { store.load(&key, Freshness::Latest).await.is_err() })
            })
            .collect();
        for one in waiting {
            assert!(one.await.expect("no panic"));
        }
        server.cont().expect("a running server");
        for (number, key) in keys.iter().enumerate() {
            // The server first works off what it was asked while it was frozen.
            let found = loop {
                match store.load(key, Freshness::Latest).await {
                    Ok(found) => break found.expect("a record"),
                    Err(error) => assert!(error.is_transient(), "{error:?}"),
                }
            };
            assert_eq!(found.payload, owned(number), "round {round}");
        }
    }
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn frozen_server_keeps_nobody_past_the_deadline() {
    let server = MemcachedServer::start().expect("a server");
    let (freeze, thaw) = (|| server.stop().expect("frozen"), || server.cont().expect("running"));
    let expected = &[StoreErrorKind::Timeout];
    network::frozen_server_keeps_nobody(&store(&server.url()), TIMEOUT, expected, freeze, thaw).await;
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn crowd_at_a_frozen_server_leaves_in_time_and_comes_back() {
    let server = MemcachedServer::start().expect("a server");
    let (freeze, thaw) = (|| server.stop().expect("frozen"), || server.cont().expect("running"));
    let before = server.stats().expect("a count")["total_connections"];
    network::crowd_at_a_frozen_server_leaves_in_time(&store(&server.url()), TIMEOUT, freeze, thaw).await;
    let dials = server.stats().expect("a count")["total_connections"] - before;
    println!("{dials} connections for 500 requests");
    assert!(dials < 80, "{dials} connections");
}

/// A reply that comes byte by byte is waited for until the deadline, and no longer.
#[tokio::test]
async fn dripping_server_keeps_nobody_past_the_deadline() {
    let fake = Fake::start(|heard| {
        let line = if heard.name() == "mg" { "EN" } else { "HD" };
        Act::Drip(heard.line(line), TIMEOUT / 4)
    })
    .await;
    let store = store(&fake.url());
    for (late, error) in every_verb(&store, &sample::key(), TIMEOUT).await {
        assert_eq!(error, Some(StoreErrorKind::Timeout));
        assert!(late <= GRACE, "{late:?}");
    }
    // Half a reply is left on each of these connections, and none is used again.
    assert_eq!(fake.connections(), 5);
    let fake = Fake::start_telling(Act::Drip(TOLD.into(), TIMEOUT / 4), |_| Act::Silence).await;
    let clock = Clock::start();
    let builder = MemcachedStore::builder(&fake.url()).with_connect_timeout(TIMEOUT);
    builder.connect().await.expect_err("a drip");
    assert!(clock.elapsed() <= TIMEOUT + GRACE, "{clock:?}");
}

/// What waits for a connection in vain has not been sent.
#[tokio::test]
async fn request_without_a_connection_took_no_effect() {
    let fake = Fake::start(|_| Act::Silence).await;
    let builder = MemcachedStore::builder(&fake.url()).with_max_connections(1).with_timeout(TIMEOUT);
    let store = builder.with_connect_timeout(TIMEOUT / 3).connect_lazy().expect("a URL");
    let (key, clock) = (sample::key(), Clock::start());
    let (first, second) = tokio::join!(store.delete(&key), async {
        let error = store.delete(&key).await.expect_err("no connection");
        (error, clock.elapsed())
    });
    assert_eq!(first.expect_err("silence").kind(), StoreErrorKind::Timeout);
    assert_eq!(second.0.kind(), StoreErrorKind::Unavailable);
    assert!(second.1 < TIMEOUT, "{:?}", second.1);
    assert_eq!(fake.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowd_keeps_to_the_connections_that_it_may_have() {
    let fake = Fake::start(|heard| heard.answer("HD")).await;
    let store = MemcachedStore::builder(&fake.url()).with_max_connections(3).connect_lazy().expect("a URL");
    let crowd: Vec<_> = (0..200)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.delete(&sample::key()).await })
        })
        .collect();
    for one in crowd {
        assert_eq!(one.await.expect("no panic").expect("an answer"), Deleted::Deleted);
    }
    assert!(fake.connections() <= 3, "{}", fake.connections());
}

#[tokio::test]
async fn silent_server_fails_the_start_in_time() {
    let fake = Fake::start_telling(Act::Silence, |_| Act::Silence).await;
    let clock = Clock::start();
    let builder = MemcachedStore::builder(&fake.url()).with_connect_timeout(TIMEOUT);
    let error = builder.connect().await.expect_err("silence");
    assert_eq!(error.kind(), cloakroom_core::ErrorKind::Unavailable);
    assert!(clock.elapsed() <= TIMEOUT + GRACE, "{clock:?}");
}

#[test]
#[ignore = "needs memcached: run `cargo xtask test`"]
fn busy_worker_does_not_hold_up_the_others() {
    let server = MemcachedServer::start().expect("a server");
    let connect = async { MemcachedStore::connect(&server.url()).await.expect("a server") };
    network::busy_worker_does_not_hold_up_the_others(connect, || ());
}

/// The runtime of the connections has no thread to spare, and for long.
#[test]
fn busy_home_keeps_nobody_past_the_deadline() {
    let served = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let served = served.expect("a runtime");
    let fake = served.block_on(Fake::start(|heard| heard.answer("HD")));
    let home = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let home = home.expect("a runtime");
    let store = home.block_on(async { store(&fake.url()) });
    let ((tell, told), (release, released)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    home.spawn(async move {
        tell.send(()).expect("a listener");
        let _ = released.recv();
    });
    told.recv().expect("a busy thread");
    let worker = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (key, record) = (sample::key(), sample::record());
    worker.block_on(async {
        let clock = Clock::start();
        let deleted = tokio::time::timeout(TIMEOUT * 10, store.delete(&key)).await.expect("an end");
        assert_eq!(deleted.expect_err("nobody at home").kind(), StoreErrorKind::Timeout);
        let created = tokio::time::timeout(TIMEOUT * 10, store.create(&key, &record)).await.expect("an end");
        assert_eq!(created.expect_err("nobody at home").kind(), StoreErrorKind::Unavailable);
        assert!(clock.elapsed() < TIMEOUT * 5, "{clock:?}");
    });
    drop(release);
    assert_eq!(worker.block_on(store.delete(&key)).expect("an answer"), Deleted::Deleted);
}
