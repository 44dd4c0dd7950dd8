//! The obvious store: one map behind one lock.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::{
    Clock, Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreKey,
    Touched, Version,
};

/// One map behind one lock. What has expired stays until [`sweep`](Self::sweep) goes through all of it.
#[derive(Debug, Default)]
pub struct OneLock {
    records: RwLock<HashMap<StoreKey, Kept>>,
    clock: Clock,
}

#[derive(Debug)]
struct Kept {
    record: Record,
    deadline: Duration,
}

impl OneLock {
    pub fn with_clock(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Removes what has expired.
    pub fn sweep(&self) {
        let now = self.clock.monotonic();
        self.write().retain(|_, kept| kept.deadline > now);
    }

    fn keep(&self, record: &Record) -> Kept {
        Kept { record: record.clone(), deadline: self.clock.monotonic() + record.ttl }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<StoreKey, Kept>> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<StoreKey, Kept>> {
        self.records.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for OneLock {
    async fn load(&self, key: &StoreKey, _freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let records = self.read();
        let now = self.clock.monotonic();
        Ok(records.get(key).filter(|kept| kept.deadline > now).map(|kept| {
            let mut record = kept.record.clone();
            record.ttl = kept.deadline - now;
            record
        }))
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        let kept = self.keep(record);
        let now = self.clock.monotonic();
        match self.write().entry(*key) {
            Entry::Occupied(old) if old.get().deadline > now => Ok(Created::Occupied),
            Entry::Occupied(mut old) => {
                old.insert(kept);
                Ok(Created::Created)
            }
            Entry::Vacant(place) => {
                place.insert(kept);
                Ok(Created::Created)
            }
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let kept = self.keep(record);
        let now = self.clock.monotonic();
        match self.write().get_mut(key).filter(|old| old.deadline > now) {
            None => Ok(Replaced::Missing),
            Some(old) if old.record.version != expected => Ok(Replaced::Conflict),
            Some(old) => {
                *old = kept;
                Ok(Replaced::Replaced)
            }
        }
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        let now = self.clock.monotonic();
        match self.write().get_mut(key).filter(|old| old.deadline > now) {
            None => Ok(Touched::Missing),
            Some(old) if old.record.version != expected => Ok(Touched::Conflict),
            Some(old) => {
                old.deadline = old.deadline.max(now + ttl);
                Ok(Touched::Touched)
            }
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        Ok(self.write().remove(key).map_or(Deleted::Missing, |_| Deleted::Deleted))
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}
