//! The smallest store with an index of principals, right or wrong in one way.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_conformance::Harness;
use cloakroom_core::testing::ModelStore;
use cloakroom_core::{
    Admitted, Clock, Created, Deleted, Entries, Entry, Freshness, IndexVersion, PrincipalIndex, PrincipalTag,
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
    /// Keys, when they came and when they leave.
    entries: BTreeMap<StoreKey, Stay>,
    /// Keys that a fault lists once more.
    doubles: Vec<StoreKey>,
}

#[derive(Clone, Copy, Debug)]
struct Stay {
    since: Duration,
    until: Duration,
    /// Whether it was admitted and not entered.
    admitted: bool,
}

impl List {
    fn enter(&mut self, key: &StoreKey, mut stay: Stay) {
        if let Some(before) = self.entries.get(key) {
            stay.until = stay.until.max(before.until);
        }
        self.entries.insert(*key, stay);
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
            Some(IndexFault::ListsDieAsOne) if list.entries.values().any(|stay| stay.until <= now) => {
                list.entries.clear();
            }
            Some(IndexFault::ListsLiveAsOne) if list.entries.values().any(|stay| stay.until > now) => {}
            _ => list.entries.retain(|_, stay| stay.until > now + early),
        }
        work(list, now)
    }

    /// The stay of a key that comes now.
    fn stay(&self, list: &List, key: &StoreKey, now: Duration, ttl: Duration, admitted: bool) -> Stay {
        let first = list.entries.get(key).map(|stay| stay.since);
        let since = first.filter(|_| self.has(IndexFault::AgesAreThoseOfTheFirstEntry)).unwrap_or(now);
        Stay { since, until: now + ttl, admitted }
    }

    fn admitted(&self, list: &mut List, key: &StoreKey, stay: Stay, evict: &[StoreKey]) {
        if !self.has(IndexFault::AdmitDoesNotEvict) {
            list.entries.retain(|key, _| !evict.contains(key));
        }
        if !self.has(IndexFault::AdmitDoesNotEnter) {
            list.enter(key, stay);
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
            list.enter(key, self.stay(list, key, now, ttl, false));
        });
        Ok(())
    }

    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError> {
        let (list, now) = self.with(tag, |list, now| (list.clone(), now));
        if list.entries.is_empty() && self.has(IndexFault::UnknownTagFails) {
            return Err(StoreError::new(StoreErrorKind::Other, "model"));
        }
        let hidden = |stay: &Stay| stay.admitted && self.has(IndexFault::AdmittedIsHidden);
        let age = |stay: &Stay| match self.fault {
            Some(IndexFault::AgesAreUnknown) => Duration::MAX,
            _ => now - stay.since,
        };
        let live = list.entries.iter().filter(|(_, stay)| !hidden(stay));
        let live = live.map(|(key, stay)| Entry::new(*key, age(stay)));
        let doubles = list.doubles.iter().map(|key| Entry::new(*key, Duration::ZERO));
        let cut = if self.has(IndexFault::LongListsAreCut) { 100 } else { usize::MAX };
        Ok(Entries::new(live.chain(doubles).take(cut).collect(), IndexVersion::new(list.version)))
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
            self.with(tag, |list, now| {
                let stay = self.stay(list, key, now, ttl, true);
                self.admitted(list, key, stay, evict);
            });
            return Ok(Admitted::Admitted);
        }
        if self.has(IndexFault::AdmitInTwoSteps) && self.with(tag, matches) {
            self.with(tag, |list, now| list.enter(key, self.stay(list, key, now, ttl, true)));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(self.with(tag, |list, now| {
            if list.version != expected.get() && !self.has(IndexFault::AdmitIgnoresTheVersion) {
                if self.has(IndexFault::ConflictEnters) {
                    list.enter(key, self.stay(list, key, now, ttl, true));
                }
                if self.has(IndexFault::ConflictEvicts) {
                    list.entries.retain(|key, _| !evict.contains(key));
                }
                return Admitted::Conflict;
            }
            let stay = self.stay(list, key, now, ttl, true);
            self.admitted(list, key, stay, evict);
            Admitted::Admitted
        }))
    }

    async fn remove(&self, tag: &PrincipalTag, keys: &[StoreKey], age: Duration) -> Result<(), StoreError> {
        if self.has(IndexFault::RemoveIgnoresTheTag) {
            for list in self.lists.lock().unwrap().values_mut() {
                list.entries.retain(|key, _| !keys.contains(key));
            }
        }
        self.with(tag, |list, now| match self.fault {
            Some(IndexFault::RemoveWithoutEffect) => Ok(()),
            Some(IndexFault::RemoveAgainFails) if keys.iter().any(|key| !list.entries.contains_key(key)) => {
                Err(StoreError::new(StoreErrorKind::Other, "model"))
            }
            Some(IndexFault::RemoveTakesAll) => {
                list.entries.clear();
                Ok(())
            }
            _ => {
                let most = if self.has(IndexFault::RemoveTakesOneOfMany) { 1 } else { keys.len() };
                let keys = &keys[..most.min(keys.len())];
                let aged = |stay: &Stay| now - stay.since >= age || self.has(IndexFault::RemoveIgnoresTheAge);
                list.entries.retain(|key, stay| !keys.contains(key) || !aged(stay));
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
