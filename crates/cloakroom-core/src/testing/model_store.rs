//! The smallest store that keeps the contract: what all others are compared with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::principal::PrincipalIndex;
use crate::store::{Created, Deleted, Freshness, Record, Replaced, Store, StoreKey, Touched, Version};
use crate::store_error::StoreError;

/// The smallest store that keeps the contract: one map behind one lock, on a clock of the test's choice.
///
/// It has no index of principals, and it forgets expired records only when they are looked at.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Clock, Created, Freshness, Record, Store, StoreKey, Version};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let clock = Clock::manual();
/// let store = ModelStore::new(clock.clone());
/// let key = StoreKey::from_bytes([1; 32]);
/// let record = Record::new(b"sealed".to_vec(), Version::random()?, Duration::from_secs(60));
/// assert_eq!(store.create(&key, &record).await?, Created::Created);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(store.load(&key, Freshness::Latest).await?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ModelStore {
    clock: Clock,
    records: Mutex<BTreeMap<StoreKey, Kept>>,
}

struct Kept {
    record: Record,
    dies_at: Duration,
}

impl ModelStore {
    /// An empty store on this clock.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self { clock, records: Mutex::new(BTreeMap::new()) }
    }

    /// Everything in it that is alive: key, record, time left.
    #[must_use]
    pub fn dump(&self) -> Vec<(StoreKey, Record)> {
        let now = self.clock.monotonic();
        let live = self.live();
        live.iter().map(|(key, kept)| (*key, kept.as_seen_at(now))).collect()
    }

    /// Puts any bytes under a key, past every rule, as a hostile writer to the backend would.
    pub fn plant(&self, key: StoreKey, record: Record) {
        let dies_at = self.clock.monotonic().saturating_add(record.ttl);
        self.live().insert(key, Kept { record, dies_at });
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<StoreKey, Kept>> {
        let now = self.clock.monotonic();
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.retain(|_, kept| kept.dies_at > now);
        records
    }

    fn kept(&self, record: &Record) -> Kept {
        Kept { record: record.clone(), dies_at: self.clock.monotonic().saturating_add(record.ttl) }
    }
}

impl Kept {
    fn as_seen_at(&self, now: Duration) -> Record {
        let mut record = self.record.clone();
        record.ttl = self.dies_at.saturating_sub(now);
        record
    }
}

#[async_trait]
impl Store for ModelStore {
    async fn load(&self, key: &StoreKey, _freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let now = self.clock.monotonic();
        Ok(self.live().get(key).map(|kept| kept.as_seen_at(now)))
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        let mut records = self.live();
        match records.get(key) {
            Some(kept) if kept.record.version == record.version => Ok(Created::Created),
            Some(_) => Ok(Created::Occupied),
            None => {
                records.insert(*key, self.kept(record));
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
        let mut records = self.live();
        match records.get_mut(key) {
            None => Ok(Replaced::Missing),
            Some(kept) if kept.record.version == record.version => Ok(Replaced::Replaced),
            Some(kept) if kept.record.version != expected => Ok(Replaced::Conflict),
            Some(kept) => {
                *kept = self.kept(record);
                Ok(Replaced::Replaced)
            }
        }
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        let mut records = self.live();
        match records.get_mut(key) {
            None => Ok(Touched::Missing),
            Some(kept) if kept.record.version != expected => Ok(Touched::Conflict),
            Some(kept) => {
                kept.dies_at = kept.dies_at.max(self.clock.monotonic().saturating_add(ttl));
                Ok(Touched::Touched)
            }
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        match self.live().remove(key) {
            Some(_) => Ok(Deleted::Deleted),
            None => Ok(Deleted::Missing),
        }
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

impl fmt::Debug for ModelStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelStore").field("records", &self.live().len()).finish_non_exhaustive()
    }
}
