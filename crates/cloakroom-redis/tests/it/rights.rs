//! What the server allows: the rights that the documentation names, no memory left, a replica.

use cloakroom_core::{Created, Deleted, Freshness, Replaced, Store as _, StoreErrorKind, Touched};
use cloakroom_redis::RedisStore;
use xtask::server::RedisServer;

use crate::sample::{self, MINUTE};

#[tokio::test]
#[ignore = "needs a redis-server; run `cargo xtask test`"]
async fn documented_rights_are_enough() {
    let server = RedisServer::start().expect("a server");
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("ACL SETUSER shop").expect("the rights");
    let (rights, _) = rest.split_once("```").expect("the end of the rights");
    let mut words = vec!["ACL", "SETUSER", "shop"];
    words.extend(rights.split_whitespace());
    assert_eq!(server.cli(&words).expect("a user"), "OK");

    let url = server.url().replace("redis://", "redis://shop:s3cret@") + "2?prefix=shop";
    let store = RedisStore::connect(&url).await.expect("a server");
    let (key, record, next) = (sample::key(), sample::record(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("a right"), Created::Created);
    assert_eq!(store.create(&key, &next).await.expect("a right"), Created::Occupied);
    assert!(store.load(&key, Freshness::Latest).await.expect("a right").is_some());
    let replaced = store.replace(&key, record.version, &next).await;
    assert_eq!(replaced.expect("a right"), Replaced::Replaced);
    assert_eq!(store.touch(&key, next.version, MINUTE * 2).await.expect("a right"), Touched::Touched);
    assert_eq!(store.delete(&key).await.expect("a right"), Deleted::Deleted);
    // And no more than enough: other keys are out of reach, and so says the error.
    let store = RedisStore::connect(&url.replace("prefix=shop", "prefix=other")).await.expect("a server");
    let error = store.load(&key, Freshness::Latest).await.expect_err("no right");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let error = store.replace(&key, record.version, &next).await.expect_err("no right");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

#[tokio::test]
#[ignore = "needs a redis-server; run `cargo xtask test`"]
async fn full_server_refuses_writes_and_still_reads() {
    let server = RedisServer::start().expect("a server");
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    assert_eq!(server.cli(&["CONFIG", "SET", "maxmemory", "1"]).expect("CONFIG SET"), "OK");
    let error = store.create(&sample::key(), &record).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    let error = store.replace(&key, record.version, &sample::record()).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    assert_eq!(store.touch(&key, record.version, MINUTE * 2).await.expect("an answer"), Touched::Touched);
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
}

#[tokio::test]
#[ignore = "needs a redis-server; run `cargo xtask test`"]
async fn replica_refuses_writes_as_a_wrong_configuration() {
    let server = RedisServer::start().expect("a server");
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    assert_eq!(server.cli(&["REPLICAOF", "127.0.0.1", "1"]).expect("REPLICAOF"), "OK");
    let error = store.create(&sample::key(), &record).await.expect_err("a replica");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let error = store.replace(&key, record.version, &sample::record()).await.expect_err("a replica");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let error = store.touch(&key, record.version, MINUTE * 2).await.expect_err("a replica");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let error = store.delete(&key).await.expect_err("a replica");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert_eq!(server.cli(&["REPLICAOF", "NO", "ONE"]).expect("REPLICAOF"), "OK");
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
}

#[tokio::test]
#[ignore = "needs a redis-server; run `cargo xtask test`"]
async fn node_of_a_cluster_is_a_wrong_configuration() {
    let cluster = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"];
    let server = RedisServer::builder().with_arguments(cluster).start().expect("a server");
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    // Without slots of its own the node knows no other either.
    let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("no slot");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}
