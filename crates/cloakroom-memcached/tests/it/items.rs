//! What lies in Memcached: every item expires, none is too large, and what is not ours is left alone.

use std::time::{Duration, Instant};

use cloakroom_core::{
    Created, Deleted, Freshness, Record, Replaced, Store as _, StoreErrorKind, StoreKey, Touched,
};
use cloakroom_memcached::MemcachedStore;
use xtask::server::MemcachedServer;

use crate::fake::{Act, Fake};
use crate::sample::{self, MINUTE};

const DAY: Duration = Duration::from_secs(86_400);

async fn open() -> (MemcachedServer, MemcachedStore) {
    let server = MemcachedServer::start().expect("a server");
    let store = MemcachedStore::connect(&server.url()).await.expect("a server");
    (server, store)
}

fn name(key: &StoreKey) -> String {
    format!("cloakroom:{}", key.public_handle().as_str())
}

/// How many ticks the server gives an item.
fn ticks(server: &MemcachedServer, key: &StoreKey) -> i64 {
    let answer = server.cli(&format!("mg {} t", name(key))).expect("mg");
    answer.strip_prefix("HD t").expect("an item").parse().expect("a number")
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn every_item_expires_and_not_too_early() {
    let (server, store) = open().await;
    // 30 days and less are a number of seconds, more than that is a date. The last one is too far for 31 bits.
    for (lifetime, wanted) in [
        (MINUTE, MINUTE),
        (DAY * 30 - Duration::from_secs(1), DAY * 30 - Duration::from_secs(1)),
        (DAY * 30, DAY * 30),
        (DAY * 31, DAY * 31),
        (DAY * 400, DAY * 400),
        (Duration::MAX, DAY * 365 * 10),
    ] {
        for verb in 0..3 {
            let (key, mut record) = (sample::key(), sample::record());
            record.ttl = if verb == 0 { lifetime } else { Duration::from_secs(1) };
            let start = Instant::now();
            assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
            match verb {
                0 => {}
                1 => {
                    let next = Record::new(b"next".to_vec(), sample::version(), lifetime);
                    let replaced = store.replace(&key, record.version, &next).await;
                    assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
                }
                _ => {
                    let touched = store.touch(&key, record.version, lifetime).await;
                    assert_eq!(touched.expect("an answer"), Touched::Touched);
                }
            }
            let left = ticks(&server, &key);
            let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
            let (seconds, passed) = (wanted.as_secs(), start.elapsed());
            let left = u64::try_from(left).expect("an item that expires");
            // Of so many whole seconds, the server has counted one more at most; and a date is rounded up.
            assert!(
                (seconds - passed.as_secs()..=seconds + 3).contains(&left),
                "{lifetime:?}: {left} of {seconds}"
            );
            let least = wanted - passed - Duration::from_secs(1);
            assert!((least..=wanted).contains(&found.ttl), "{lifetime:?}: {:?} after {passed:?}", found.ttl);
        }
    }
}

/// Whose clock is wrong does not matter: dates are told by the server's own.
#[tokio::test]
async fn dates_are_those_of_the_server() {
    for time in [1_u64, 1_000_000_000, 1_900_000_000] {
        let told = format!(
            "EN O1\r\nSTAT item_size_max 1048576\r\nEND\r\nSTAT time {time}\r\nSTAT version 1.6.18\r\nEND\r\n"
        );
        let seconds = DAY.as_secs() * 40;
        let fake = Fake::start_telling(Act::Reply(told.into_bytes()), move |heard| {
            let expiry: u64 = heard.flag('T').expect("an expiry").parse().expect("a number");
            // The extra tick, and what passed since the server was asked, rounded up.
            assert!((1..=5).contains(&(expiry - time - seconds)), "{expiry}");
            heard.answer("HD")
        })
        .await;
        let record = Record::new(b"payload".to_vec(), sample::version(), DAY * 40);
        let created = fake.store().create(&sample::key(), &record).await;
        assert_eq!(created.expect("an answer"), Created::Created);
    }
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn item_whose_expiry_was_removed_gets_one_again() {
    let (server, store) = open().await;
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    server.cli(&format!("touch {} 0", name(&key))).expect("touch");
    assert_eq!(ticks(&server, &key), -1);
    let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    assert_eq!(found.ttl, Duration::ZERO);
    assert_eq!(store.touch(&key, record.version, MINUTE).await.expect("an answer"), Touched::Touched);
    assert!((30..=61).contains(&ticks(&server, &key)));
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn foreign_values_are_corrupt_and_left_alone() {
    let (server, store) = open().await;
    let zero = format!("{}payload", "\0".repeat(16));
    for foreign in ["", "short", zero.as_str(), "a value of somebody else, longer than a header"] {
        let (key, record) = (sample::key(), sample::record());
        server.cli(&format!("ms {} {}\r\n{foreign}", name(&key), foreign.len())).expect("a foreign value");
        let before = server.cli(&format!("mg {} v c t", name(&key)));
        let error = store.load(&key, Freshness::Latest).await.expect_err("no record");
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{foreign:?}");
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Occupied);
        let replaced = store.replace(&key, sample::version(), &record).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Conflict);
        let touched = store.touch(&key, sample::version(), MINUTE).await;
        assert_eq!(touched.expect("an answer"), Touched::Conflict);
        let after = server.cli(&format!("mg {} v c t", name(&key)));
        assert_eq!(after.expect("mg"), before.expect("mg"), "{foreign:?}");
        // A logout ends it all the same.
        assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    }
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn what_finds_nothing_leaves_nothing() {
    let (server, store) = open().await;
    let items = || server.stats().expect("a count")["curr_items"];
    for _ in 0..10 {
        let (key, record) = (sample::key(), sample::record());
        assert_eq!(store.load(&key, Freshness::Latest).await.expect("an answer"), None);
        let replaced = store.replace(&key, sample::version(), &record).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Missing);
        let touched = store.touch(&key, sample::version(), MINUTE).await;
        assert_eq!(touched.expect("an answer"), Touched::Missing);
        assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Missing);
        assert_eq!(items(), 0);
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
        assert_eq!(items(), 1);
        assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
        assert_eq!(items(), 0);
    }
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn flushed_sessions_are_missing() {
    let (server, store) = open().await;
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    // The server forgets what is older than this second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(server.cli("flush_all").expect("flush_all"), "OK");
    assert_eq!(store.load(&key, Freshness::Latest).await.expect("an answer"), None);
    let replaced = store.replace(&key, record.version, &sample::record()).await;
    assert_eq!(replaced.expect("an answer"), Replaced::Missing);
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Missing);
}

/// A server that refuses an item removes the one that was there: none is ever sent that it would refuse.
#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn server_with_small_items_is_never_sent_a_larger_one() {
    let server = MemcachedServer::builder().with_arguments(["-I", "512k"]).start().expect("a server");
    for connected in [true, false] {
        let store = match connected {
            true => MemcachedStore::connect(&server.url()).await.expect("a server"),
            false => MemcachedStore::connect_lazy(&server.url()).expect("a URL"),
        };
        let sized = |bytes| Record::new(vec![7; bytes], sample::version(), MINUTE);
        let (key, old) = (sample::key(), sized((512 << 10) - 1024));
        if !connected {
            let error = store.create(&sample::key(), &sized(512 << 10)).await.expect_err("too large");
            assert_eq!(error.kind(), StoreErrorKind::TooLarge);
        }
        assert_eq!(store.create(&key, &old).await.expect("an answer"), Created::Created);
        for bytes in [(512 << 10) - 1023, 512 << 10, 600_000, 2 << 20] {
            let replaced = store.replace(&key, old.version, &sized(bytes)).await;
            assert_eq!(replaced.expect_err("too large").kind(), StoreErrorKind::TooLarge, "{bytes}");
            let created = store.create(&key, &sized(bytes)).await;
            assert_eq!(created.expect_err("too large").kind(), StoreErrorKind::TooLarge, "{bytes}");
            let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("the old one");
            assert_eq!(found.version, old.version);
        }
    }
    assert_eq!(server.stats().expect("a count").get("store_too_large").copied().unwrap_or(0), 0);
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn larger_items_are_taken_where_both_sides_say_so() {
    let server = MemcachedServer::builder().with_arguments(["-I", "4m"]).start().expect("a server");
    let url = format!("{}?max_item_size=4m&timeout=10s", server.url());
    let store = MemcachedStore::connect(&url).await.expect("a server");
    let record = Record::new(vec![7; (4 << 20) - 1024], sample::version(), MINUTE);
    let key = sample::key();
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    assert!(found.payload == record.payload);
    let larger = Record::new(vec![7; (4 << 20) - 1023], sample::version(), MINUTE);
    let error = store.replace(&key, record.version, &larger).await.expect_err("too large");
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
}

/// Where nothing is evicted, a full server says so. It removes what lay under the key that it has no room for.
#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn server_that_may_not_evict_is_full() {
    let server = MemcachedServer::builder().with_arguments(["-m", "2", "-M"]).start().expect("a server");
    let store = MemcachedStore::connect(&server.url()).await.expect("a server");
    let mut kept = Vec::new();
    let error = loop {
        let (key, record) = (sample::key(), Record::new(vec![7; 9_000], sample::version(), MINUTE));
        match store.create(&key, &record).await {
            Ok(created) => assert_eq!(created, Created::Created),
            Err(error) => break error,
        }
        kept.push((key, record));
        assert!(kept.len() < 10_000, "the server is never full");
    };
    assert_eq!(error.kind(), StoreErrorKind::Full);
    println!("full after {} sessions of 9000 bytes", kept.len());
    for (key, record) in &kept {
        let found = store.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!(found.version, record.version);
    }
    let (key, record) = &kept[0];
    let next = Record::new(vec![8; 9_000], sample::version(), MINUTE);
    let error = store.replace(key, record.version, &next).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    let left = store.load(key, Freshness::Latest).await.expect("an answer");
    assert_eq!(left, None, "the docs of `Full` say that it is gone");
}
