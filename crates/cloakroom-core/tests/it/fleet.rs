//! Instances of one application over one store, with key rings and policies of their own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
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
}

/// A model store with an index, a plan for replaces, and waits.
#[derive(Debug)]
pub(crate) struct Shop {
    inner: Arc<ModelStore>,
    replaces: Mutex<VecDeque<Step>>,
    index: Mutex<BTreeMap<PrincipalTag, BTreeSet<StoreKey>>>,
    entered: AtomicUsize,
    indexed: bool,
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
                let answer = self.inner.replace(key, e, record).await;
                wait().await;
                answer
            }
            Step::Before(kind) => Err(StoreError::new(kind, "shop")),
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
    async fn enter(&self, tag: &PrincipalTag, key: &StoreKey, _: Duration) -> Result<(), StoreError> {
        self.entered.fetch_add(1, Ordering::SeqCst);
        self.index.lock().unwrap().entry(*tag).or_default().insert(*key);
        Ok(())
    }
    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError> {
        let index = self.index.lock().unwrap();
        let listed = index.get(tag).into_iter().flatten().map(|key| Entry::new(*key, Duration::MAX));
        Ok(Entries::new(listed.collect(), IndexVersion::new(0)))
    }
    async fn admit(
        &self,
        _: &PrincipalTag,
        _: IndexVersion,
        _: &StoreKey,
        _: Duration,
        _: &[StoreKey],
    ) -> Result<Admitted, StoreError> {
        Ok(Admitted::Conflict)
    }
    async fn remove(&self, tag: &PrincipalTag, gone: &[StoreKey], _: Duration) -> Result<(), StoreError> {
        wait().await;
        if let Some(keys) = self.index.lock().unwrap().get_mut(tag) {
            keys.retain(|key| !gone.contains(key));
        }
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
            index: Mutex::default(),
            entered: AtomicUsize::new(0),
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
        let listed = self.shop.index.lock().unwrap().values().map(BTreeSet::len).sum();
        (self.shop.entered.load(Ordering::SeqCst), listed)
    }
    pub(crate) fn plan(&self, steps: &[Step]) {
        *self.shop.replaces.lock().unwrap() = steps.iter().copied().collect();
    }
}
