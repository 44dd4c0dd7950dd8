//! The store itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{
    Admitted, Clock, Created, Deleted, Entries, Freshness, IndexVersion, PrincipalIndex, PrincipalTag,
    Record, Replaced, Store, StoreError, StoreErrorKind, StoreKey, Touched, Version,
};

use crate::deadline::Deadline;
use crate::hashed::Hashed;
use crate::index::Index;
use crate::meter::Full;
use crate::room::{Bounds, Room};
use crate::search::{Search, Swept};
use crate::shard::{Scene, Shard};
use crate::shards::Shards;

#[cfg(test)]
mod tests;

/// Keeps sessions in the memory of this process, up to a bound.
///
/// A clone is the same store. Verbs never wait for anything but each other: each holds one lock for about a
/// microsecond.
///
/// # Bounds
///
/// By default a store holds 1 000 000 records, so that what it spends on them beyond payloads stays near
/// 150 MB, or near 400 MB if each has a principal, and 1 GiB of payload, which is a million sessions of
/// 1 KiB. Of both bounds the last tenth is for records that have a principal: a flood of anonymous sessions
/// is refused with [`Full`](StoreErrorKind::Full) while users go on logging in. A live record is never
/// evicted. A record that is there can always be replaced by one that is no larger, touched and deleted. The
/// index of principals holds as many entries as there may be records.
///
/// What has expired makes room for what is new. A verb that finds the store full looks for it, at about
/// 1 000 records whose time had come as they were first written; where so many live on, or free too little for a
/// large one, it answers `Full`, and the next verb goes on behind them.
///
/// # Time
///
/// A record is gone at exactly its time to live, by [`Clock::monotonic`]: setting the system's clock
/// neither ends sessions nor prolongs them. What has expired is removed in small steps by the verbs that
/// come after; nothing runs in the background.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::{Created, Freshness, Record, Store, StoreKey, Version};
/// use cloakroom_memory::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let key = StoreKey::from_bytes([1; 32]);
/// let record = Record::new(b"sealed".to_vec(), Version::random()?, Duration::from_secs(60));
/// assert_eq!(store.create(&key, &record).await?, Created::Created);
///
/// let same_store = store.clone();
/// let loaded = same_store.load(&key, Freshness::Latest).await?;
/// assert_eq!(loaded.map(|record| record.payload), Some(b"sealed".to_vec()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    shards: Shards<Shard>,
    index: Index,
    room: Room,
    bounds: Bounds,
    clock: Clock,
}

impl MemoryStore {
    /// An empty store on the system's clock, with the default [bounds](Self#bounds).
    #[must_use]
    pub fn new() -> Self {
        Self::with(Clock::system(), Bounds { entries: 1_000_000, bytes: 1 << 30 })
    }

    /// An empty store like this one, on another clock.
    ///
    /// ```
    /// use cloakroom_core::Clock;
    /// use cloakroom_memory::MemoryStore;
    ///
    /// let clock = Clock::manual();
    /// let store = MemoryStore::new().with_clock(clock.clone());
    /// assert!(store.is_empty());
    /// ```
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self::with(clock, self.0.bounds)
    }

    /// An empty store like this one, for at most so many records. The default is 1 000 000.
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    ///
    /// let store = MemoryStore::new().with_max_entries(10_000);
    /// assert_eq!(store.len(), 0);
    /// ```
    #[must_use]
    pub fn with_max_entries(self, entries: usize) -> Self {
        Self::with(self.0.clock.clone(), Bounds { entries, ..self.0.bounds })
    }

    /// An empty store like this one, for at most so many bytes of payload. The default is 1 GiB.
    ///
    /// A record that would not fit into an empty store is refused with
    /// [`TooLarge`](StoreErrorKind::TooLarge).
    ///
    /// ```
    /// use cloakroom_memory::MemoryStore;
    ///
    /// let store = MemoryStore::new().with_max_bytes(64 << 20);
    /// assert_eq!(store.payload_bytes(), 0);
    /// ```
    #[must_use]
    pub fn with_max_bytes(self, bytes: usize) -> Self {
        Self::with(self.0.clock.clone(), Bounds { bytes, ..self.0.bounds })
    }

    /// The number of live records.
    ///
    /// It removes those that have expired, a few at a time, so that no other verb waits long.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sweep();
        self.0.room.entries()
    }

    /// Whether there is no live record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that the payloads of live records take.
    ///
    /// It removes records that have expired, as [`len`](Self::len) does.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.sweep();
        self.0.room.bytes()
    }

    fn with(clock: Clock, bounds: Bounds) -> Self {
        let index = Index::new(clock.clone(), bounds.entries);
        let room = Room::new(bounds);
        Self(Arc::new(Inner { shards: Shards::new(), index, room, bounds, clock }))
    }

    /// Runs a verb on the shard of `key`, and then a step of sweeping.
    fn at<T>(&self, key: &StoreKey, verb: impl FnOnce(&mut Scene<'_>, Hashed<'_>) -> T) -> (T, Swept) {
        let key = Hashed::from(key.as_bytes());
        let mut shard = self.0.shards.of(key);
        let mut scene = self.0.scene(&mut shard);
        let answer = verb(&mut scene, key);
        (answer, scene.sweep())
    }

    /// Runs a verb that needs room for `record`, again for as long as its search finds some.
    fn with_room<T>(
        &self,
        key: &StoreKey,
        record: &Record,
        mut verb: impl FnMut(&mut Scene<'_>, Hashed<'_>) -> Result<T, Full>,
    ) -> Result<T, StoreError> {
        let mut search = Search::new();
        loop {
            let (answer, own) = self.at(key, &mut verb);
            match answer {
                Ok(answer) => return Ok(answer),
                Err(Full) if self.0.room.can_never_hold(record) => {
                    return Err(error(StoreErrorKind::TooLarge));
                }
                Err(Full) => {}
            }
            if !search.finds_room(own, &self.0.shards, |shard| self.0.scene(shard).sweep()) {
                return Err(error(StoreErrorKind::Full));
            }
        }
    }

    /// Removes all that has expired. The lock of a shard is let go after each step.
    fn sweep(&self) {
        let mut number = 0;
        while let Some(mut shard) = self.0.shards.numbered(number) {
            number += usize::from(self.0.scene(&mut shard).sweep().looked == 0);
        }
    }
}

impl Inner {
    /// The shard now: the clock is read under the lock, so that time never goes back on a shard.
    fn scene<'a>(&'a self, shard: &'a mut Shard) -> Scene<'a> {
        Scene { shard, now: Deadline::at(self.clock.monotonic()), room: &self.room, index: &self.index }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, key: &StoreKey, _freshness: Freshness) -> Result<Option<Record>, StoreError> {
        Ok(self.at(key, |scene, key| scene.load(key)).0)
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.with_room(key, record, |scene, key| scene.create(key, record))
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        self.with_room(key, record, |scene, key| scene.replace(key, expected, record))
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        Ok(self.at(key, |scene, key| scene.touch(key, expected, ttl)).0)
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        Ok(self.at(key, |scene, key| scene.delete(key)).0)
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}

/// Besides at its own time to live, an entry goes when the record under its key, with the same principal, is
/// deleted, expires or passes to another principal.
///
/// The version of an empty list also changes now and then without cause; [`admit`](PrincipalIndex::admit)
/// then answers `Conflict`, and the caller reads it again.
#[async_trait]
impl PrincipalIndex for MemoryStore {
    async fn enter(&self, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) -> Result<(), StoreError> {
        self.0.index.enter(tag, key, ttl).map_err(|Full| error(StoreErrorKind::Full))
    }

    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError> {
        Ok(self.0.index.entries(tag))
    }

    async fn admit(
        &self,
        tag: &PrincipalTag,
        expected: IndexVersion,
        key: &StoreKey,
        ttl: Duration,
        evict: &[StoreKey],
    ) -> Result<Admitted, StoreError> {
        let answer = self.0.index.admit(tag, expected, key, ttl, evict);
        answer.map_err(|Full| error(StoreErrorKind::Full))
    }

    async fn remove(&self, tag: &PrincipalTag, keys: &[StoreKey], age: Duration) -> Result<(), StoreError> {
        self.0.index.remove(tag, keys, age);
        Ok(())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.0.room.entries())
            .field("payload_bytes", &self.0.room.bytes())
            .field("indexed", &self.0.index.len())
            .finish_non_exhaustive()
    }
}

fn error(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, "memory")
}
