//! Instances of one application over one store, with key rings and policies of their own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::testing::{FailingStore, ModelStore};
use cloakroom_core::{
    Admitted, Clock, Created, Deleted, Entries, Entry, Freshness, IndexVersion, KeyRing, PrincipalIndex,
    PrincipalTag, Record, Replaced, SessionManagerBuilder, Store, StoreError, StoreErrorKind, StoreKey,
    Touched, Version,
};

use crate::world::World;

/// What becomes of a replace.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Pass,
    Before(StoreErrorKind),
    /// Never ends, and has no effect.
    Hang,
}

/// A model store with an index, a plan for replaces, and waits.
#[derive(Debug)]
pub(crate) struct Shop {
    inner: Arc<ModelStore>,
    replaces: Mutex<VecDeque<Step>>,
    clock: Clock,
    index: Mutex<BTreeMap<PrincipalTag, List>>,
    entered: AtomicUsize,
    hangs: AtomicBool,
    finds_records: AtomicBool,
    indexed: bool,
}

/// A principal's list: keys, with when they were last entered and when they go.
#[derive(Debug, Default)]
struct List {
    version: u64,
    entries: BTreeMap<StoreKey, (Duration, Duration)>,
}

impl List {
    fn enter(&mut self, key: StoreKey, now: Duration, ttl: Duration) {
        let stay = self.entries.entry(key).or_default();
        *stay = (now, stay.1.max(now + ttl));
    }
}

impl Shop {
    fn with<T>(&self, tag: &PrincipalTag, work: impl FnOnce(&mut List, Duration) -> T) -> T {
        let now = self.clock.monotonic();
        let mut index = self.index.lock().unwrap();
        let list = index.entry(*tag).or_default();
        list.entries.retain(|_, (_, until)| *until > now);
        work(list, now)
    }
}

async fn wait() {
    tokio::task::yield_now().await;
}

#[async_trait]
impl Store for Shop {
    async fn load(&self, key: &StoreKey, f: Freshness) -> Result<Option<Record>, StoreError> {
        self.inner.load(key, f).await
    }
    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.inner.create(key, record).await
    }
    async fn replace(&self, key: &StoreKey, e: Version, record: &Record) -> Result<Replaced, StoreError> {
        wait().await;
        let step = self.replaces.lock().unwrap().pop_front().unwrap_or(Step::Pass);
        match step {
            Step::Pass => {
                let before = self.inner.load(key, Freshness::Latest).await?.and_then(|old| old.principal);
                let answer = self.inner.replace(key, e, record).await;
                if let (Ok(Replaced::Replaced), Some(tag), true) =
                    (&answer, before, before != record.principal && self.finds_records.load(Ordering::SeqCst))
                {
                    // As a store does that finds records by their principal.
                    self.with(&tag, |list, _| list.entries.remove(key));
                }
                wait().await;
                answer
            }
            Step::Before(kind) => Err(StoreError::new(kind, "shop")),
            Step::Hang => {
                self.hangs.store(true, Ordering::SeqCst);
                std::future::pending().await
            }
        }
    }
    async fn touch(&self, key: &StoreKey, e: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.inner.touch(key, e, ttl).await
    }
    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.inner.delete(key).await
    }
    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        self.indexed.then_some(self as _)
    }
}

#[async_trait]
impl PrincipalIndex for Shop {
    async fn enter(&self, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) -> Result<(), StoreError> {
        self.entered.fetch_add(1, Ordering::SeqCst);
        self.with(tag, |list, now| list.enter(*key, now, ttl));
        Ok(())
    }
    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError> {
        wait().await;
        Ok(self.with(tag, |list, now| {
            let listed = list.entries.iter().map(|(key, (since, _))| Entry::new(*key, now - *since));
            Entries::new(listed.collect(), IndexVersion::new(list.version))
        }))
    }
    async fn admit(
        &self,
        tag: &PrincipalTag,
        expected: IndexVersion,
        key: &StoreKey,
        ttl: Duration,
        evict: &[StoreKey],
    ) -> Result<Admitted, StoreError> {
        wait().await;
        let answer = self.with(tag, |list, now| {
            if list.version != expected.get() {
                return Admitted::Conflict;
            }
            list.version += 1;
            list.entries.retain(|key, _| !evict.contains(key));
            list.enter(*key, now, ttl);
            Admitted::Admitted
        });
        wait().await;
        Ok(answer)
    }
    async fn remove(&self, tag: &PrincipalTag, gone: &[StoreKey], age: Duration) -> Result<(), StoreError> {
        wait().await;
        self.with(tag, |list, now| {
            list.entries.retain(|key, (since, _)| !gone.contains(key) || now - *since < age);
        });
        Ok(())
    }
}

pub(crate) struct Fleet {
    clock: Clock,
    model: Arc<ModelStore>,
    shop: Arc<Shop>,
}

impl Fleet {
    pub(crate) fn new(indexed: bool) -> Self {
        let clock = Clock::manual();
        let model = Arc::new(ModelStore::new(clock.clone()));
        let shop = Arc::new(Shop {
            inner: Arc::clone(&model),
            replaces: Mutex::default(),
            clock: clock.clone(),
            index: Mutex::default(),
            entered: AtomicUsize::new(0),
            hangs: AtomicBool::new(false),
            finds_records: AtomicBool::new(false),
            indexed,
        });
        Self { clock, model, shop }
    }
    pub(crate) fn world(
        &self,
        secrets: &[u8],
        policy: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder,
    ) -> World {
        let secrets: Vec<Vec<u8>> = secrets.iter().map(|n| [[*n; 16], [n + 100; 16]].concat()).collect();
        World::over(
            self.clock.clone(),
            Arc::clone(&self.model),
            FailingStore::new(Arc::clone(&self.shop)),
            KeyRing::from_secrets(secrets).unwrap(),
            policy,
        )
    }
    /// How often a key was entered into the index, and how many there are.
    pub(crate) fn entries(&self) -> (usize, usize) {
        let listed = self.shop.index.lock().unwrap().values().map(|list| list.entries.len()).sum();
        (self.shop.entered.load(Ordering::SeqCst), listed)
    }
    /// Drops the work when it has come to its next replace, as the death of its process would.
    pub(crate) async fn dropped_at_the_replace<T>(&self, work: impl Future<Output = T>) -> bool {
        self.plan(&[Step::Hang]);
        let hangs = async {
            while !self.shop.hangs.swap(false, Ordering::SeqCst) {
                wait().await;
            }
        };
        tokio::select! {
            _ = work => false,
            () = hangs => true,
        }
    }

    /// From now on an entry goes with the principal of its record.
    pub(crate) fn finds_records(&self) {
        self.shop.finds_records.store(true, Ordering::SeqCst);
    }

    /// Lets a login go on until its key is entered, and no further.
    pub(crate) async fn until_listed<T>(&self, login: &mut (impl Future<Output = T> + Unpin)) {
        while self.entries().1 == 0 {
            assert!(futures_util::poll!(&mut *login).is_pending());
        }
    }

    pub(crate) fn plan(&self, steps: &[Step]) {
        *self.shop.replaces.lock().unwrap() = steps.iter().copied().collect();
    }
}
