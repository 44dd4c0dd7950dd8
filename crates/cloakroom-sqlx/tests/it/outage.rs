//! Servers that go and come back: no restart of the service is needed, and what was acknowledged is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::{
    Created, Deleted, Freshness, IndexVersion, PrincipalIndex as _, PrincipalTag, Record, Replaced,
    Store as _, StoreErrorKind, StoreKey,
};
use cloakroom_sqlx::{Dialect, SqlStore};
use cloakroom_testkit::Lateness;

use crate::machine::{Machine, connect, on_both_servers};
use crate::sample::{self, MINUTE};

on_both_servers! {
    acknowledged_records_survive_a_crash
    first_request_after_an_outage_succeeds
    frozen_server_costs_the_deadline_and_no_more
    terminated_connections_are_replaced_under_load
    full_pool_says_so_and_recovers
    lazy_store_waits_for_its_server
}

async fn acknowledged_records_survive_a_crash<M: Machine>() {
    let mut server = M::begin();
    let store = connect::<M>(&server.address()).await;
    let (kept, gone) = (sample::key(), sample::key());
    let (first, second) = (sample::record(), sample::record());
    assert_eq!(store.create(&kept, &first).await.expect("an answer"), Created::Created);
    assert_eq!(store.create(&gone, &first).await.expect("an answer"), Created::Created);
    assert_eq!(store.replace(&kept, first.version, &second).await.expect("an answer"), Replaced::Replaced);
    assert_eq!(store.delete(&gone).await.expect("an answer"), Deleted::Deleted);
    server.crash();
    server.come_back();
    let found = store.load(&kept, Freshness::Latest).await.expect("an answer").expect("a record");
    assert_eq!((found.payload, found.version), (second.payload, second.version));
    assert_eq!(store.load(&gone, Freshness::Latest).await.expect("an answer"), None);
}

async fn first_request_after_an_outage_succeeds<M: Machine>() {
    let mut server = M::begin();
    let (store, lateness) = (connect::<M>(&server.address()).await, Lateness::watch());
    for round in 0..3 {
        // Several connections, all of which break.
        let crowd: Vec<_> = (0..8).map(|_| tokio::spawn(create(store.clone()))).collect();
        let mut key = sample::key();
        for one in crowd {
            key = one.await.expect("an answer");
        }
        server.crash();
        for _ in 0..round {
            let start = Instant::now();
            let error = store.load(&key, Freshness::Latest).await.expect_err("an outage");
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
            ended_within(Duration::from_millis(2100), start, &lateness);
        }
        server.come_back();
        let start = Instant::now();
        assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
        println!("{round} failed requests, then an answer after {:?}", start.elapsed());
        ended_within(Duration::from_secs(1), start, &lateness);
    }
}

/// What the machine was late by meanwhile is not the store's fault.
pub(crate) fn ended_within(time: Duration, start: Instant, lateness: &Lateness) {
    let (took, late) = (start.elapsed(), lateness.since(start));
    assert!(took < time + late, "{took:?}, of which the machine was late by {late:?}");
}

async fn create<D: Dialect>(store: SqlStore<D>) -> StoreKey {
    let key = sample::key();
    assert_eq!(store.create(&key, &sample::record()).await.expect("an answer"), Created::Created);
    key
}

async fn frozen_server_costs_the_deadline_and_no_more<M: Machine>() {
    let server = M::begin();
    let timeout = Duration::from_millis(700);
    let store = SqlStore::<M::Dialect>::builder(&server.address())
        .with_timeout(timeout)
        .with_connect_timeout(Duration::from_millis(500))
        .connect()
        .await
        .expect("the server");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    server.freeze();
    let lateness = Arc::new(Lateness::watch());
    let crowd: Vec<_> = (0..40)
        .map(|number| {
            let (store, next, lateness) = (store.clone(), sample::record(), Arc::clone(&lateness));
            tokio::spawn(async move {
                let start = Instant::now();
                let (tag, none) = (PrincipalTag::from_bytes([7; 32]), IndexVersion::new(0));
                let error = match number % 5 {
                    0 => store.load(&key, Freshness::Latest).await.expect_err("a frozen server"),
                    1 => store.replace(&key, record.version, &next).await.expect_err("a frozen server"),
                    2 => store.entries(&tag).await.expect_err("a frozen server"),
                    3 => store.admit(&tag, none, &key, MINUTE, &[]).await.expect_err("a frozen server"),
                    _ => store.remove(&tag, &[key], Duration::ZERO).await.expect_err("a frozen server"),
                };
                ended_within(timeout + Duration::from_millis(300), start, &lateness);
                error.kind()
            })
        })
        .collect();
    for one in crowd {
        let kind = one.await.expect("an end");
        assert!(matches!(kind, StoreErrorKind::Timeout | StoreErrorKind::Unavailable), "{kind:?}");
    }
    server.thaw();
    answered_after_the_thaw(&store, &key, &lateness).await;
}

/// A first try may come too early, or find a connection that is broken.
async fn answered_after_the_thaw<D: Dialect>(store: &SqlStore<D>, key: &StoreKey, lateness: &Lateness) {
    let start = Instant::now();
    loop {
        match store.load(key, Freshness::Latest).await {
            Ok(found) => break assert!(found.is_some()),
            Err(error) => {
                println!("{error:?}");
                ended_within(Duration::from_secs(3), start, lateness);
            }
        }
    }
    println!("an answer {:?} after the thaw", start.elapsed());
}

/// Writes one record again and again, and knows what may be in place.
struct Writer<D: Dialect> {
    store: SqlStore<D>,
    key: StoreKey,
    /// What was seen or acknowledged at last.
    record: Record,
    /// What was written over it and not acknowledged. A server may still be at it when the client hears that the
    /// connection is gone; of all these at most one takes effect, and none after the next acknowledged write.
    unacknowledged: Vec<Record>,
    errors: u64,
}

impl<D: Dialect> Writer<D> {
    async fn begin(store: SqlStore<D>) -> Self {
        let (key, record) = (sample::key(), sample::record());
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
        Self { store, key, record, unacknowledged: Vec::new(), errors: 0 }
    }

    async fn write(&mut self) {
        let next = sample::record();
        match self.store.replace(&self.key, self.record.version, &next).await {
            Ok(Replaced::Replaced) => self.stands(next),
            // One of them took effect after the last look.
            Ok(Replaced::Conflict) if !self.unacknowledged.is_empty() => {
                let before = self.record.version;
                self.look().await;
                assert_ne!(self.record.version, before, "a conflict with nobody");
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                self.errors += 1;
                self.unacknowledged.push(next);
            }
        }
    }

    async fn look(&mut self) {
        let found =
            self.store.load(&self.key, Freshness::Latest).await.expect("an answer").expect("a record");
        if found.version != self.record.version {
            let landed = self.unacknowledged.iter().position(|record| record.version == found.version);
            let landed = self.unacknowledged.swap_remove(landed.expect("a record that somebody wrote"));
            self.stands(landed);
        }
        assert_eq!((&found.payload, found.version), (&self.record.payload, self.record.version));
    }

    fn stands(&mut self, record: Record) {
        self.record = record;
        self.unacknowledged.clear();
    }
}

async fn terminated_connections_are_replaced_under_load<M: Machine>() {
    let server = M::begin();
    let store = connect::<M>(&server.address()).await;
    let (end, ended) = tokio::sync::watch::channel(false);
    let rounds = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (store, ended, rounds) = (store.clone(), ended.clone(), Arc::clone(&rounds));
            tokio::spawn(async move {
                let mut writer = Writer::begin(store).await;
                while !*ended.borrow() {
                    writer.write().await;
                    writer.look().await;
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
                writer.errors
            })
        })
        .collect();
    let (start, mut times, mut terminated) = (Instant::now(), 0, 0);
    while times < 8 || terminated < 8 || rounds.load(Ordering::Relaxed) <= 100 {
        assert!(start.elapsed() < Duration::from_secs(60), "{terminated} terminated, {rounds:?} rounds");
        tokio::time::sleep(Duration::from_millis(120)).await;
        terminated += server.terminate();
        times += 1;
    }
    end.send_replace(true);
    let mut errors = 0;
    for task in tasks {
        errors += task.await.expect("only good answers");
    }
    println!("{terminated} connections terminated, {rounds:?} rounds, {errors} errors");
}

async fn full_pool_says_so_and_recovers<M: Machine>() {
    let server = M::begin();
    let store = SqlStore::<M::Dialect>::builder(&server.address())
        .with_max_connections(2)
        .with_connect_timeout(Duration::from_millis(300))
        .with_timeout(Duration::from_secs(1))
        .connect()
        .await
        .expect("the server");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    // Whoever comes third waits for a connection, and none comes back.
    server.freeze();
    let lateness = Lateness::watch();
    let held: Vec<_> = (0..2)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.load(&key, Freshness::Latest).await.is_err() })
        })
        .collect();
    let both = async {
        while !format!("{store:?}").contains("0 of 2 connections idle") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.expect("both are in use");
    let start = Instant::now();
    let error = store.load(&key, Freshness::Latest).await.expect_err("no connection");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    ended_within(Duration::from_millis(600), start, &lateness);
    server.thaw();
    for one in held {
        let _ = one.await.expect("an end");
    }
    answered_after_the_thaw(&store, &key, &lateness).await;
}

async fn lazy_store_waits_for_its_server<M: Machine>() {
    let mut server = M::begin();
    connect::<M>(&server.address()).await;
    server.crash();
    let store = SqlStore::<M::Dialect>::connect_lazy(&server.address()).expect("a URL");
    let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("no server");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    server.come_back();
    assert_eq!(store.load(&sample::key(), Freshness::Latest).await.expect("an answer"), None);
    assert_eq!(
        store.touch(&sample::key(), sample::version(), MINUTE).await.expect("an answer"),
        cloakroom_core::Touched::Missing
    );
}
