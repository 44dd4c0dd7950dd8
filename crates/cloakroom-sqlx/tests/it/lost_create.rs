//! The reply to a `create` that is lost on its way.

use std::time::Duration;

use cloakroom_core::{Created, Deleted, Freshness, Record, Store as _, StoreErrorKind};
use cloakroom_sqlx::SqlStore;
use cloakroom_testkit::Network;

use crate::lost::Wired;
use crate::machine::{Machine, on_both_servers};
use crate::sample;

on_both_servers! {
    lost_create_is_not_put_again
    lost_create_over_an_expired_record_is_looked_for
}

/// Whoever ended the session in between would see it come back.
async fn lost_create_is_not_put_again<M: Machine>() {
    let wired = Wired::<M>::new(Duration::from_secs(5), 1).await;
    let other = SqlStore::<M::Dialect>::connect(&wired.server.address()).await.expect("the server");
    let (key, record) = (sample::key(), sample::record());
    let created = wired.store.create(&sample::key(), &record).await.expect("an answer");
    assert_eq!(created, Created::Created);
    wired.settle().await;
    // The reply is held back until the record is gone, and then it is lost.
    wired.proxy.set(Network::HoldAfter(0));
    let store = wired.store.clone();
    let writer = tokio::spawn(async move { store.create(&key, &record).await });
    while other.delete(&key).await.expect("an answer") != Deleted::Deleted {
        tokio::task::yield_now().await;
    }
    wired.proxy.set(Network::CutOnceAfter(0));
    let error = writer.await.expect("an end").expect_err("it is gone");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
    assert_eq!(other.load(&key, Freshness::Latest).await.expect("an answer"), None);
}

/// Where the place of an expired record is taken by another statement, either may lose its reply.
async fn lost_create_over_an_expired_record_is_looked_for<M: Machine>() {
    const ROUNDS: u64 = 60;
    let wired = Wired::<M>::new(Duration::from_secs(5), 1).await;
    let (store, mut made) = (&wired.store, 0);
    for cut in (0..ROUNDS * 12).step_by(12) {
        let expired = [sample::key(), sample::key()];
        for key in &expired {
            let brief = Record::new(b"brief".to_vec(), sample::version(), Duration::from_millis(1));
            assert_eq!(store.create(key, &brief).await.expect("an answer"), Created::Created);
            while store.load(key, Freshness::Latest).await.expect("an answer").is_some() {}
        }
        let ([known, key], record) = (expired, sample::record());
        // On a connection that knows the statements already.
        assert_eq!(store.create(&known, &record).await.expect("an answer"), Created::Created);
        wired.settle().await;
        wired.proxy.set(Network::CutOnceAfter(cut));
        let created = store.create(&key, &record).await;
        wired.proxy.set(Network::Pass);
        let found = store.load(&key, Freshness::Latest).await.expect("an answer");
        match created {
            Ok(created) => {
                assert_eq!(created, Created::Created, "{cut}");
                assert_eq!(found.expect("a record").version, record.version);
                made += 1;
            }
            // The first of two statements was lost, and whether it did anything was looked for.
            Err(error) => assert_eq!((error.kind(), found), (StoreErrorKind::Ambiguous, None), "{cut}"),
        }
    }
    let cuts = wired.proxy.seen().cuts();
    println!("{cuts} replies cut, {made} of {ROUNDS} made");
    assert!(cuts > 3 && made > 5, "{cuts} replies cut, {made} of {ROUNDS} made");
}
