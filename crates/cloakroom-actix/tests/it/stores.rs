//! Stores in which something happens at the wrong moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cloakroom_core::testing::ModelStore;
use cloakroom_core::{
    Clock, Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreKey,
    Touched, Version, async_trait,
};
use tokio::sync::Semaphore;

/// A store whose writes wait at a gate, and lose races that a test arranges.
#[derive(Clone, Debug)]
pub(crate) struct StagedStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: ModelStore,
    arrived: Semaphore,
    gate: Semaphore,
    done: Semaphore,
    races: AtomicU32,
}

impl StagedStore {
    pub(crate) fn new() -> Self {
        let store = ModelStore::new(Clock::system());
        let [arrived, gate, done] = [0, Semaphore::MAX_PERMITS, 0].map(Semaphore::new);
        Self(Arc::new(Inner { store, arrived, gate, done, races: AtomicU32::new(0) }))
    }

    /// Lets writes wait until [`open_gate`](Self::open_gate).
    pub(crate) fn close_gate(&self) {
        self.0.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open_gate(&self) {
        self.0.gate.add_permits(1);
    }

    /// Waits until one more write stands at the gate.
    pub(crate) async fn write_arrived(&self) {
        take(&self.0.arrived).await;
    }

    /// Waits until one more write is done.
    pub(crate) async fn write_done(&self) {
        take(&self.0.done).await;
    }

    /// Lets another writer be quicker than the next `races` replacements.
    pub(crate) fn lose_races(&self, races: u32) {
        self.0.races.store(races, Ordering::SeqCst);
    }

    pub(crate) fn records(&self) -> usize {
        self.0.store.dump().len()
    }

    async fn pass(&self) {
        self.0.arrived.add_permits(1);
        self.0.gate.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl Store for StagedStore {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        self.0.store.load(key, freshness).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.pass().await;
        let outcome = self.0.store.create(key, record).await;
        self.0.done.add_permits(1);
        outcome
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        self.pass().await;
        if self.0.races.load(Ordering::SeqCst) > 0 {
            self.0.races.fetch_sub(1, Ordering::SeqCst);
            let mut quicker = self.0.store.load(key, Freshness::Latest).await?.unwrap();
            quicker.version = Version::random().unwrap();
            let _ = self.0.store.replace(key, expected, &quicker).await?;
        }
        let outcome = self.0.store.replace(key, expected, record).await;
        self.0.done.add_permits(1);
        outcome
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.0.store.touch(key, expected, ttl).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.0.store.delete(key).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

async fn take(semaphore: &Semaphore) {
    let permit = tokio::time::timeout(Duration::from_secs(5), semaphore.acquire()).await;
    permit.expect("it never happened").unwrap().forget();
}
