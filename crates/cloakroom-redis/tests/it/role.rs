//! Servers that are replicas, and primaries that become one behind an address that stays.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Instant;

use cloakroom_core::{Deleted, ErrorKind, Freshness, Store as _, StoreErrorKind, StoreKey};
use cloakroom_redis::RedisStore;
use xtask::server::RedisServer;

use crate::fake::{Fake, say};
use crate::sample::{self, MINUTE};

fn replica_of(primary: &RedisServer, more: &[&str]) -> RedisServer {
    let port = primary.port().to_string();
    let builder = RedisServer::builder().with_arguments(["--replicaof", "127.0.0.1", &port]);
    builder.with_arguments(more.iter().copied()).start().expect("a server")
}

/// As Sentinel does it, and whoever moves the address.
fn replace(server: &RedisServer) {
    assert_eq!(server.cli(&["REPLICAOF", "127.0.0.1", "1"]).expect("REPLICAOF"), "OK");
}

fn promote(server: &RedisServer) {
    assert_eq!(server.cli(&["REPLICAOF", "NO", "ONE"]).expect("REPLICAOF"), "OK");
}

/// A store with a record, whose connections are all made.
async fn with_a_record(server: &RedisServer, wait: u8) -> (RedisStore, StoreKey) {
    let builder = RedisStore::builder(&server.url()).with_wait(wait);
    let (store, key) = (builder.connect().await.expect("a server"), sample::key());
    // Whether a replica has it does not matter here.
    let _ = store.create(&key, &sample::record()).await;
    assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    (store, key)
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn replica_is_refused_at_the_start() {
    let primary = RedisServer::start().expect("a server");
    let replica = replica_of(&primary, &[]);
    let error = RedisStore::connect(&replica.url()).await.expect_err("a replica");
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("connect to the primary"), "{error}");
    // Nor is it read from later.
    let store = RedisStore::connect_lazy(&replica.url()).expect("a URL");
    let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("a replica");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

/// It would acknowledge a logout, and forget it when it next hears all from its primary.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn replica_that_takes_writes_is_refused_like_any() {
    let primary = RedisServer::start().expect("a server");
    let replica = replica_of(&primary, &["--replica-read-only", "no"]);
    let error = RedisStore::connect(&replica.url()).await.expect_err("a replica");
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("connect to the primary"), "{error}");
    let store = RedisStore::connect_lazy(&replica.url()).expect("a URL");
    let error = store.create(&sample::key(), &sample::record()).await.expect_err("a replica");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

/// Behind an address that moves, this is how a failover looks until it has moved.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn primary_that_was_replaced_is_an_outage_and_may_come_back() {
    let server = RedisServer::start().expect("a server");
    for wait in [0, 1] {
        let (store, key) = with_a_record(&server, wait).await;
        replace(&server);
        let record = sample::record();
        for _ in 0..3 {
            let error = store.create(&sample::key(), &record).await.expect_err("a replica");
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            let error = store.replace(&key, record.version, &sample::record()).await.expect_err("a replica");
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            let error = store.touch(&key, record.version, MINUTE * 2).await.expect_err("a replica");
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            let error = store.delete(&key).await.expect_err("a replica");
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            // Nobody reads from it either, once it has refused a write.
            let error = store.load(&key, Freshness::Latest).await.expect_err("a replica");
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        }
        promote(&server);
        let start = Instant::now();
        while let Err(error) = store.load(&key, Freshness::Latest).await {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            assert!(start.elapsed() < MINUTE, "{error:?}");
        }
    }
}

/// Sentinel ends the connections of a server that it makes a replica. What that one has may be old.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn primary_that_was_replaced_is_not_read_on_a_new_connection() {
    let server = RedisServer::start().expect("a server");
    let (store, key) = with_a_record(&server, 0).await;
    replace(&server);
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).expect("an answer");
    for _ in 0..3 {
        let error = store.load(&key, Freshness::Latest).await.expect_err("a replica");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    }
    promote(&server);
    let start = Instant::now();
    while store.load(&key, Freshness::Latest).await.is_err() {
        assert!(start.elapsed() < MINUTE);
    }
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
}

/// A primary that becomes a replica between two connections, which both meet it.
#[tokio::test]
async fn server_that_refuses_twice_was_replaced_or_is_the_wrong_one() {
    const REFUSAL: &str = "-READONLY You can't write against a read only replica.";
    for (role, kind) in [
        (say("$13\r\nrole:master\r\n"), StoreErrorKind::Unavailable),
        // One that does not say what it is.
        (say("-NOPERM no right"), StoreErrorKind::Misconfigured),
    ] {
        let fake = Fake::start_rude(move |heard| match heard.name() {
            "HELLO" => say("%1\r\n+server\r\n+redis"),
            "INFO" => role.clone(),
            "WAIT" => say(":0"),
            _ => say(REFUSAL),
        })
        .await;
        for wait in [0, 1] {
            let store = RedisStore::builder(&fake.url()).with_wait(wait).connect_lazy().expect("a URL");
            for _ in 0..3 {
                let error = store.delete(&sample::key()).await.expect_err("a refusal");
                assert_eq!(error.kind(), kind, "wait={wait}");
            }
        }
    }
}

/// The reply lies there long before whoever asked gets round to it.
#[tokio::test]
async fn refusal_that_is_learnt_late_ends_no_newer_connection() {
    let asked = AtomicUsize::new(0);
    let fake = Fake::start(move |heard| match (heard.connection, asked.fetch_add(1, Ordering::SeqCst)) {
        (0, 1..) => say("-READONLY You can't write against a read only replica."),
        _ => say(":1"),
    })
    .await;
    let (store, key) = (fake.store(), sample::key());
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    let mut late = pin!(store.delete(&key));
    assert!(late.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    for _ in 0..2 {
        assert_eq!(store.delete(&key).await.expect("the new primary"), Deleted::Deleted);
    }
    assert_eq!(fake.connections(), 2);
    assert_eq!(late.await.expect("the new primary"), Deleted::Deleted);
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    assert_eq!(fake.connections(), 2);
}
