//! The smallest store with an index of principals, right or wrong in one way.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_conformance::Harness;
use cloakroom_core::testing::ModelStore;
use cloakroom_core::{
    Admitted, Clock, Created, Deleted, Entries, Freshness, IndexVersion, PrincipalIndex, PrincipalTag,
    Record, Replaced, Store, StoreError, StoreErrorKind, StoreKey, Touched, Version, async_trait,
};

use crate::fault::IndexFault;

/// Opens indexed stores on a clock that the laws move.
pub(crate) struct Indexed {
    clock: Clock,
    fault: Option<IndexFault>,
}

impl Indexed {
    pub(crate) fn with(fault: Option<IndexFault>) -> Self {
        Self { clock: Clock::manual(), fault }
    }
}

impl Harness for Indexed {
    type Store = Arc<IndexedModel>;

    async fn open(&self) -> Arc<IndexedModel> {
        let records = ModelStore::new(self.clock.clone());
        let index = ModelIndex { clock: self.clock.clone(), fault: self.fault, lists: Mutex::default() };
        Arc::new(IndexedModel { records, index })
    }

    async fn open_again(&self, store: &Arc<IndexedModel>) -> Arc<IndexedModel> {
        Arc::clone(store)
    }

    async fn elapse(&self, time: Duration) {
        self.clock.advance(time);
    }
}

#[derive(Debug)]
pub(crate) struct IndexedModel {
    records: ModelStore,
    index: ModelIndex,
}

#[derive(Debug)]
struct ModelIndex {
    clock: Clock,
    fault: Option<IndexFault>,
    lists: Mutex<HashMap<PrincipalTag, List>>,
}

#[derive(Clone, Debug, Default)]
struct List {
    version: u64,
    /// Keys, and when they leave.
    entries: BTreeMap<StoreKey, Duration>,
    /// Keys that a fault lists once more.
    doubles: Vec<StoreKey>,
}

impl List {
    fn enter(&mut self, key: &StoreKey, until: Duration) -> bool {
        let before = self.entries.get(key).copied();
        self.entries.insert(*key, before.map_or(until, |before| before.max(until)));
        before.is_none()
    }
}

impl ModelIndex {
    fn has(&self, fault: IndexFault) -> bool {
        self.fault == Some(fault)
    }

    /// Does something with a list, without what has expired.
    fn with<T>(&self, tag: &PrincipalTag, work: impl FnOnce(&mut List, Duration) -> T) -> T {
        let mut bytes = *tag.as_bytes();
        match self.fault {
            Some(IndexFault::TagsIgnoreCase) => bytes.make_ascii_lowercase(),
            Some(IndexFault::TagsAreCut) => bytes[31] = 0,
            _ => {}
        }
        let now = self.clock.monotonic();
        let mut lists = self.lists.lock().unwrap();
        let list = lists.entry(PrincipalTag::from_bytes(bytes)).or_default();
        let early =
            if self.has(IndexFault::EntriesDieEarly) { Duration::from_millis(100) } else { Duration::ZERO };
        match self.fault {
            Some(IndexFault::EntriesNeverDie) => {}
            Some(IndexFault::ListsDieAsOne) if list.entries.values().any(|until| *until <= now) => {
                list.entries.clear();
            }
            Some(IndexFault::ListsLiveAsOne) if list.entries.values().any(|until| *until > now) => {}
            _ => list.entries.retain(|_, until| *until > now + early),
        }
        work(list, now)
    }

    fn admitted(&self, list: &mut List, key: &StoreKey, until: Duration, evict: &[StoreKey]) {
        if !self.has(IndexFault::AdmitDoesNotEvict) {
            list.entries.retain(|key, _| !evict.contains(key));
        }
        if !self.has(IndexFault::AdmitDoesNotEnter) {
            let _ = list.enter(key, until);
        }
        if !self.has(IndexFault::VersionIgnoresAdmit) {
            list.version += 1;
        }
    }
}

#[async_trait]
impl PrincipalIndex for ModelIndex {
    async fn enter(&self, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) -> Result<(), StoreError> {
        self.with(tag, |list, now| {
            let present = list.entries.contains_key(key);
            match self.fault {
                Some(IndexFault::EnterListsTwice) if present => list.doubles.push(*key),
                Some(IndexFault::EnterForgetsTheOthers) => list.entries.clear(),
                Some(IndexFault::EnterShortens) => {
                    list.entries.remove(key);
                }
                Some(IndexFault::EnterNeverExtends) if present => return,
                _ => {}
            }
            if list.enter(key, now + ttl) && !self.has(IndexFault::VersionIgnoresEnter) {
                list.version += 1;
            }
        });
        Ok(())
    }

    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError> {
        let list = self.with(tag, |list, _| list.clone());
        if list.entries.is_empty() && self.has(IndexFault::UnknownTagFails) {
            return Err(StoreError::new(StoreErrorKind::Other, "model"));
        }
        let keys = list.entries.into_keys().chain(list.doubles).collect();
        Ok(Entries::new(keys, IndexVersion::new(list.version)))
    }

    async fn admit(
        &self,
        tag: &PrincipalTag,
        expected: IndexVersion,
        key: &StoreKey,
        ttl: Duration,
        evict: &[StoreKey],
    ) -> Result<Admitted, StoreError> {
        let matches = |list: &mut List, _| list.version == expected.get();
        if self.has(IndexFault::AdmitRaces) && self.with(tag, matches) {
            tokio::task::yield_now().await;
            self.with(tag, |list, now| self.admitted(list, key, now + ttl, evict));
            return Ok(Admitted::Admitted);
        }
        if self.has(IndexFault::AdmitInTwoSteps) && self.with(tag, matches) {
            self.with(tag, |list, now| list.enter(key, now + ttl));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(self.with(tag, |list, now| {
            if list.version != expected.get() && !self.has(IndexFault::AdmitIgnoresTheVersion) {
                if self.has(IndexFault::ConflictEnters) {
                    let _ = list.enter(key, now + ttl);
                }
                if self.has(IndexFault::ConflictEvicts) {
                    list.entries.retain(|key, _| !evict.contains(key));
                }
                return Admitted::Conflict;
            }
            self.admitted(list, key, now + ttl, evict);
            Admitted::Admitted
        }))
    }

    async fn remove(&self, tag: &PrincipalTag, key: &StoreKey) -> Result<(), StoreError> {
        if self.has(IndexFault::RemoveIgnoresTheTag) {
            for list in self.lists.lock().unwrap().values_mut() {
                list.entries.remove(key);
            }
        }
        self.with(tag, |list, _| match self.fault {
            Some(IndexFault::RemoveWithoutEffect) => Ok(()),
            Some(IndexFault::RemoveAgainFails) if !list.entries.contains_key(key) => {
                Err(StoreError::new(StoreErrorKind::Other, "model"))
            }
            Some(IndexFault::RemoveTakesAll) => {
                list.entries.clear();
                Ok(())
            }
            _ => {
                if list.entries.remove(key).is_some() && !self.has(IndexFault::VersionIgnoresRemove) {
                    list.version += 1;
                }
                Ok(())
            }
        })
    }
}

#[async_trait]
impl Store for IndexedModel {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        self.records.load(key, freshness).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.records.create(key, record).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        self.records.replace(key, expected, record).await
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.records.touch(key, expected, ttl).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.records.delete(key).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        Some(&self.index)
    }
}
