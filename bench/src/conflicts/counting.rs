//! A store that counts what becomes of its writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::{
    Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreKey, Touched,
    Version,
};

/// Writes that found another one in place.
pub type Conflicts = Arc<AtomicU64>;

#[derive(Debug)]
pub struct Counting {
    store: Arc<dyn Store>,
    conflicts: Conflicts,
}

impl Counting {
    pub fn new(store: Arc<dyn Store>, conflicts: Conflicts) -> Self {
        Self { store, conflicts }
    }
}

#[async_trait]
impl Store for Counting {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        self.store.load(key, freshness).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.store.create(key, record).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let answer = self.store.replace(key, expected, record).await;
        if matches!(answer, Ok(Replaced::Conflict)) {
            self.conflicts.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.store.touch(key, expected, ttl).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.store.delete(key).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        self.store.principals()
    }
}
