//! How late the machine is: what a test with times of its own must not blame on the store.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep_until;

#[cfg(test)]
mod tests;

/// How often both want to run.
const TICK: Duration = Duration::from_millis(5);
/// By how much a timer is late on a machine that has nothing else to do.
const USUAL: Duration = Duration::from_millis(3);

/// A task that wants to run every few milliseconds, and notes when it could not for the machine's sake: a thread beside
/// the runtime could not run either, or the thread of the task waited for a processor.
///
/// Who blocks the runtime of a test, or computes in it, is found out: that is no fault of the machine. It ends when it is
/// dropped.
#[derive(Debug)]
pub struct Lateness {
    ticks: Arc<Mutex<Ticks>>,
    task: JoinHandle<()>,
    over: Arc<AtomicBool>,
}

/// A time in which somebody wanted to run, and did not.
type Span = (Instant, Instant);

#[derive(Debug)]
struct Ticks {
    /// When the task could not run, and for how much of that time it is the machine's fault.
    late: Vec<(Span, Duration)>,
    /// When the task wants to run next.
    due: Instant,
    /// When the thread beside the runtime could not run, since the task last did.
    missed: Vec<Span>,
    /// When that thread wants to run next.
    thread_due: Instant,
    /// The threads of the runtime that the task ran on so far.
    workers: HashMap<ThreadId, Worker>,
}

#[derive(Debug, Default)]
struct Worker {
    /// Where the system tells how long it waited for a processor.
    path: PathBuf,
    /// How long that was when the task last ran there.
    at_tick: Duration,
    /// How long that was when the thread beside the runtime last looked.
    looked: Duration,
    /// When it waited.
    waits: Vec<Span>,
}

impl Lateness {
    /// Begins to watch, in the runtime that calls.
    #[must_use]
    pub fn watch() -> Self {
        let next = Instant::now() + TICK;
        let mut ticks = Ticks::new(next);
        ticks.meet(queued_here());
        let ticks = Arc::new(Mutex::new(ticks));
        let over = Arc::new(AtomicBool::new(false));
        let (shared, ended) = (Arc::clone(&ticks), Arc::clone(&over));
        thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                let due = lock(&shared).thread_due;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                lock(&shared).thread_ran(Instant::now());
                let workers: Vec<_> =
                    lock(&shared).workers.iter().map(|(id, worker)| (*id, worker.path.clone())).collect();
                for (id, path) in workers {
                    if let Some(queued) = queued(&path) {
                        lock(&shared).looked_at(id, queued, Instant::now());
                    }
                }
            }
        });
        let shared = Arc::clone(&ticks);
        let task = tokio::spawn(async move {
            loop {
                let due = lock(&shared).due;
                sleep_until(due.into()).await;
                let queued = queued_here();
                lock(&shared).task_ran(Instant::now(), queued);
            }
        });
        Self { ticks, task, over }
    }

    /// For how much of this time nothing ran that should have, for the machine's sake.
    #[must_use]
    pub fn between(&self, from: Instant, to: Instant) -> Duration {
        let (queued, ticks) = (queued_here(), lock(&self.ticks));
        let under_way = ticks.lateness(Instant::now(), queued);
        let both = |(span, fault): &(Span, Duration)| overlap(*span, (from, to)).min(*fault);
        ticks.late.iter().chain(&under_way).map(both).sum()
    }

    /// For how much of this time one thread of the runtime waited for a processor: the thread that waited longest.
    /// Others may have run meanwhile; what was in its hands had to wait with it.
    #[must_use]
    pub fn of_one_thread(&self, from: Instant, to: Instant) -> Duration {
        let ticks = lock(&self.ticks);
        let waits = |worker: &Worker| worker.waits.iter().map(|wait| overlap(*wait, (from, to))).sum();
        ticks.workers.values().map(waits).max().unwrap_or_default()
    }

    /// The same as [`between`](Self::between) until now.
    #[must_use]
    pub fn since(&self, from: Instant) -> Duration {
        self.between(from, Instant::now())
    }

    /// The longest time for which nothing ran that should have.
    #[must_use]
    pub fn worst(&self) -> Duration {
        lock(&self.ticks).late.iter().map(|(_, fault)| *fault).max().unwrap_or_default()
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.task.abort();
        self.over.store(true, Ordering::SeqCst);
    }
}

impl Ticks {
    fn new(due: Instant) -> Self {
        Self { late: Vec::new(), due, missed: Vec::new(), thread_due: due, workers: HashMap::new() }
    }

    fn thread_ran(&mut self, now: Instant) {
        self.missed.extend(missed(self.thread_due, now));
        self.thread_due = now + TICK;
    }

    /// What the thread beside the runtime found of a worker.
    fn looked_at(&mut self, id: ThreadId, queued: Duration, now: Instant) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let waited = queued.saturating_sub(worker.looked);
        worker.looked = queued;
        if waited > USUAL
            && let Some(since) = now.checked_sub(waited)
        {
            worker.waits.push((since, now));
        }
    }

    fn task_ran(&mut self, now: Instant, queued: Option<Duration>) {
        self.late.extend(self.lateness(now, queued));
        self.meet(queued);
        self.missed.clear();
        self.due = now + TICK;
    }

    /// Notes how long this thread has waited so far.
    fn meet(&mut self, queued: Option<Duration>) {
        let Some(queued) = queued else { return };
        let met = || Worker { path: path_here(), at_tick: queued, looked: queued, waits: Vec::new() };
        self.workers.entry(thread::current().id()).or_insert_with(met).at_tick = queued;
    }

    /// By how much the task is late if it runs now, and how much of that is the machine's fault.
    fn lateness(&self, now: Instant, queued: Option<Duration>) -> Option<(Span, Duration)> {
        let span = missed(self.due, now)?;
        let under_way = missed(self.thread_due, now);
        let stood_still = self.missed.iter().chain(&under_way).map(|missed| overlap(*missed, span)).sum();
        let before = self.workers.get(&thread::current().id()).map(|worker| worker.at_tick);
        let queued = queued.zip(before).map(|(now, before)| now.saturating_sub(before)).unwrap_or_default();
        Some((span, queued.max(stood_still).min(span.1 - span.0)))
    }
}

/// The time that was missed by somebody who wanted to run then and runs now.
fn missed(due: Instant, now: Instant) -> Option<Span> {
    (now > due + USUAL).then_some((due + USUAL, now))
}

fn overlap(one: Span, other: Span) -> Duration {
    one.1.min(other.1).saturating_duration_since(one.0.max(other.0))
}

/// For how long this thread has waited for a processor so far, where the system tells.
fn queued_here() -> Option<Duration> {
    queued(Path::new("/proc/thread-self/schedstat"))
}

fn queued(path: &Path) -> Option<Duration> {
    fs::read_to_string(path).ok()?.split(' ').nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// Where others find that of this thread.
fn path_here() -> PathBuf {
    let thread = fs::read_link("/proc/thread-self").unwrap_or_default();
    Path::new("/proc").join(thread).join("schedstat")
}

fn lock(ticks: &Mutex<Ticks>) -> MutexGuard<'_, Ticks> {
    ticks.lock().unwrap_or_else(PoisonError::into_inner)
}
