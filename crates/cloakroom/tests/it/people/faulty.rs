//! Stores whose index is wrong in one way, for the proof of what is measured here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom::{
    Admitted, Created, Deleted, Entries, Freshness, IndexVersion, PrincipalIndex, PrincipalTag, Record,
    Replaced, Store, StoreError, StoreErrorKind, StoreKey, Touched, Version, async_trait,
};
use tokio::sync::RwLock;

/// How an index is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexFault {
    /// `admit` ignores the version that is expected.
    AdmitsWithoutLooking,
    /// `entries` leaves out what was entered lately.
    HidesTheYoung,
    /// `admit` begins late: no fault, and yet nobody may suffer from it.
    AdmitsLate,
    /// The first `admit` that evicts somebody is never sent: no fault either.
    FailsOnce,
    /// `enter` and `admit` keep a key for longer than they are told.
    KeepsTooLong,
    /// Nobody else gets an answer while a long list is read.
    HoldsUpOthers,
    /// A long list is read by a thread that does nothing else meanwhile.
    KeepsTheThread,
}

/// A store in front of another one, with an index that is wrong.
#[derive(Debug)]
pub(super) struct Faulty {
    store: Arc<dyn Store>,
    fault: IndexFault,
    turn: RwLock<()>,
    has_failed: AtomicBool,
}

/// For how long others are held up.
const HELD_UP: Duration = Duration::from_millis(250);

/// How late an instance is.
const LATE: Duration = Duration::from_millis(1300);

impl Faulty {
    pub(super) fn new(store: Arc<dyn Store>, fault: IndexFault) -> Self {
        Self { store, fault, turn: RwLock::default(), has_failed: AtomicBool::default() }
    }

    fn index(&self) -> &dyn PrincipalIndex {
        self.store.principals().expect("only stores with an index are spoilt")
    }

    fn kept(&self, ttl: Duration) -> Duration {
        if self.fault == IndexFault::KeepsTooLong { ttl + Duration::from_secs(10) } else { ttl }
    }
}

#[async_trait]
impl PrincipalIndex for Faulty {
    async fn enter(&self, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) -> Result<(), StoreError> {
        self.index().enter(tag, key, self.kept(ttl)).await
    }

    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError> {
        let mut found = self.index().entries(tag).await?;
        if self.fault == IndexFault::HidesTheYoung {
            found.entries.retain(|entry| entry.age > Duration::from_secs(60));
        }
        if found.entries.len() > 1000 {
            match self.fault {
                IndexFault::KeepsTheThread => std::thread::sleep(HELD_UP),
                IndexFault::HoldsUpOthers => {
                    let _alone = self.turn.write().await;
                    tokio::time::sleep(HELD_UP).await;
                }
                _ => {}
            }
        }
        Ok(found)
    }

    async fn admit(
        &self,
        tag: &PrincipalTag,
        expected: IndexVersion,
        key: &StoreKey,
        ttl: Duration,
        evict: &[StoreKey],
    ) -> Result<Admitted, StoreError> {
        let ttl = self.kept(ttl);
        if self.fault == IndexFault::AdmitsLate {
            tokio::time::sleep(LATE).await;
        }
        if self.fault == IndexFault::FailsOnce
            && !evict.is_empty()
            && !self.has_failed.swap(true, Ordering::SeqCst)
        {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "faulty"));
        }
        if self.fault != IndexFault::AdmitsWithoutLooking {
            return self.index().admit(tag, expected, key, ttl, evict).await;
        }
        // Quick stores would seldom be seen at it.
        tokio::time::sleep(Duration::from_millis(1)).await;
        loop {
            let version = self.index().entries(tag).await?.version;
            if self.index().admit(tag, version, key, ttl, evict).await? == Admitted::Admitted {
                return Ok(Admitted::Admitted);
            }
        }
    }

    async fn remove(&self, tag: &PrincipalTag, keys: &[StoreKey], age: Duration) -> Result<(), StoreError> {
        self.index().remove(tag, keys, age).await
    }
}

#[async_trait]
impl Store for Faulty {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let _turn = self.turn.read().await;
        self.store.load(key, freshness).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        let _turn = self.turn.read().await;
        self.store.create(key, record).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let _turn = self.turn.read().await;
        self.store.replace(key, expected, record).await
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        let _turn = self.turn.read().await;
        self.store.touch(key, expected, ttl).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.store.delete(key).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}
