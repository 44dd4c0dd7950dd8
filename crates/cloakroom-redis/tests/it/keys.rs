//! What lies in Redis: every key has a time to live, and what is not ours is left alone.

use std::time::Duration;

use cloakroom_core::{Created, Freshness, Record, Replaced, Store as _, StoreErrorKind, StoreKey, Touched};
use cloakroom_redis::RedisStore;
use xtask::server::RedisServer;

use crate::sample::{self, MINUTE};

async fn open() -> (RedisServer, RedisStore) {
    let server = RedisServer::start().expect("a server");
    let store = RedisStore::connect(&server.unix_url()).await.expect("a server");
    (server, store)
}

fn name(key: &StoreKey) -> String {
    format!("cloakroom:{}", key.public_handle().as_str())
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn every_key_has_a_time_to_live() {
    let (server, store) = open().await;
    for number in 0_u64..60 {
        let (key, mut record) = (sample::key(), sample::record());
        record.ttl = match number % 3 {
            0 => MINUTE,
            1 => Duration::from_secs(400 * 86_400),
            _ => Duration::MAX,
        };
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
        match number % 4 {
            0 => {
                let next = Record::new(b"next".to_vec(), sample::version(), record.ttl);
                let replaced = store.replace(&key, record.version, &next).await;
                assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
            }
            1 => {
                let touched = store.touch(&key, record.version, record.ttl).await;
                assert_eq!(touched.expect("an answer"), Touched::Touched);
            }
            // As it was created.
            _ => {}
        }
    }
    let names = server.cli(&["KEYS", "*"]).expect("KEYS");
    assert_eq!(names.lines().count(), 60);
    for name in names.lines() {
        let left: i64 = server.cli(&["PTTL", name]).expect("PTTL").parse().expect("a number");
        assert!((1..=10 * 365 * 86_400_000).contains(&left), "{left}");
    }
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn key_whose_expiry_was_removed_gets_one_again() {
    let (server, store) = open().await;
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    assert_eq!(server.cli(&["PERSIST", &name(&key)]).expect("PERSIST"), "1");
    let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    assert_eq!(found.ttl, Duration::ZERO);
    assert_eq!(store.touch(&key, record.version, MINUTE).await.expect("an answer"), Touched::Touched);
    let left: i64 = server.cli(&["PTTL", &name(&key)]).expect("PTTL").parse().expect("a number");
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn scripts_survive_a_flush() {
    let (server, store) = open().await;
    let (key, mut record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    for _ in 0..3 {
        assert_eq!(server.cli(&["SCRIPT", "FLUSH"]).expect("SCRIPT FLUSH"), "OK");
        let next = sample::record();
        let replaced = store.replace(&key, record.version, &next).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
        assert_eq!(server.cli(&["SCRIPT", "FLUSH"]).expect("SCRIPT FLUSH"), "OK");
        assert_eq!(store.touch(&key, next.version, MINUTE * 2).await.expect("an answer"), Touched::Touched);
        record = next;
    }
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn foreign_values_are_corrupt_and_left_alone() {
    let (server, store) = open().await;
    let short = "short";
    let zero = "\0\0\0\0\0\0\0\0payload";
    for words in [vec!["SET", "", short], vec!["SET", "", zero], vec!["RPUSH", "", "item"]] {
        let (key, record) = (sample::key(), sample::record());
        let name = name(&key);
        let words: Vec<&str> =
            words.into_iter().map(|word| if word.is_empty() { name.as_str() } else { word }).collect();
        server.cli(&words).expect("a foreign value");
        let before = server.cli(&["DUMP", &name]).map_err(|_| ());
        let error = store.load(&key, Freshness::Latest).await.expect_err("no record");
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{words:?}");
        let list = words[0] == "RPUSH";
        match store.create(&key, &record).await {
            Ok(created) => assert!(!list && created == Created::Occupied),
            Err(error) => assert!(list && error.kind() == StoreErrorKind::Corrupt),
        }
        match store.replace(&key, sample::version(), &record).await {
            Ok(replaced) => assert!(!list && replaced == Replaced::Conflict),
            Err(error) => assert!(list && error.kind() == StoreErrorKind::Corrupt),
        }
        match store.touch(&key, sample::version(), MINUTE).await {
            Ok(touched) => assert!(!list && touched == Touched::Conflict),
            Err(error) => assert!(list && error.kind() == StoreErrorKind::Corrupt),
        }
        assert_eq!(server.cli(&["DUMP", &name]).map_err(|_| ()), before, "{words:?}");
    }
}
