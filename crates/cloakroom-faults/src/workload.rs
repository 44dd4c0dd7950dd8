//! Clients that work on the same records at the same time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_core::{Error, Freshness, Record, Replaced, Store as _, StoreError, StoreKey, Version};
use cloakroom_testkit::Dice;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::recorded::Recorded;

/// How long a client rests after an error, so that an outage is not a busy loop.
const REST: Duration = Duration::from_millis(5);
/// How many calls of one key may end without a known outcome before its clients only look.
const MOST_UNKNOWN: usize = 3;
/// How often a client calls each record.
const CALLS: usize = 4;

/// What the clients do: groups of them, each of which leads one record after the other through its life.
///
/// A record is created once, and never again after it was deleted, as that of a session.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Workload {
    /// How many records are worked on at the same time.
    pub groups: usize,
    /// How many clients work on each.
    pub clients: usize,
    /// How long records live.
    pub ttl: Duration,
    /// How long a client rests between two calls.
    pub pace: Duration,
}

impl Workload {
    /// Six records at a time, three clients each, without a rest; every record lives for ten minutes.
    pub const fn new() -> Self {
        Self { groups: 6, clients: 3, ttl: Duration::from_secs(600), pace: Duration::ZERO }
    }

    /// Sets how many records are worked on at the same time.
    pub const fn with_groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Sets how long records live.
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets how long a client rests between two calls.
    pub const fn with_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Starts the clients. Each group takes the next one of the stores.
    pub fn start(self, stores: &[Recorded]) -> Clients {
        let over = Arc::new(AtomicBool::new(false));
        let tasks = (0..self.groups).zip(stores.iter().cycle());
        let tasks = tasks.map(|(_, store)| {
            let (store, over) = (store.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let mut keys = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    let key = fresh_key()?;
                    keys.push(key);
                    self.live(&store, key).await?;
                }
                Ok(keys)
            })
        });
        Clients { tasks: tasks.collect(), over }
    }

    /// One record, from its creation to its end.
    async fn live(self, store: &Recorded, key: StoreKey) -> Result<(), Error> {
        let first = record(&key, self.ttl)?;
        let mut created = store.create(&key, &first).await;
        if let Err(error) = &created
            && error.is_ambiguous()
        {
            // As a commit does it: the same version again.
            sleep(REST).await;
            created = store.create(&key, &first).await;
        }
        if created.is_err() {
            rest(self.pace.max(REST)).await;
            return Ok(());
        }
        let unknown = AtomicUsize::new(0);
        let client = || self.client(store, key, first.version, &unknown);
        match self.clients {
            0 => Ok(()),
            1 => client().await,
            2 => both(tokio::join!(client(), client())),
            _ => {
                let (one, two, three) = tokio::join!(client(), client(), client());
                both((one, both((two, three))))
            }
        }
    }

    async fn client(
        self,
        store: &Recorded,
        key: StoreKey,
        first: Version,
        unknown: &AtomicUsize,
    ) -> Result<(), Error> {
        let mut dice = Dice::new(Version::random()?.get());
        let mut held = first;
        for call in 0..CALLS {
            let only_looks = unknown.load(Ordering::SeqCst) >= MOST_UNKNOWN;
            let failed = match dice.roll(10) {
                0..=3 => look(store, &key, &mut held).await,
                _ if only_looks => look(store, &key, &mut held).await,
                4..=6 => self.replace(store, &key, &mut held).await?,
                7 => store.touch(&key, held, self.ttl).await.err(),
                // Not too early in its life.
                _ if call + 1 < CALLS => look(store, &key, &mut held).await,
                _ => store.delete(&key).await.err(),
            };
            match failed {
                Some(error) => {
                    unknown.fetch_add(usize::from(error.is_ambiguous()), Ordering::SeqCst);
                    sleep(self.pace.max(REST)).await;
                }
                None => rest(self.pace).await,
            }
        }
        Ok(())
    }

    async fn replace(
        self,
        store: &Recorded,
        key: &StoreKey,
        held: &mut Version,
    ) -> Result<Option<StoreError>, Error> {
        let next = record(key, self.ttl)?;
        match store.replace(key, *held, &next).await {
            Ok(Replaced::Replaced) => *held = next.version,
            Ok(Replaced::Conflict | Replaced::Missing) => {}
            Err(error) => return Ok(Some(error)),
        }
        Ok(None)
    }
}

impl Default for Workload {
    fn default() -> Self {
        Self::new()
    }
}

/// Clients at work.
#[must_use = "they work until they are told to end"]
pub struct Clients {
    tasks: Vec<JoinHandle<Result<Vec<StoreKey>, Error>>>,
    over: Arc<AtomicBool>,
}

impl Clients {
    /// Tells them to end with the records that they have, waits for them, and looks at every record once more.
    ///
    /// # Errors
    ///
    /// A client panicked, or had no random bytes.
    pub async fn end(self, store: &Recorded) -> Result<usize, Error> {
        self.over.store(true, Ordering::SeqCst);
        let mut count = 0;
        for task in self.tasks {
            let keys = task.await.map_err(|_| Error::misconfigured("a client panicked"))??;
            for key in keys {
                // An error is in the history.
                let _ = store.load(&key, Freshness::Latest).await;
                count += 1;
            }
        }
        Ok(count)
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("groups", &self.tasks.len()).finish_non_exhaustive()
    }
}

async fn look(store: &Recorded, key: &StoreKey, held: &mut Version) -> Option<StoreError> {
    match store.load(key, Freshness::Latest).await {
        Ok(Some(found)) => *held = found.version,
        Ok(None) => {}
        Err(error) => return Some(error),
    }
    None
}

async fn rest(pace: Duration) {
    if pace.is_zero() {
        tokio::task::yield_now().await;
    } else {
        sleep(pace).await;
    }
}

fn both((one, other): (Result<(), Error>, Result<(), Error>)) -> Result<(), Error> {
    one.and(other)
}

/// A key that nobody has used.
///
/// # Errors
///
/// There are no random bytes.
pub fn fresh_key() -> Result<StoreKey, Error> {
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&Version::random()?.to_be_bytes());
    }
    Ok(StoreKey::from_bytes(bytes))
}

/// A record with a fresh version, whose payload says where it belongs.
///
/// # Errors
///
/// There are no random bytes.
pub fn record(key: &StoreKey, ttl: Duration) -> Result<Record, Error> {
    let version = Version::random()?;
    let payload = [key.as_bytes().as_slice(), &version.to_be_bytes()].concat().repeat(4);
    Ok(Record::new(payload, version, ttl))
}
