//! What the server allows: the rights that the documentation names, no memory left, a replica.

use std::time::Duration;

use cloakroom_core::{
    Admitted, Created, Deleted, ErrorKind, Freshness, PrincipalIndex as _, Replaced, Store as _,
    StoreErrorKind, Touched,
};
use cloakroom_redis::RedisStore;
use xtask::server::{ClusterFleet, RedisServer, SentinelFleet};

use crate::index;
use crate::sample::{self, MINUTE};

/// The command that the documentation gives for this user.
fn documented(user: &str) -> Vec<&'static str> {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once(&format!("ACL SETUSER {user} ")).expect("the rights");
    let (rights, _) = rest.split_once("```").expect("the end of the rights");
    let rights = rights.split("ACL SETUSER").next().expect("the first of them");
    let user = if user == "shop" { "shop" } else { "watch" };
    ["ACL", "SETUSER", user].into_iter().chain(rights.split_whitespace()).collect()
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn documented_rights_are_enough() {
    let server = RedisServer::start().expect("a server");
    assert_eq!(server.cli(&documented("shop")).expect("a user"), "OK");
    let url = server.url().replace("redis://", "redis://shop:s3cret@") + "2?prefix=shop";
    every_verb(&url).await;
}

/// No verb names it, and none goes without.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn missing_right_to_echo_is_told() {
    let server = RedisServer::start().expect("a server");
    assert_eq!(server.cli(&documented("shop")).expect("a user"), "OK");
    assert_eq!(server.cli(&["ACL", "SETUSER", "shop", "-echo"]).expect("a user"), "OK");
    for database in [0, 2] {
        let url =
            format!("{}{database}?prefix=shop", server.url().replace("redis://", "redis://shop:s3cret@"));
        let error = RedisStore::connect(&url).await.expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.to_string().contains("the user lacks a right"), "{error}");
        let store = RedisStore::connect_lazy(&url).expect("a URL");
        let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("a refusal");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    }
}

#[tokio::test]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn documented_rights_are_enough_under_sentinels() {
    let fleet = SentinelFleet::start().expect("a fleet");
    for server in fleet.servers() {
        assert_eq!(server.cli(&documented("shop")).expect("a user"), "OK");
    }
    for sentinel in fleet.sentinels() {
        assert_eq!(sentinel.cli(&documented("watch")).expect("a user"), "OK");
    }
    let url = fleet.url().replace("://", "://shop:s3cret@");
    let url = format!("{url}/2?prefix=shop&wait=1&sentinel_user=watch&sentinel_pass=s3cret");
    let listening = RedisStore::connect(&url).await.expect("a primary");
    every_verb(&url).await;
    let clients = fleet.sentinels()[0].cli(&["CLIENT", "LIST"]).expect("the clients");
    assert!(clients.lines().any(|line| line.contains("user=watch") && line.contains("sub=1")), "{clients}");
    drop(listening);
    for sentinel in fleet.sentinels() {
        // Not one refusal, of what is asked or of what is listened to.
        assert_eq!(sentinel.cli(&["ACL", "LOG"]).expect("a log"), "");
    }
    for (right, wrong, advice) in [
        ("sentinel_pass=s3cret", "sentinel_pass=s3cret0", "the user or the password"),
        ("shop:s3cret@", "shop:s3cret0@", "the user or the password"),
        ("/main/", "/other/", "no service"),
    ] {
        let error = RedisStore::connect(&url.replace(right, wrong)).await.expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{wrong}");
        assert!(error.to_string().contains(advice) && !format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn documented_rights_are_enough_in_a_cluster() {
    let fleet = ClusterFleet::start().expect("a cluster");
    for server in fleet.servers() {
        assert_eq!(server.cli(&documented("shop")).expect("a user"), "OK");
    }
    let url = fleet.url().replace("://", "://shop:s3cret@") + "?prefix=shop&wait=1";
    for _ in 0..10 {
        every_verb(&url).await;
    }
    // On the way to another primary too.
    let (store, key) = (RedisStore::connect(&url).await.expect("a cluster"), sample::key());
    let slot = fleet.slot(&format!("shop:{}", key.public_handle().as_str())).expect("a slot");
    let from = fleet.primary_of_slot(slot).expect("a primary");
    let to = fleet.primaries().expect("primaries").into_iter().find(|port| *port != from).expect("another");
    fleet.open_slot(slot, to).expect("an open slot");
    assert_eq!(store.create(&key, &sample::record()).await.expect("a right"), Created::Created);
    assert_eq!(store.delete(&key).await.expect("a right"), Deleted::Deleted);
    fleet.close_slot(slot, to).expect("a moved slot");
}

async fn every_verb(url: &str) {
    let store = RedisStore::connect(url).await.expect("a server");
    let (key, record, next) = (sample::key(), sample::record(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("a right"), Created::Created);
    assert_eq!(store.create(&key, &next).await.expect("a right"), Created::Occupied);
    assert!(store.load(&key, Freshness::Latest).await.expect("a right").is_some());
    let replaced = store.replace(&key, record.version, &next).await;
    assert_eq!(replaced.expect("a right"), Replaced::Replaced);
    assert_eq!(store.touch(&key, next.version, MINUTE * 2).await.expect("a right"), Touched::Touched);
    assert_eq!(store.delete(&key).await.expect("a right"), Deleted::Deleted);
    let (tag, other) = (index::tag(), sample::key());
    store.enter(&tag, &key, MINUTE).await.expect("a right");
    let read = store.entries(&tag).await.expect("a right").version;
    let admitted = store.admit(&tag, read, &other, MINUTE * 2, &[key]).await;
    assert_eq!(admitted.expect("a right"), Admitted::Admitted);
    store.enter(&tag, &key, MINUTE).await.expect("a right");
    for key in [other, key, other] {
        store.remove(&tag, &[key], Duration::ZERO).await.expect("a right");
    }
    // And no more than enough: other keys are out of reach, and so says the error.
    let store = RedisStore::connect(&url.replace("prefix=shop", "prefix=other")).await.expect("a server");
    let error = store.load(&key, Freshness::Latest).await.expect_err("no right");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let error = store.replace(&key, record.version, &next).await.expect_err("no right");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let error = store.enter(&tag, &key, MINUTE).await.expect_err("no right");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn full_server_refuses_writes_and_still_reads() {
    let server = RedisServer::start().expect("a server");
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let (tag, other) = (index::tag(), sample::key());
    store.enter(&tag, &key, MINUTE).await.expect("an answer");
    assert_eq!(server.cli(&["CONFIG", "SET", "maxmemory", "1"]).expect("CONFIG SET"), "OK");
    let error = store.enter(&tag, &other, MINUTE).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    let read = store.entries(&tag).await.expect("an answer");
    let error = store.admit(&tag, read.version, &other, MINUTE, &[key]).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    // Neither of them by halves.
    let after = store.entries(&tag).await.expect("an answer");
    assert!(after.version == read.version && after.entries[0].key == key && after.entries.len() == 1);
    store.remove(&tag, &[key], Duration::ZERO).await.expect("an answer");
    assert_eq!(store.entries(&tag).await.expect("an answer").entries.len(), 0);
    let error = store.create(&sample::key(), &record).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    let error = store.replace(&key, record.version, &sample::record()).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    assert_eq!(store.touch(&key, record.version, MINUTE * 2).await.expect("an answer"), Touched::Touched);
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn node_of_a_cluster_is_a_wrong_configuration() {
    let cluster = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"];
    let server = RedisServer::builder().with_arguments(cluster).start().expect("a server");
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    // Without slots of its own the node knows no other either.
    let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("no slot");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}
