//! Writers that count, each in a record of its own, while servers come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom_core::{Created, Freshness, Record, Replaced, Store as _, StoreError, StoreKey, Version};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::Lateness;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::sample;

/// How long a writer rests between two writes.
const PAUSE: Duration = Duration::from_millis(5);

/// When a test no longer waits for a writer.
const LIMIT: Duration = Duration::from_secs(20);

/// Writers at work.
#[derive(Debug)]
pub(crate) struct Load {
    end: watch::Sender<bool>,
    lateness: Arc<Lateness>,
    writers: Vec<(StoreKey, JoinHandle<Ledger>)>,
    /// When each writer's last acknowledged write was acknowledged.
    latest: Vec<watch::Receiver<Option<Instant>>>,
}

/// What one writer saw.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// When each acknowledged write was acknowledged.
    pub(crate) good: Vec<Instant>,
    /// When each error came, and what it was.
    pub(crate) errors: Vec<(Instant, String)>,
    /// How many acknowledged writes were gone later.
    pub(crate) lost: u64,
    /// How many writes were read and gone later, though nobody had acknowledged them.
    pub(crate) unsaid: u64,
    /// The longest verb, without what the machine was late by meanwhile.
    pub(crate) longest: Duration,
}

impl Load {
    /// One writer for each key.
    pub(crate) fn start(store: &RedisStore, keys: &[StoreKey]) -> Self {
        let end = watch::Sender::new(false);
        let lateness = Arc::new(Lateness::watch());
        let writer = |key: &StoreKey| {
            let (lateness, ledger) = (Arc::clone(&lateness), Ledger::default());
            let (latest, seen) = watch::channel(None);
            let writer = Writer {
                store: store.clone(),
                key: *key,
                at: None,
                acknowledged: 0,
                ledger,
                latest,
                lateness,
            };
            ((*key, tokio::spawn(writer.run(end.subscribe()))), seen)
        };
        let (writers, latest) = keys.iter().map(writer).unzip();
        Self { end, lateness, writers, latest }
    }

    /// What the machine was late by from then on.
    pub(crate) fn lateness(&self) -> Arc<Lateness> {
        Arc::clone(&self.lateness)
    }

    /// Ends all writers once each has written since that moment; each looks once more at what is left of its record.
    pub(crate) async fn end(mut self, since: Instant) -> BTreeMap<StoreKey, Ledger> {
        let all = async {
            for latest in &mut self.latest {
                latest.wait_for(|at| at.is_some_and(|at| at > since)).await.expect("a writer at work");
            }
        };
        tokio::time::timeout(LIMIT, all).await.expect("a write of every writer");
        self.end.send_replace(true);
        let mut ledgers = BTreeMap::new();
        for (key, writer) in self.writers {
            ledgers.insert(key, writer.await.expect("no panic"));
        }
        ledgers
    }
}

struct Writer {
    store: RedisStore,
    key: StoreKey,
    /// The number that was in place at last, and its version.
    at: Option<(u64, Version)>,
    /// How many numbers of those in place were acknowledged, or are below one that was.
    acknowledged: u64,
    ledger: Ledger,
    latest: watch::Sender<Option<Instant>>,
    lateness: Arc<Lateness>,
}

impl Writer {
    async fn run(mut self, end: watch::Receiver<bool>) -> Ledger {
        while !*end.borrow() {
            self.write().await;
            tokio::time::sleep(PAUSE).await;
        }
        let start = Instant::now();
        while !self.look().await {
            assert!(start.elapsed() < LIMIT, "{:?}", self.ledger.errors.last());
        }
        self.ledger
    }

    async fn write(&mut self) {
        let start = Instant::now();
        let (number, expected) = self.at.map_or((0, None), |(number, version)| (number + 1, Some(version)));
        let next = Record::new(number.to_be_bytes().to_vec(), sample::version(), sample::MINUTE * 10);
        let done = match expected {
            Some(expected) => match self.store.replace(&self.key, expected, &next).await {
                Ok(replaced) => Ok(replaced == Replaced::Replaced),
                Err(error) => Err(error),
            },
            None => self.store.create(&self.key, &next).await.map(|created| created == Created::Created),
        };
        self.measure(start);
        match done {
            Ok(true) => {
                self.at = Some((number, next.version));
                self.acknowledged = number + 1;
                let now = Instant::now();
                self.ledger.good.push(now);
                self.latest.send_replace(Some(now));
            }
            Ok(false) => {
                self.look().await;
            }
            Err(error) => {
                self.note(&error);
                self.look().await;
            }
        }
    }

    /// Finds out what is in place, and whether something acknowledged is missing; `false` if nobody can tell.
    async fn look(&mut self) -> bool {
        let start = Instant::now();
        let found = self.store.load(&self.key, Freshness::Latest).await;
        self.measure(start);
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.note(&error);
                return false;
            }
        };
        let found = found
            .map(|record| (u64::from_be_bytes(record.payload.try_into().expect("a number")), record.version));
        let count = |at: Option<(u64, Version)>| at.map_or(0, |(number, _)| number + 1);
        // A write that did not reach enough replicas in time is there to be read, and acknowledged by nobody.
        let (lost, gone) =
            (self.acknowledged.saturating_sub(count(found)), count(self.at).saturating_sub(count(found)));
        self.ledger.lost += lost;
        self.ledger.unsaid += gone - lost;
        self.acknowledged -= lost;
        self.at = found;
        true
    }

    fn measure(&mut self, start: Instant) {
        let took = start.elapsed().saturating_sub(self.lateness.since(start));
        self.ledger.longest = self.ledger.longest.max(took);
    }

    fn note(&mut self, error: &StoreError) {
        self.ledger.errors.push((Instant::now(), format!("{:?}", error.kind())));
    }
}

/// What all writers saw together.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) good: usize,
    pub(crate) errors: BTreeMap<String, usize>,
    pub(crate) lost: u64,
    pub(crate) unsaid: u64,
    pub(crate) longest: Duration,
    /// The longest time without an acknowledged write.
    pub(crate) outage: Duration,
    /// From that moment to the first acknowledged write, of the writer that waited longest.
    pub(crate) gap: Duration,
    /// For how long nothing ran at all that should have, at worst. The other times are without that.
    pub(crate) late: Duration,
}

impl Report {
    pub(crate) fn of<'l>(
        ledgers: impl IntoIterator<Item = &'l Ledger>,
        since: Instant,
        lateness: &Lateness,
    ) -> Self {
        let (mut good, mut errors, mut lost, mut unsaid) = (Vec::new(), BTreeMap::new(), 0, 0);
        let (mut longest, mut gap) = (Duration::ZERO, Duration::ZERO);
        for ledger in ledgers {
            let after = ledger.good.iter().find(|at| **at > since).expect("a write since that moment");
            gap = gap.max((*after - since).saturating_sub(lateness.between(since, *after)));
            good.extend_from_slice(&ledger.good);
            for (_, kind) in &ledger.errors {
                *errors.entry(kind.clone()).or_default() += 1;
            }
            lost += ledger.lost;
            unsaid += ledger.unsaid;
            longest = longest.max(ledger.longest);
        }
        good.sort();
        let outage = good.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        Self { good: good.len(), errors, lost, unsaid, longest, outage, gap, late: lateness.worst() }
    }

    pub(crate) fn print(&self, what: &str) {
        println!(
            "{what}: {} writes acknowledged, {} of them lost; {} more read and gone; errors {:?}; longest verb {:?}; no write for {:?}; \
             last writer back {:?} after that; the machine was late by {:?} at worst",
            self.good, self.lost, self.unsaid, self.errors, self.longest, self.outage, self.gap, self.late
        );
    }
}
