//! The memory store beside one map behind one lock: throughput, the longest pause, and what a session costs.

mod one_lock;

use std::collections::BTreeMap;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};
use std::task::{Context as Poller, Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cloakroom::{Clock, Freshness, MemoryStore, PrincipalTag, Record, Replaced, Store, StoreKey, Version};
use stats_alloc::INSTRUMENTED_SYSTEM;

use crate::figure::Figure;
use crate::memory_store::one_lock::OneLock;
use crate::options::Options;

const SECTION: &str = "memory_store";
/// The sealed payload of a session of 600 bytes.
const PAYLOAD: usize = 840;
const HALF_HOUR: Duration = Duration::from_secs(1800);
const MINUTE: Duration = Duration::from_secs(60);
const TASKS: u64 = 8;
const OURS: &str = "cloakroom";
const THEIRS: &str = "one-rwlock";

/// How much is done.
#[derive(Clone, Copy)]
struct Plan {
    sessions: u64,
    rounds: usize,
    processes: usize,
    /// Verbs of one task in one round.
    verbs: u64,
}

pub fn main(words: &[String]) -> Result<()> {
    let flags = ["--quick", "--no-throughput", "--no-pauses", "--ours-first", "--theirs-first"];
    let options = Options::parse(words, &flags, &["--threads"])?;
    let plan = if options.has("--quick") {
        Plan { sessions: 100_000, rounds: 3, processes: 3, verbs: 100_000 }
    } else {
        Plan { sessions: 1_000_000, rounds: 3, processes: 7, verbs: 250_000 }
    };
    // The counters of the counting program are one more thing that threads wait for.
    if live() > 0 {
        return bytes(plan);
    }
    let cores = std::thread::available_parallelism()?.get();
    if options.has("--ours-first") || options.has("--theirs-first") {
        return throughput(plan, options.number("--threads", cores)?, options.has("--ours-first"));
    }
    if !options.has("--no-throughput") {
        let mut threads = match options.number("--threads", 0)? {
            0 => vec![cores, TASKS as usize],
            threads => vec![threads],
        };
        threads.dedup();
        for threads in threads {
            of_processes(plan, threads, options.has("--quick"))?;
        }
    }
    if !options.has("--no-pauses") {
        pauses(plan)?;
    }
    Ok(())
}

/// What several processes come to, one after the other. How records come to lie in memory, and threads to meet, is another in
/// each, and the same for all rounds of one.
fn of_processes(plan: Plan, threads: usize, quick: bool) -> Result<()> {
    let mut all: BTreeMap<[String; 3], Vec<f64>> = BTreeMap::new();
    for process in 0..plan.processes {
        let mut command = Command::new(std::env::current_exe()?);
        let first = if process % 2 == 0 { "--ours-first" } else { "--theirs-first" };
        command.args(["memory-store", "--threads", &threads.to_string(), first]);
        command.args(quick.then_some("--quick"));
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "a process failed");
        for line in std::str::from_utf8(&output.stdout)?.lines() {
            let figure: Figure = serde_json::from_str(line)?;
            all.entry([figure.contender, figure.figure, figure.unit]).or_default().push(figure.value);
        }
    }
    for ([contender, figure, unit], rounds) in &all {
        let who = [&**contender, "memory", &mixed(threads)];
        Figure::of_rounds(SECTION, who, figure, unit, rounds).print()?;
    }
    Ok(())
}

fn mixed(threads: usize) -> String {
    format!("90 % reads, {TASKS} tasks, {threads} threads")
}

/// Eight tasks, of whose verbs nine in ten load, on so many threads.
fn throughput(plan: Plan, threads: usize, ours_first: bool) -> Result<()> {
    let ours: Arc<dyn Store> = Arc::new(ours(plan, Clock::system()));
    let theirs: Arc<dyn Store> = Arc::new(OneLock::default());
    let both = if ours_first { [&ours, &theirs] } else { [&theirs, &ours] };
    for store in both {
        fill(&**store, plan.sessions, |_| HALF_HOUR)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build()?;
    let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=plan.rounds {
        let one = verbs_per_second(&runtime, &ours, plan, threads)?;
        let other = verbs_per_second(&runtime, &theirs, plan, threads)?;
        // The first round warms up.
        if round > 0 {
            for (rounds, value) in rounds.iter_mut().zip([one, other, one / other]) {
                rounds.push(value);
            }
        }
    }
    let scenario = mixed(threads);
    let [one, other, ratio] = &rounds;
    Figure::of_rounds(SECTION, [OURS, "memory", &scenario], "throughput", "verbs/s", one).print()?;
    Figure::of_rounds(SECTION, [THEIRS, "memory", &scenario], "throughput", "verbs/s", other).print()?;
    Figure::of_rounds(SECTION, [OURS, "memory", &scenario], "throughput over one-rwlock", "ratio", ratio)
        .print()
}

fn verbs_per_second(
    runtime: &tokio::runtime::Runtime,
    store: &Arc<dyn Store>,
    plan: Plan,
    threads: usize,
) -> Result<f64> {
    // Where there is a thread for each task, all begin at once.
    let barrier = Arc::new(Barrier::new(if threads as u64 >= TASKS { TASKS as usize } else { 1 }));
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, barrier) = (Arc::clone(store), Arc::clone(&barrier));
            runtime.spawn(async move {
                barrier.wait();
                mixed_verbs(&*store, plan, task).await
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task)??;
    }
    Ok((TASKS * plan.verbs) as f64 / start.elapsed().as_secs_f64())
}

async fn mixed_verbs(store: &dyn Store, plan: Plan, task: u64) -> Result<()> {
    let mut dice = Dice(task);
    let mut written = record(HALF_HOUR, Version::random()?);
    for _ in 0..plan.verbs / 10 {
        let mut last = None;
        for _ in 0..9 {
            let key = key(dice.roll() % plan.sessions);
            let record = store.load(&key, Freshness::Latest).await?.context("a session is gone")?;
            last = Some((key, record.version));
        }
        let (key, expected) = last.context("nine were loaded")?;
        written.version = Version::new(dice.roll() | 1).context("never zero")?;
        // Another task may have been here in between, about once in ten million times.
        let answer = store.replace(&key, expected, &written).await?;
        ensure!(answer != Replaced::Missing, "a session is gone");
    }
    Ok(())
}

/// The longest that one verb takes of all that are called one after the other, with nobody beside them.
///
/// Each round calls the same verbs in the same order. What a verb takes in every round is the store's doing, what it
/// takes in one of them alone is the scheduler's: the least of the rounds counts.
fn pauses(plan: Plan) -> Result<()> {
    let [mut grow, mut grow_theirs, mut expire] = [const { Vec::new() }; 3];
    let mut sweep = Vec::new();
    for _ in 0..plan.rounds {
        let clock = Clock::manual();
        let one = ours(plan, clock.clone());
        // One in ten lives for a minute.
        let life = |number| if number % 10 == 0 { MINUTE } else { HALF_HOUR };
        least(
            &mut grow,
            timed(plan.sessions, |number| ready(one.create(&key(number), &numbered(number, life(number))?)))?,
        );
        clock.advance(MINUTE);
        let mut dice = Dice(1);
        // Enough loads for all that expired to be swept.
        least(
            &mut expire,
            timed(plan.sessions / 5, |_| {
                let key = key(dice.roll() % plan.sessions);
                ready(one.load(&key, Freshness::Latest))
            })?,
        );
        drop(one);

        let clock = Clock::manual();
        let other = OneLock::with_clock(clock.clone());
        least(
            &mut grow_theirs,
            timed(plan.sessions, |number| {
                ready(other.create(&key(number), &numbered(number, life(number))?))
            })?,
        );
        clock.advance(MINUTE);
        let start = Instant::now();
        other.sweep();
        sweep.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let expired = plan.sessions / 10;
    let scenario = format!("{expired} of {} expire", plan.sessions);
    let worst = |least: &[Duration]| least.iter().max().copied().unwrap_or_default().as_secs_f64() * 1e3;
    let print = |who, scenario: &str, value: &[f64]| {
        Figure::of_rounds(SECTION, [who, "memory", scenario], "longest pause", "ms", value).print()
    };
    print(OURS, &scenario, &[worst(&expire)])?;
    print(THEIRS, &scenario, &sweep)?;
    let scenario = format!("from none to {}", plan.sessions);
    print(OURS, &scenario, &[worst(&grow)])?;
    print(THEIRS, &scenario, &[worst(&grow_theirs)])
}

fn timed<T>(times: u64, mut verb: impl FnMut(u64) -> Result<T>) -> Result<Vec<Duration>> {
    (0..times)
        .map(|number| {
            let start = Instant::now();
            let answer = verb(number)?;
            let taken = start.elapsed();
            drop(answer);
            Ok(taken)
        })
        .collect()
}

fn least(least: &mut Vec<Duration>, round: Vec<Duration>) {
    if least.is_empty() {
        *least = round;
    } else {
        least.iter_mut().zip(round).for_each(|(least, taken)| *least = taken.min(*least));
    }
}

/// The bytes that a session costs beyond its payload, as asked of the allocator, at the fullest moment of every fill.
fn bytes(plan: Plan) -> Result<()> {
    for (scenario, principal) in [("anonymous", false), ("with a principal", true)] {
        let before = live();
        let store = ours(plan, Clock::system());
        let index = store.principals().context("the store has an index")?;
        let mut worst: f64 = 0.0;
        let mut last = 0.0;
        for number in 0..plan.sessions {
            let tag = principal.then(|| PrincipalTag::from_bytes(*key(number + plan.sessions).as_bytes()));
            if let Some(tag) = &tag {
                ready(index.enter(tag, &key(number), HALF_HOUR))?;
            }
            let _ = ready(store.create(&key(number), &numbered(number, HALF_HOUR)?.with_principal(tag)))?;
            if number >= plan.sessions / 4 && number % 10_000 == 9999 {
                last = (live() - before) as f64 / (number + 1) as f64 - PAYLOAD as f64;
                worst = worst.max(last);
            }
        }
        let print = |figure, value| {
            Figure::of_rounds(SECTION, [OURS, "memory", scenario], figure, "bytes", &[value]).print()
        };
        print("bytes per session beyond its payload", last)?;
        print("bytes per session beyond its payload, at worst", worst)?;
    }
    let before = live();
    let other = OneLock::default();
    fill(&other, plan.sessions, |_| HALF_HOUR)?;
    let each = (live() - before) as f64 / plan.sessions as f64 - PAYLOAD as f64;
    let who = [THEIRS, "memory", "anonymous"];
    Figure::of_rounds(SECTION, who, "bytes per session beyond its payload", "bytes", &[each]).print()
}

/// The bytes that are allocated and not given back; zero in the program that does not count.
fn live() -> usize {
    let stats = INSTRUMENTED_SYSTEM.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

fn ours(plan: Plan, clock: Clock) -> MemoryStore {
    let room = usize::try_from(plan.sessions * 2).unwrap_or(usize::MAX);
    MemoryStore::new().with_clock(clock).with_max_entries(room).with_max_bytes(room * PAYLOAD)
}

fn fill(store: &dyn Store, sessions: u64, life: impl Fn(u64) -> Duration) -> Result<()> {
    (0..sessions)
        .try_for_each(|number| ready(store.create(&key(number), &numbered(number, life(number))?)).map(drop))
}

fn numbered(number: u64, life: Duration) -> Result<Record> {
    Ok(record(life, Version::new(number + 1).context("never zero")?))
}

fn record(life: Duration, version: Version) -> Record {
    Record::new(vec![7; PAYLOAD], version, life)
}

fn key(number: u64) -> StoreKey {
    let mut dice = Dice(number.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let mut bytes = [0; 32];
    for part in bytes.as_chunks_mut::<8>().0 {
        *part = dice.roll().to_be_bytes();
    }
    StoreKey::from_bytes(bytes)
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }
}

/// The answer of a verb of a store in memory, which comes at the first poll.
fn ready<T>(verb: impl Future<Output = Result<T, cloakroom::StoreError>>) -> Result<T> {
    match pin!(verb).poll(&mut Poller::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Ok(answer?),
        Poll::Pending => anyhow::bail!("a store in memory waits for nothing"),
    }
}
