//! No room left: new sessions are refused, and nothing that is there is lost.

use std::time::Duration;

use cloakroom_core::{
    Created, Deleted, Freshness, PrincipalTag, Record, Replaced, Store as _, StoreErrorKind,
};
use cloakroom_sqlx::SqliteStore;
use sqlx::sqlite::SqlitePoolOptions;

use crate::sample::{self, MINUTE};
use crate::scratch::Scratch;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_of_sqlite_loses_nothing() {
    let scratch = Scratch::new();
    SqliteStore::connect(&scratch.url()).await.expect("a file");
    // A limit in pages is to SQLite what a full disk is.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::query("PRAGMA max_page_count = 60").execute(connection).await?;
                Ok(())
            })
        })
        .connect(&scratch.url())
        .await
        .expect("the file");
    let store = SqliteStore::from_pool(pool);
    let record = || Record::new(vec![5; 10_000], sample::version(), MINUTE);
    let mut kept = Vec::new();
    let error = loop {
        let (key, record) = (sample::key(), record());
        match store.create(&key, &record).await {
            Ok(created) => assert_eq!(created, Created::Created),
            Err(error) => break error,
        }
        kept.push((key, record));
        assert!(kept.len() < 1000);
    };
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(kept.len() > 3, "{}", kept.len());
    let (key, first) = &kept[0];
    let larger = Record::new(vec![6; 100_000], sample::version(), MINUTE);
    let error = store.replace(key, first.version, &larger).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    for (key, record) in &kept {
        let found = store.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!((&found.payload, found.version), (&record.payload, record.version));
    }
    // What makes room works.
    for (key, _) in &kept[..3] {
        assert_eq!(store.delete(key).await.expect("an answer"), Deleted::Deleted);
    }
    assert_eq!(store.create(&sample::key(), &record()).await.expect("room again"), Created::Created);
}

#[tokio::test]
async fn records_in_memory_outlive_deadlines() {
    let store = SqliteStore::builder("sqlite::memory:")
        .with_timeout(Duration::from_millis(10))
        .connect()
        .await
        .expect("memory");
    let (key, record) = (sample::key(), sample::record());
    // Where the machine stands still for so long it is late, too.
    let start = std::time::Instant::now();
    while store.create(&key, &record).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    // Far more than can be done in time.
    let large = Record::new(vec![1; 8 << 20], sample::version(), Duration::from_millis(1));
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let (store, large) = (store.clone(), large.clone());
            tokio::spawn(async move { store.create(&sample::key(), &large).await.is_err() })
        })
        .collect();
    let mut late = 0;
    for one in crowd {
        late += u32::from(one.await.expect("an end"));
    }
    assert!(late > 0);
    let found = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if let Ok(found) = store.load(&key, Freshness::Latest).await {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("an answer");
    assert_eq!(found.expect("a record").payload, record.payload);
}

#[tokio::test]
async fn tag_of_the_principal_comes_back() {
    let store = SqliteStore::connect("sqlite::memory:").await.expect("memory");
    let tag = Some(PrincipalTag::from_bytes(*sample::key().as_bytes()));
    let (key, record) = (sample::key(), sample::record().with_principal(tag));
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    assert_eq!(found.principal, tag);
    // Whoever writes says anew whose it is.
    let next = sample::record();
    let replaced = store.replace(&key, record.version, &next).await.expect("an answer");
    assert_eq!(replaced, Replaced::Replaced);
    let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    assert_eq!(found.principal, None);
}
