//! Servers that go and come back under load.

use std::time::{Duration, Instant};

use cloakroom_core::{Freshness, Store, StoreError};
use tokio::sync::watch;
use tokio::task::block_in_place;

use crate::lateness::Lateness;
use crate::sample;

/// How soon a server that is back is found again.
pub const BACK: Duration = Duration::from_millis(500);

/// What a server still has when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keeps {
    /// All that it acknowledged.
    Everything,
    /// Nothing.
    Nothing,
}

/// A service at work finds its server again without a restart of its own, and meanwhile hears no wrong answer.
/// It needs a runtime of several threads.
///
/// # Panics
///
/// An answer is wrong, or there are errors for longer than [`BACK`] after the restart.
pub async fn busy_service_recovers<S: Store + Clone, M: Send>(
    store: &S,
    keeps: Keeps,
    server: &mut M,
    crash: impl FnOnce(&mut M) + Send,
    restart: impl FnOnce(&mut M) + Send,
) {
    let ((end, ended), lateness) = (watch::channel(false), Lateness::watch());
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (store, ended) = (store.clone(), ended.clone());
            tokio::spawn(async move {
                let mut last_error = Instant::now();
                while !*ended.borrow() {
                    if let Err(error) = visit(&store, keeps).await {
                        assert!(error.is_transient(), "{error:?}");
                        last_error = Instant::now();
                    }
                    tokio::task::yield_now().await;
                }
                last_error
            })
        })
        .collect();
    block_in_place(|| crash(server));
    tokio::time::sleep(Duration::from_millis(300)).await;
    block_in_place(|| restart(server));
    let back = Instant::now();
    tokio::time::sleep(BACK * 2).await;
    end.send_replace(true);
    for task in tasks {
        let last_error = task.await.expect("only good answers");
        let (errors, late) = (last_error.saturating_duration_since(back), lateness.between(back, last_error));
        assert!(errors < BACK + late, "{errors:?}; the machine was late by {late:?}");
    }
}

/// A new record is found again, unless it went with the server.
async fn visit(store: &dyn Store, keeps: Keeps) -> Result<(), StoreError> {
    let (key, record) = (sample::key(), sample::record());
    let _ = store.create(&key, &record).await?;
    match store.load(&key, Freshness::Latest).await? {
        Some(found) => assert_eq!(found.payload, record.payload),
        None => assert_eq!(keeps, Keeps::Nothing, "an acknowledged record is gone"),
    }
    Ok(())
}
