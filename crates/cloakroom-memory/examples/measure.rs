//! Measures the memory store: pauses, what a session costs, and reads from many threads.
//!
//! Run it as `cargo run --release -p cloakroom-memory --example measure`. It needs 2 GB, Linux
//! and a minute.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::collections::HashMap;
use std::error::Error;
use std::pin::pin;
use std::sync::{PoisonError, RwLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use cloakroom_core::{Clock, Freshness, PrincipalTag, Record, Store, StoreError, StoreKey, Version};
use cloakroom_memory::MemoryStore;

const SESSIONS: u64 = 1_000_000;
const MILLION: usize = 1_000_000;
const PAYLOAD: usize = 600;
const ROUNDS: usize = 5;
const MINUTE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    cost()?;
    println!("a verb at a time, among up to a million sessions; the least of {ROUNDS} rounds for each:");
    let mut times: [Times; 5] = Default::default();
    for _ in 0..ROUNDS {
        pauses(&mut times)?;
    }
    for (times, what) in times.into_iter().zip([
        "create, from none to a million",
        "create, in one RwLock<HashMap>",
        "load, among a million",
        "delete, from a million to none",
        "load, while 100 000 of a million expire",
    ]) {
        times.print(what);
    }
    println!("8 threads, 90 % reads of 100 000 sessions; the best of {ROUNDS} rounds:");
    let (mut sharded, mut one_lock) = (0, 0);
    for _ in 0..ROUNDS {
        sharded = sharded.max(throughput(&Sharded(MemoryStore::new()))?);
        one_lock = one_lock.max(throughput(&OneLock::default())?);
    }
    println!("  this store: {sharded} verbs/s");
    println!("  one RwLock<HashMap>: {one_lock} verbs/s");
    Ok(())
}

/// What a session costs beyond its payload. The stores are kept, so that neither uses the other's memory.
fn cost() -> Result<(), Box<dyn Error>> {
    let start = resident()?;
    let anonymous = MemoryStore::new();
    for number in 0..SESSIONS / 4 {
        let _ = ready(anonymous.create(&key(number), &record(number, MINUTE * 30)?))?;
    }
    let middle = resident()?;
    let known = MemoryStore::new();
    let index = known.principals().ok_or("the store has an index")?;
    for number in 0..SESSIONS / 4 {
        let tag = PrincipalTag::from_bytes(*key(number + SESSIONS).as_bytes());
        ready(index.enter(&tag, &key(number), MINUTE * 30))?;
        let record = record(number, MINUTE * 30)?.with_principal(Some(tag));
        let _ = ready(known.create(&key(number), &record))?;
    }
    let end = resident()?;
    println!("resident bytes per session beyond a payload of {PAYLOAD}:");
    for (what, from, to) in [("anonymous", start, middle), ("with a principal", middle, end)] {
        println!("  {what}: {}", (to - from) * 4 / SESSIONS - PAYLOAD as u64);
    }
    Ok(())
}

fn pauses(times: &mut [Times; 5]) -> Result<(), Box<dyn Error>> {
    let [create, create_in_one, load, delete, expire] = times;
    let store = MemoryStore::new().with_max_entries(2 * MILLION);
    for number in 0..SESSIONS {
        let record = record(number, MINUTE * 30)?;
        create.of(|| ready(store.create(&key(number), &record)).map(drop))?;
    }
    for number in 0..SESSIONS {
        load.of(|| ready(store.load(&key(number), Freshness::Latest)).map(drop))?;
    }
    for number in 0..SESSIONS {
        delete.of(|| ready(store.delete(&key(number))).map(drop))?;
    }

    let one = OneLock::default();
    for number in 0..SESSIONS {
        let record = record(number, MINUTE * 30)?;
        create_in_one.of(|| {
            one.create(&key(number), &record);
            Ok(())
        })?;
    }
    drop(one);

    let clock = Clock::manual();
    let store = MemoryStore::new().with_clock(clock.clone()).with_max_entries(2 * MILLION);
    for number in 0..SESSIONS {
        let life = if number % 10 == 0 { MINUTE } else { MINUTE * 30 };
        let _ = ready(store.create(&key(number), &record(number, life)?))?;
    }
    clock.advance(MINUTE);
    for number in 0..SESSIONS / 10 {
        expire.of(|| ready(store.load(&key(number * 7), Freshness::Latest)).map(drop))?;
    }
    times.iter_mut().for_each(Times::end_round);
    Ok(())
}

/// What the comparison needs.
trait Subject: Sync {
    fn load(&self, key: &StoreKey) -> Option<Record>;
    fn create(&self, key: &StoreKey, record: &Record);
    fn replace(&self, key: &StoreKey, expected: Version, record: &Record);
}

struct Sharded(MemoryStore);

impl Subject for Sharded {
    fn load(&self, key: &StoreKey) -> Option<Record> {
        ready(self.0.load(key, Freshness::Latest)).ok()?
    }

    fn create(&self, key: &StoreKey, record: &Record) {
        let _ = ready(self.0.create(key, record));
    }

    fn replace(&self, key: &StoreKey, expected: Version, record: &Record) {
        let _ = ready(self.0.replace(key, expected, record));
    }
}

/// The obvious store: one map behind one lock.
#[derive(Default)]
struct OneLock {
    records: RwLock<HashMap<StoreKey, (Record, Duration)>>,
    clock: Clock,
}

impl Subject for OneLock {
    fn load(&self, key: &StoreKey) -> Option<Record> {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        let (record, deadline) = records.get(key)?;
        let mut record = (*deadline > now).then(|| record.clone())?;
        record.ttl = *deadline - now;
        Some(record)
    }

    fn create(&self, key: &StoreKey, record: &Record) {
        let kept = (record.clone(), self.clock.monotonic() + record.ttl);
        self.records.write().unwrap_or_else(PoisonError::into_inner).entry(*key).or_insert(kept);
    }

    fn replace(&self, key: &StoreKey, expected: Version, record: &Record) {
        let kept = (record.clone(), self.clock.monotonic() + record.ttl);
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = records.get_mut(key).filter(|(old, _)| old.version == expected) {
            *old = kept;
        }
    }
}

fn throughput(subject: &impl Subject) -> Result<u64, Box<dyn Error>> {
    const THREADS: u64 = 8;
    const VERBS: u64 = 500_000;
    for number in 0..SESSIONS / 10 {
        subject.create(&key(number), &record(number, MINUTE * 30)?);
    }
    let clock = Clock::system();
    let start = clock.monotonic();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let mut dice = thread + 1;
                for round in 0..VERBS {
                    dice = mixed(dice);
                    let key = key(dice % (SESSIONS / 10));
                    let Some(mut record) = subject.load(&key) else { continue };
                    if round % 9 == 0 {
                        let expected = record.version;
                        record.version = Version::new(dice | 1).unwrap_or(expected);
                        subject.replace(&key, expected, &record);
                    }
                }
            });
        }
    });
    let millis = u64::try_from((clock.monotonic() - start).as_millis())?;
    Ok(THREADS * (VERBS + VERBS / 9) * 1000 / millis)
}

/// How long each of many verbs took.
///
/// Every round runs the same verbs in the same order. What a verb takes in each of them is the store's
/// doing; what it takes in one alone is the scheduler's.
#[derive(Default)]
struct Times {
    clock: Clock,
    least: Vec<Duration>,
    round: Vec<Duration>,
}

impl Times {
    fn of(&mut self, verb: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let start = self.clock.monotonic();
        verb()?;
        self.round.push(self.clock.monotonic() - start);
        Ok(())
    }

    fn end_round(&mut self) {
        let round = std::mem::take(&mut self.round);
        if self.least.is_empty() {
            self.least = round;
            return;
        }
        for (least, taken) in self.least.iter_mut().zip(round) {
            *least = taken.min(*least);
        }
    }

    fn print(mut self, what: &str) {
        self.least.sort_unstable();
        let at =
            |share: usize| self.least.get(self.least.len() * share / 100_000).copied().unwrap_or_default();
        let worst = self.least.last().copied().unwrap_or_default();
        println!(
            "  {what}: median {:?}, 99.9 % {:?}, 99.999 % {:?}, worst {worst:?}",
            at(50_000),
            at(99_900),
            at(99_999),
        );
    }
}

fn key(number: u64) -> StoreKey {
    let mut bytes = [0; 32];
    let mut word = number;
    for part in bytes.as_chunks_mut::<8>().0 {
        word = mixed(word);
        *part = word.to_be_bytes();
    }
    StoreKey::from_bytes(bytes)
}

fn record(number: u64, ttl: Duration) -> Result<Record, Box<dyn Error>> {
    let version = Version::new(number + 1).ok_or("a version is never zero")?;
    Ok(Record::new(vec![7; PAYLOAD], version, ttl))
}

fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// The answer of a verb of the memory store, which comes at the first poll.
fn ready<T>(verb: impl Future<Output = T>) -> T {
    match pin!(verb).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the memory store waits for nothing"),
    }
}

/// The bytes of memory that this process has, as Linux tells them.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS line")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
