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

/// How many rows are removed at once, at most.
const LARGEST_BATCH: u32 = 500;

/// For how long a round may go on with batches of one size.
const PATIENT: Duration = Duration::from_secs(5 * 60);

/// How many times as long as a batch took is waited before the next one, so that requests find room.
const REST: u32 = 14;

/// The longest rest between two batches.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether and how often expired rows are removed in the background.
///
/// They are gone for every verb the moment they expire, swept or not: this is about the room that they take. The
/// task removes a few rows at a time, 500 on PostgreSQL, 5 on MySQL and SQLite, and rests fourteen times as long in
/// between, so that requests hardly notice. Each five minutes that a round goes on double that, up to 500 rows, so that
/// no crowd outruns it. The task survives outages, warns when one begins, and ends with the last clone of its store.
/// Where the runtime that it lives in ends before, the next verb takes it over into its own, and says so to the log. The
/// time between two rounds varies at random by a half, so that nodes do not march in step; any number of them may sweep.
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
    let period = task.period;
    let mut pause = jittered(period);
    let mut failed = false;
    let mut round: Option<Instant> = None;
    // The sender never sends; it goes with the last clone of the store.
    while timeout(pause, end.changed()).await.is_err() {
        // Held for one batch only.
        let Some(inner) = task.store.upgrade() else { break };
        let start = Instant::now();
        let batch = batch(D::FIRST_BATCH, round.get_or_insert(start).elapsed());
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
            Ok(_) | Err(_) => {
                round = None;
                jittered(period)
            }
        };
    }
    task.is_over = true;
}

/// How many rows to remove at once after so much of a round.
fn batch(first: u32, round: Duration) -> u32 {
    let doublings = u32::try_from(round.as_secs() / PATIENT.as_secs()).unwrap_or(u32::MAX);
    first.saturating_mul(2_u32.saturating_pow(doublings)).min(LARGEST_BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_without_an_end_takes_more_at_a_time() {
        let after = |first, minutes: u64| batch(first, Duration::from_secs(minutes * 60));
        assert_eq!(
            [0, 4, 5, 9, 10, 25, 30, 60].map(|minutes| after(10, minutes)),
            [10, 10, 20, 20, 40, 320, 500, 500]
        );
        assert_eq!(
            [after(500, 0), after(500, 99), after(5, 34), after(5, u64::MAX / 60)],
            [500, 500, 320, 500]
        );
    }
}
