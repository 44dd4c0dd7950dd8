//! The removal of expired rows.

use std::error::Error as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::dialect::Dialect;
use crate::errand::{Errand, jittered};
use crate::store::SqlStore;
use crate::verbs::Inner;

/// How many rows are removed at once.
const BATCH: u32 = 500;

/// The same where nobody else can write meanwhile, and where the processor that does it is that of the requests: what
/// waits for a batch waits for a fraction of a millisecond.
const BATCH_OF_ONE_WRITER: u32 = 5;

/// How many times as long as a batch took is waited before the next one, so that requests find room.
const REST: u32 = 4;

/// The longest rest between two batches.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether and how often expired rows are removed in the background.
///
/// They are gone for every verb the moment they expire, swept or not: this is about the room that they take. The
/// task removes 500 rows at a time, or 5 on SQLite, where other writers wait for it; it rests in between, survives
/// outages, warns when one begins, and ends with the last clone of its store. Where the runtime that it lives in ends before, the next verb
/// takes it over into its own, and says so to the log. The time between two rounds varies at random by a half, so that
/// nodes do not march in step; any number of them may sweep.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_sqlx::Sweep;
///
/// assert_eq!(Sweep::default(), Sweep::Every(Duration::from_secs(60)));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sweep {
    /// Never: something else does it, such as [`SqlStore::sweep`].
    Never,
    /// About so often: 1 s to 24 h.
    Every(Duration),
}

impl Default for Sweep {
    fn default() -> Self {
        Self::Every(Duration::from_secs(60))
    }
}

/// Starts the task, inside a runtime.
pub(crate) fn start<D: Dialect>(store: &SqlStore<D>, sweep: Sweep) {
    if let Sweep::Every(period) = sweep {
        let task = Task { store: Arc::downgrade(store.inner()), period, is_over: false };
        store.inner().link.spawn(run(task, store.end()));
    }
}

/// Starts the task again where its runtime ended before its store did.
pub(crate) fn go_on<D: Dialect>(store: &SqlStore<D>) {
    let abandoned = &store.inner().abandoned;
    // On the way of every request: a look is enough as a rule.
    if abandoned.0.load(Ordering::Relaxed) == 0 || Handle::try_current().is_err() {
        return;
    }
    let period = Duration::from_millis(abandoned.0.swap(0, Ordering::Relaxed));
    if !period.is_zero() {
        start(store, Sweep::Every(period));
        tracing::info!(
            target: "cloakroom::sqlx",
            database = D::STORE,
            table = %store.table(),
            "the runtime in which expired sessions were removed is gone; it is done in this one"
        );
    }
}

/// The period of a task that its runtime took with it, in milliseconds; else nothing.
#[derive(Debug, Default)]
pub(crate) struct Abandoned(AtomicU64);

/// The task, on its way.
struct Task<D: Dialect> {
    store: Weak<Inner<D>>,
    period: Duration,
    is_over: bool,
}

impl<D: Dialect> Drop for Task<D> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Some(inner) = self.store.upgrade() {
            if !std::thread::panicking() {
                inner.link.leave_home();
            }
            let period = u64::try_from(self.period.as_millis()).unwrap_or(u64::MAX);
            inner.abandoned.0.store(period, Ordering::Relaxed);
        }
    }
}

async fn run<D: Dialect>(mut task: Task<D>, mut end: watch::Receiver<()>) {
    let batch = if D::ONE_WRITER { BATCH_OF_ONE_WRITER } else { BATCH };
    let period = task.period;
    let mut pause = jittered(period);
    let mut failed = false;
    // The sender never sends; it goes with the last clone of the store.
    while timeout(pause, end.changed()).await.is_err() {
        // Held for one batch only.
        let Some(inner) = task.store.upgrade() else { break };
        let start = Instant::now();
        let errand = Errand::write(D::STORE, PATIENCE);
        let swept = Arc::clone(&inner).sweep(errand, batch).await;
        if let (Err(error), false) = (&swept, failed) {
            // The table grows meanwhile. Once is enough until it goes again.
            tracing::warn!(
                target: "cloakroom::sqlx",
                database = D::STORE,
                table = %inner.table,
                cause = error.source().map(tracing::field::display),
                "expired sessions could not be removed; each round tries again"
            );
        }
        failed = swept.is_err();
        pause = match swept {
            Ok(removed) if removed >= u64::from(batch) => (start.elapsed() * REST).min(LONGEST_REST),
            Ok(_) | Err(_) => jittered(period),
        };
    }
    task.is_over = true;
}
