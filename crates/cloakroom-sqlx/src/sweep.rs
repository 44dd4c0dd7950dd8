//! The removal of expired rows.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::dialect::Dialect;
use crate::errand::{Errand, jittered};
use crate::store::SqlStore;
use crate::verbs::Inner;

/// How many rows are removed at once.
const BATCH: u32 = 500;

/// How many times as long as a batch took is waited before the next one, so that requests find room.
const REST: u32 = 4;

/// The longest rest between two batches.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether and how often expired rows are removed in the background.
///
/// They are gone for every verb the moment they expire, swept or not: this is about the room that they take. The
/// task removes 500 rows at a time, rests in between, survives outages, and ends with the last clone of its store. The
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

/// Starts the task.
pub(crate) fn start<D: Dialect>(store: &SqlStore<D>, sweep: Sweep) {
    if let Sweep::Every(period) = sweep {
        let inner = Arc::downgrade(store.inner());
        store.inner().link.spawn(run(inner, store.end(), period));
    }
}

async fn run<D: Dialect>(store: Weak<Inner<D>>, mut end: watch::Receiver<()>, period: Duration) {
    let mut pause = jittered(period);
    // The sender never sends; it goes with the last clone of the store.
    while timeout(pause, end.changed()).await.is_err() {
        // Held for one batch only.
        let Some(inner) = store.upgrade() else { return };
        let start = Instant::now();
        let errand = Errand::write(D::STORE, PATIENCE);
        pause = match inner.sweep(errand, BATCH).await {
            Ok(removed) if removed >= u64::from(BATCH) => (start.elapsed() * REST).min(LONGEST_REST),
            Ok(_) => jittered(period),
            Err(error) => {
                tracing::debug!(
                    target: "cloakroom::sqlx",
                    error = %error,
                    "expired sessions could not be removed; the next round tries again"
                );
                jittered(period)
            }
        };
    }
}
