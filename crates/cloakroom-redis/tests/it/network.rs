//! Bad networks and frozen servers: every verb ends in time, and the store finds its way back.

use std::time::{Duration, Instant};

use cloakroom_core::{Deleted, Freshness, Store as _, StoreErrorKind, StoreKey};
use cloakroom_redis::RedisStore;
use xtask::server::RedisServer;

use crate::fake::{Act, Fake, say};
use crate::proxy::Proxy;
use crate::sample::{self, MINUTE};

const TIMEOUT: Duration = Duration::from_millis(300);
const GRACE: Duration = Duration::from_millis(50);

fn store(url: &str) -> RedisStore {
    RedisStore::builder(url).with_timeout(TIMEOUT).connect_lazy().expect("a URL")
}

/// Every verb once, each with the kind of its error and by how much it missed the deadline. A timer that runs
/// beside it takes the slowness of the machine out.
async fn every_verb(store: &RedisStore, key: &StoreKey) -> Vec<(Duration, Option<StoreErrorKind>)> {
    let record = sample::record();
    let mut ends = Vec::new();
    for verb in 0..5 {
        let start = Instant::now();
        let timer = async {
            tokio::time::sleep(TIMEOUT).await;
            start.elapsed()
        };
        let verb = async {
            let error = match verb {
                0 => store.load(key, Freshness::Latest).await.err(),
                1 => store.create(key, &record).await.err(),
                2 => store.replace(key, sample::version(), &record).await.err(),
                3 => store.touch(key, record.version, MINUTE).await.err(),
                _ => store.delete(key).await.err(),
            };
            (start.elapsed(), error)
        };
        let (rung, (end, error)) = tokio::join!(timer, verb);
        ends.push((end.saturating_sub(rung), error.map(|error| error.kind())));
    }
    ends
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn frozen_connection_is_replaced_after_three_timeouts() {
    let server = RedisServer::start().expect("a server");
    let proxy = Proxy::start(server.port()).await;
    let (store, key) = (store(&proxy.url()), sample::key());
    assert_eq!(store.load(&key, Freshness::Latest).await.expect("an answer"), None);
    proxy.freeze();
    for _ in 0..3 {
        let error = store.load(&key, Freshness::Latest).await.expect_err("a timeout");
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
    }
    assert_eq!(store.load(&key, Freshness::Latest).await.expect("an answer"), None);
    assert_eq!(proxy.connections(), 2);
}

/// Browsers hang up sooner than our deadline.
#[tokio::test]
async fn dropped_requests_tell_that_a_connection_is_frozen() {
    let fake = Fake::start(|_| say(":1")).await;
    let proxy = Proxy::start(fake.port()).await;
    let store = RedisStore::connect_lazy(&proxy.url()).expect("a URL");
    let key = sample::key();
    let deleted = || tokio::time::timeout(TIMEOUT, store.delete(&key));
    assert!(deleted().await.is_ok());
    proxy.freeze();
    for _ in 0..3 {
        assert!(deleted().await.is_err());
    }
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn answer_in_between_keeps_the_connection() {
    let fake = Fake::start(|_| say(":1")).await;
    let proxy = Proxy::start(fake.port()).await;
    let store = store(&proxy.url());
    for _ in 0..3 {
        assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
        proxy.freeze();
        for _ in 0..2 {
            let error = store.delete(&sample::key()).await.expect_err("a timeout");
            assert_eq!(error.kind(), StoreErrorKind::Timeout);
        }
        proxy.thaw();
    }
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn frozen_server_keeps_nobody_past_the_deadline() {
    let server = RedisServer::start().expect("a server");
    let (store, key) = (store(&server.url()), sample::key());
    every_verb(&store, &key).await;
    server.stop().expect("a frozen server");
    // The first three wait for replies, the later ones for a greeting.
    for (late, error) in every_verb(&store, &key).await {
        let expected = matches!(error, Some(StoreErrorKind::Timeout | StoreErrorKind::Unavailable));
        assert!(expected, "{error:?}");
        println!("{error:?} {late:?} after the deadline");
        assert!(late <= GRACE, "{late:?}");
    }
    server.cont().expect("a running server");
    let start = Instant::now();
    while let Err(error) = store.load(&key, Freshness::Latest).await {
        assert!(start.elapsed() < Duration::from_millis(500), "{error:?}");
    }
    println!("an answer {:?} after the server went on", start.elapsed());
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn crowd_at_a_frozen_server_leaves_in_time_and_comes_back() {
    let server = RedisServer::start().expect("a server");
    let store = store(&server.url());
    store.load(&sample::key(), Freshness::Latest).await.expect("an answer");
    server.stop().expect("a frozen server");
    let start = Instant::now();
    let crowd: Vec<_> = (0..500)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.create(&sample::key(), &sample::record()).await.is_err() })
        })
        .collect();
    for one in crowd {
        assert!(one.await.expect("no panic"));
    }
    assert!(start.elapsed() <= TIMEOUT + GRACE * 4, "{:?}", start.elapsed());
    server.cont().expect("a running server");
    store.load(&sample::key(), Freshness::Latest).await.expect("an answer");
}

#[tokio::test]
async fn silent_server_fails_the_start_in_time() {
    let fake = Fake::start_rude(|_| Act::Silence).await;
    let start = Instant::now();
    let builder = RedisStore::builder(&fake.url()).with_connect_timeout(TIMEOUT);
    let error = builder.connect().await.expect_err("silence");
    assert_eq!(error.kind(), cloakroom_core::ErrorKind::Unavailable);
    assert!(start.elapsed() <= TIMEOUT + GRACE, "{:?}", start.elapsed());
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn demoted_server_is_not_dialled_without_end() {
    let server = RedisServer::start().expect("a server");
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]).expect("a replica");
    let dialled = || {
        let stats = server.cli(&["INFO", "stats"]).expect("figures");
        let count = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        count.expect("a count").trim().parse::<u32>().expect("a number")
    };
    let before = dialled();
    let start = Instant::now();
    let mut requests = 0;
    while start.elapsed() < Duration::from_secs(1) {
        store.create(&sample::key(), &sample::record()).await.expect_err("a replica takes no write");
        requests += 1;
    }
    let dials = dialled() - before;
    println!("{requests} requests, {dials} dials");
    assert!(dials < 25, "{dials} dials");
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn busy_worker_does_not_hold_up_the_others() {
    let server = RedisServer::start().expect("a server");
    let home = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let home = home.expect("a runtime");
    let worker = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let store = home.block_on(RedisStore::connect(&server.url())).expect("a server");
    // The connection breaks once, as connections do, and a worker is the first to miss it.
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).expect("a broken connection");
    let (one, (tell, told), (release, released)) =
        (store.clone(), std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let busy = std::thread::spawn(move || {
        worker().block_on(async {
            one.load(&sample::key(), Freshness::Latest).await.expect("an answer");
            tell.send(()).expect("a listener");
            // A handler that computes: its thread polls nothing else.
            let _ = released.recv();
        });
    });
    told.recv().expect("a worker");
    let answer = worker().block_on(store.load(&sample::key(), Freshness::Latest));
    drop(release);
    busy.join().expect("a worker");
    assert_eq!(answer.expect("an answer"), None);
}
