//! A store that fails when it is told to, and counts what it is asked.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::principal::PrincipalIndex;
use crate::store::{Created, Deleted, Freshness, Record, Replaced, Store, StoreKey, Touched, Version};
use crate::store_error::{StoreError, StoreErrorKind};

/// A decorator that counts the calls to a store, and fails those that a test picks. A clone is the same
/// store.
///
/// ```
/// use cloakroom_core::testing::{FailingStore, Failure, ModelStore, Verb};
/// use cloakroom_core::{Clock, Freshness, Store, StoreErrorKind, StoreKey};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = FailingStore::new(ModelStore::new(Clock::system()));
/// store.fail_next(Verb::Load, Failure::Before(StoreErrorKind::Unavailable));
/// let key = StoreKey::from_bytes([1; 32]);
/// assert!(store.load(&key, Freshness::Latest).await.is_err());
/// assert!(store.load(&key, Freshness::Latest).await.is_ok());
/// assert_eq!(store.calls().loads, 2);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct FailingStore(Arc<Inner>);

struct Inner {
    store: Box<dyn Store>,
    plan: Mutex<Plan>,
}

#[derive(Default)]
struct Plan {
    calls: StoreCalls,
    next: Vec<(Verb, Failure)>,
    always: Option<Failure>,
}

/// Which method of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// [`Store::load`].
    Load,
    /// [`Store::create`].
    Create,
    /// [`Store::replace`].
    Replace,
    /// [`Store::touch`].
    Touch,
    /// [`Store::delete`].
    Delete,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// With this error, and without effect.
    Before(StoreErrorKind),
    /// With this error, after it took effect: a lost reply.
    After(StoreErrorKind),
}

/// How often each method of a store was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each field is named by its method")]
pub struct StoreCalls {
    pub loads: u64,
    pub creates: u64,
    pub replaces: u64,
    pub touches: u64,
    pub deletes: u64,
}

impl StoreCalls {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.loads + self.creates + self.replaces + self.touches + self.deletes
    }
}

impl FailingStore {
    /// The same store, failing never yet.
    #[must_use]
    pub fn new(store: impl Store) -> Self {
        Self(Arc::new(Inner { store: Box::new(store), plan: Mutex::default() }))
    }

    /// Lets the next call of this method fail; several are taken in their order.
    pub fn fail_next(&self, verb: Verb, failure: Failure) {
        self.plan().next.push((verb, failure));
    }

    /// Lets every call fail that is not planned otherwise, until [`heal`](Self::heal).
    pub fn fail_always(&self, failure: Failure) {
        self.plan().always = Some(failure);
    }

    /// Forgets all planned failures.
    pub fn heal(&self) {
        let mut plan = self.plan();
        plan.next.clear();
        plan.always = None;
    }

    /// How often each method was called.
    #[must_use]
    pub fn calls(&self) -> StoreCalls {
        self.plan().calls
    }

    /// Counts from zero again.
    pub fn reset_calls(&self) {
        self.plan().calls = StoreCalls::default();
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, verb: Verb) -> Option<Failure> {
        let mut plan = self.plan();
        let calls = &mut plan.calls;
        *match verb {
            Verb::Load => &mut calls.loads,
            Verb::Create => &mut calls.creates,
            Verb::Replace => &mut calls.replaces,
            Verb::Touch => &mut calls.touches,
            Verb::Delete => &mut calls.deletes,
        } += 1;
        let planned = plan.next.iter().position(|(planned, _)| *planned == verb);
        planned.map(|at| plan.next.remove(at).1).or(plan.always)
    }

    async fn run<T>(
        &self,
        verb: Verb,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match self.begin(verb) {
            None => call.await,
            Some(Failure::Before(kind)) => Err(StoreError::new(kind, "failing")),
            Some(Failure::After(kind)) => {
                call.await?;
                Err(StoreError::new(kind, "failing"))
            }
        }
    }
}

#[async_trait]
impl Store for FailingStore {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        self.run(Verb::Load, self.0.store.load(key, freshness)).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.run(Verb::Create, self.0.store.create(key, record)).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        self.run(Verb::Replace, self.0.store.replace(key, expected, record)).await
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.run(Verb::Touch, self.0.store.touch(key, expected, ttl)).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.run(Verb::Delete, self.0.store.delete(key)).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        self.0.store.principals()
    }
}

impl Clone for FailingStore {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl fmt::Debug for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailingStore").field("calls", &self.calls()).finish_non_exhaustive()
    }
}
