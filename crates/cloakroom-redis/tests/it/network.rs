//! Bad networks and frozen servers: every verb ends in time, and the store finds its way back.

use std::time::{Duration, Instant};

use cloakroom_core::{Deleted, Freshness, Store as _, StoreErrorKind};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::network::{self, GRACE};
use cloakroom_testkit::{Network, Proxy};
use xtask::server::RedisServer;

use crate::fake::{Act, Fake, say};
use crate::sample;
use cloakroom_testkit::Clock;

const TIMEOUT: Duration = Duration::from_secs(1);

fn store(url: &str) -> RedisStore {
    RedisStore::builder(url).with_timeout(TIMEOUT).connect_lazy().expect("a URL")
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn frozen_connection_is_replaced_after_three_timeouts() {
    let server = RedisServer::start().expect("a server");
    let proxy = Proxy::before_port(server.port()).await.expect("a proxy");
    let (store, key) = (store(&proxy.url("redis")), sample::key());
    assert_eq!(store.load(&key, Freshness::Latest).await.expect("an answer"), None);
    proxy.set(Network::FreezeOlder);
    for _ in 0..3 {
        let error = store.load(&key, Freshness::Latest).await.expect_err("a timeout");
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
    }
    assert_eq!(store.load(&key, Freshness::Latest).await.expect("an answer"), None);
    assert_eq!(proxy.seen().connections(), 2);
}

/// Browsers hang up sooner than our deadline.
#[tokio::test]
async fn dropped_requests_tell_that_a_connection_is_frozen() {
    let fake = Fake::start(|_| say(":1")).await;
    let proxy = Proxy::before_port(fake.port()).await.expect("a proxy");
    let store = RedisStore::connect_lazy(&proxy.url("redis")).expect("a URL");
    let key = sample::key();
    let deleted = || tokio::time::timeout(TIMEOUT, store.delete(&key));
    assert!(deleted().await.is_ok());
    proxy.set(Network::FreezeOlder);
    for _ in 0..3 {
        assert!(deleted().await.is_err());
    }
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    assert_eq!(proxy.seen().connections(), 2);
}

#[tokio::test]
async fn answer_in_between_keeps_the_connection() {
    let fake = Fake::start(|_| say(":1")).await;
    let proxy = Proxy::before_port(fake.port()).await.expect("a proxy");
    let store = store(&proxy.url("redis"));
    for _ in 0..3 {
        assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
        proxy.set(Network::FreezeOlder);
        for _ in 0..2 {
            let error = store.delete(&sample::key()).await.expect_err("a timeout");
            assert_eq!(error.kind(), StoreErrorKind::Timeout);
        }
        proxy.set(Network::Pass);
    }
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    assert_eq!(proxy.seen().connections(), 1);
}

/// A new connection would be as late, and one more thing for the server to do.
#[tokio::test]
async fn server_that_answers_late_keeps_its_connection() {
    const LATE: Duration = Duration::from_millis(80);
    let fake = Fake::start(|_| Act::Late(LATE, b":1\r\n".to_vec())).await;
    let store = RedisStore::builder(&fake.url()).with_timeout(LATE / 2).connect_lazy().expect("a URL");
    for _ in 0..20 {
        let error = store.delete(&sample::key()).await.expect_err("a timeout");
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
    }
    assert_eq!(fake.connections(), 1);
}

/// Who waited for the connection has no time left for an answer, which says nothing about it.
#[tokio::test]
async fn crowd_that_waited_for_a_slow_dial_keeps_the_connection() {
    let fake = Fake::start_rude(|heard| match heard.name() {
        "HELLO" => Act::Late(Duration::from_millis(300), b"%1\r\n+server\r\n+redis\r\n".to_vec()),
        "INFO" => say("-NOPERM no right"),
        _ => Act::Late(Duration::from_millis(100), b":1\r\n".to_vec()),
    })
    .await;
    let store = RedisStore::builder(&fake.url())
        .with_timeout(Duration::from_millis(350))
        .connect_lazy()
        .expect("a URL");
    let key = sample::key();
    let crowd = futures_util::future::join_all((0..5).map(|_| store.delete(&key))).await;
    assert!(crowd.iter().all(Result::is_err), "{crowd:?}");
    assert_eq!(store.delete(&key).await.expect_err("five others are first").kind(), StoreErrorKind::Timeout);
    assert_eq!(fake.connections(), 1);
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn frozen_server_keeps_nobody_past_the_deadline() {
    let server = RedisServer::start().expect("a server");
    let (freeze, thaw) = (|| server.stop().expect("frozen"), || server.cont().expect("running"));
    // The first three wait for replies, the later ones for a greeting.
    let expected = &[StoreErrorKind::Timeout, StoreErrorKind::Unavailable];
    network::frozen_server_keeps_nobody(&store(&server.url()), TIMEOUT, expected, freeze, thaw).await;
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn crowd_at_a_frozen_server_leaves_in_time_and_comes_back() {
    let server = RedisServer::start().expect("a server");
    let (freeze, thaw) = (|| server.stop().expect("frozen"), || server.cont().expect("running"));
    network::crowd_at_a_frozen_server_leaves_in_time(&store(&server.url()), TIMEOUT, freeze, thaw).await;
}

/// What is asked of a new connection has one deadline, and not each question its own.
#[tokio::test]
async fn slow_server_fails_the_start_in_time() {
    let fake = Fake::start_rude(|heard| match heard.name() {
        "HELLO" => Act::Late(TIMEOUT * 3 / 4, b"%1\r\n+server\r\n+redis\r\n".to_vec()),
        "INFO" => Act::Late(TIMEOUT * 3 / 4, b"$13\r\nrole:master\r\n\r\n".to_vec()),
        _ => say("+PONG"),
    })
    .await;
    // The verb would wait for longer.
    let store = RedisStore::builder(&fake.url())
        .with_connect_timeout(TIMEOUT)
        .with_timeout(TIMEOUT * 5)
        .connect_lazy()
        .expect("a URL");
    let clock = Clock::start();
    let error = store.delete(&sample::key()).await.expect_err("a slow greeting");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(clock.elapsed() <= TIMEOUT + GRACE, "{clock:?}");
}

#[tokio::test]
async fn silent_server_fails_the_start_in_time() {
    let fake = Fake::start_rude(|_| Act::Silence).await;
    let clock = Clock::start();
    let builder = RedisStore::builder(&fake.url()).with_connect_timeout(TIMEOUT);
    let error = builder.connect().await.expect_err("silence");
    assert_eq!(error.kind(), cloakroom_core::ErrorKind::Unavailable);
    assert!(clock.elapsed() <= TIMEOUT + GRACE, "{clock:?}");
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
    let (dials, most) = (dialled() - before, 5 + start.elapsed().as_millis() / 50);
    println!("{requests} requests, {dials} dials");
    assert!(u128::from(dials) <= most, "{dials} dials, and {most} at most");
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn busy_worker_does_not_hold_up_the_others() {
    let server = RedisServer::start().expect("a server");
    let connect = async { RedisStore::connect(&server.url()).await.expect("a server") };
    network::busy_worker_does_not_hold_up_the_others(connect, || {
        // The connection breaks once, as connections do, and a worker is the first to miss it.
        let kill = server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        kill.expect("a broken connection");
    });
}
