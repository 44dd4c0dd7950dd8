//! The laws hold for the store, and fail for one that is wrong in a single way.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as they do")]

mod file;
mod upserting;

use std::time::Duration;

use cloakroom::{Created, Freshness, Record, Store, StoreErrorKind, StoreKey, Version};
use cloakroom_conformance::{Harness, conformance_tests};
use custom_store::RedbStore;

use crate::file::File;

/// A file for each law, which nobody else finds.
struct InAFile;

impl Harness for InAFile {
    type Store = RedbStore;

    async fn open(&self) -> RedbStore {
        let file = File::new();
        // On Unix an open file goes on without its name, and goes with the store.
        RedbStore::open(file.path()).unwrap()
    }

    async fn open_again(&self, store: &RedbStore) -> RedbStore {
        store.clone()
    }
}

mod laws {
    use super::{InAFile, conformance_tests};
    conformance_tests!(InAFile);
}

fn record(ttl: Duration) -> Record {
    Record::new(b"sealed".to_vec(), Version::random().unwrap(), ttl)
}

#[tokio::test]
async fn sessions_survive_the_process() {
    let (file, key) = (File::new(), StoreKey::from_bytes([7; 32]));
    let kept = record(Duration::from_secs(60));
    let store = RedbStore::open(file.path()).unwrap();
    assert_eq!(store.create(&key, &kept).await.unwrap(), Created::Created);
    let other = RedbStore::open(file.path()).unwrap_err();
    assert_eq!(other.kind(), StoreErrorKind::Misconfigured, "a file is one process's at a time");
    drop(store);
    let store = RedbStore::open(file.path()).unwrap();
    let found = store.load(&key, Freshness::Latest).await.unwrap().unwrap();
    assert_eq!((found.payload, found.version), (kept.payload, kept.version));
}

#[tokio::test]
async fn a_sweep_takes_what_is_over_and_nothing_else() {
    let file = File::new();
    let store = RedbStore::open(file.path()).unwrap();
    let [brief, lasting] = [1, 2].map(|byte| StoreKey::from_bytes([byte; 32]));
    let _ = store.create(&brief, &record(Duration::from_millis(1))).await.unwrap();
    let _ = store.create(&lasting, &record(Duration::from_secs(60))).await.unwrap();
    while store.load(&brief, Freshness::Latest).await.unwrap().is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    store.sweep().await.unwrap();
    assert!(store.load(&lasting, Freshness::Latest).await.unwrap().is_some());
    drop(store);
    assert_eq!(file.keys(), [*lasting.as_bytes()]);
}
