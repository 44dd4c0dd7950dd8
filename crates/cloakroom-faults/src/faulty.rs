//! Stores that are wrong in one way, for the proof of the checker.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::testing::ModelStore;
use cloakroom_core::{
    Clock, Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreErrorKind,
    StoreKey, Touched, Version,
};

/// How a store is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFault {
    /// `replace` of what is not there puts it there.
    UpsertingReplace,
    /// `delete` says that it did.
    DeleteWithoutEffect,
    /// `replace` writes over any version.
    VersionNotCompared,
    /// Records outlive their time.
    ExpiryIgnored,
    /// `load` answers from what it has seen before.
    StaleRead,
    /// A write is acknowledged, and not done.
    LostAcknowledgement,
    /// A write that was sent again is done again, after another one.
    DuplicateApply,
    /// A write that timed out takes effect after the record was deleted.
    ResurrectionOnTimeout,
}

impl StoreFault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::UpsertingReplace,
        Self::DeleteWithoutEffect,
        Self::VersionNotCompared,
        Self::ExpiryIgnored,
        Self::StaleRead,
        Self::LostAcknowledgement,
        Self::DuplicateApply,
        Self::ResurrectionOnTimeout,
    ];
}

/// A store in memory that is wrong in one way, or in none. A clone is the same store.
#[derive(Clone)]
pub struct FaultyStore(Arc<Inner>);

struct Inner {
    fault: Option<StoreFault>,
    /// One call in so many is wrong.
    one_in: u64,
    model: ModelStore,
    clock: Clock,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    calls: u64,
    /// What `load` has seen.
    seen: HashMap<StoreKey, Record>,
    /// A write that will be done once more.
    again: HashMap<StoreKey, Record>,
}

impl FaultyStore {
    /// A store of which one call in `one_in` is wrong, where the fault applies.
    #[must_use]
    pub fn new(fault: Option<StoreFault>, one_in: u64, clock: Clock) -> Self {
        let (model, memory) = (ModelStore::new(clock.clone()), Mutex::default());
        Self(Arc::new(Inner { fault, one_in: one_in.max(1), model, clock, memory }))
    }

    /// The clock of the store.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this call is wrong in this way.
    fn is(&self, fault: StoreFault) -> bool {
        if self.0.fault != Some(fault) {
            return false;
        }
        let mut memory = self.memory();
        memory.calls += 1;
        memory.calls.is_multiple_of(self.0.one_in)
    }

    fn kept(&self, record: &Record) -> Record {
        let ttl = if self.is(StoreFault::ExpiryIgnored) { record.ttl * 1000 } else { record.ttl };
        Record::new(record.payload.clone(), record.version, ttl)
    }

    /// What a duplicate or a late write does when its time has come.
    fn apply_again(&self, key: &StoreKey) {
        if let Some(record) = self.memory().again.remove(key) {
            self.0.model.plant(*key, record);
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let found = self.0.model.load(key, freshness).await?;
        if self.0.fault == Some(StoreFault::StaleRead) {
            let wrong = self.is(StoreFault::StaleRead);
            let mut memory = self.memory();
            if let Some(seen) = memory.seen.get(key)
                && wrong
            {
                return Ok(Some(seen.clone()));
            }
            if let Some(found) = &found {
                memory.seen.entry(*key).or_insert_with(|| found.clone());
            }
        }
        Ok(found)
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        if self.is(StoreFault::LostAcknowledgement)
            && self.0.model.load(key, Freshness::Latest).await?.is_none()
        {
            return Ok(Created::Created);
        }
        let record = self.kept(record);
        self.0.model.create(key, &record).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let record = self.kept(record);
        let model = &self.0.model;
        let present = model.load(key, Freshness::Latest).await?;
        let matches = present.as_ref().is_some_and(|present| present.version == expected);
        if (present.is_none() && self.is(StoreFault::UpsertingReplace))
            || (present.is_some() && !matches && self.is(StoreFault::VersionNotCompared))
        {
            model.plant(*key, record);
            return Ok(Replaced::Replaced);
        }
        if matches && self.is(StoreFault::LostAcknowledgement) {
            return Ok(Replaced::Replaced);
        }
        if matches && self.is(StoreFault::ResurrectionOnTimeout) {
            self.memory().again.insert(*key, record);
            return Err(StoreError::new(StoreErrorKind::Timeout, "faulty"));
        }
        let answer = model.replace(key, expected, &record).await?;
        if answer == Replaced::Replaced && self.0.fault == Some(StoreFault::DuplicateApply) {
            // The duplicate of the write before arrives just after this one.
            self.apply_again(key);
            if self.is(StoreFault::DuplicateApply) {
                self.memory().again.insert(*key, record);
            }
        }
        Ok(answer)
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.0.model.touch(key, expected, ttl).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        if self.is(StoreFault::DeleteWithoutEffect) {
            return Ok(Deleted::Deleted);
        }
        let answer = self.0.model.delete(key).await?;
        if matches!(self.0.fault, Some(StoreFault::ResurrectionOnTimeout | StoreFault::DuplicateApply)) {
            self.apply_again(key);
        }
        Ok(answer)
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("fault", &self.0.fault).finish_non_exhaustive()
    }
}
