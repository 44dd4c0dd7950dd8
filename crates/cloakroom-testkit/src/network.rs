//! Frozen servers and busy workers: what every store over a network goes through.

use std::future::Future;
use std::time::{Duration, Instant};

use cloakroom_core::{Freshness, Store, StoreErrorKind, StoreKey};
use tokio::runtime::{Builder, Runtime};

use crate::lateness::Lateness;
use crate::sample::{self, MINUTE};

/// How much later than a timer of the same runtime a verb may end.
pub const GRACE: Duration = Duration::from_millis(50);

/// How soon a server that goes on is found again.
const BACK: Duration = Duration::from_millis(500);

/// Every verb once, each with the kind of its error and by how much it missed the deadline. A timer that runs
/// beside it takes the slowness of the machine out, and so does what the machine is late by from then on.
pub async fn every_verb(
    store: &dyn Store,
    key: &StoreKey,
    deadline: Duration,
) -> Vec<(Duration, Option<StoreErrorKind>)> {
    let (record, lateness) = (sample::record(), Lateness::watch());
    let mut ends = Vec::new();
    for verb in 0..5 {
        let timer = async {
            tokio::time::sleep(deadline).await;
            Instant::now()
        };
        let verb = async {
            let error = match verb {
                0 => store.load(key, Freshness::Latest).await.err(),
                1 => store.create(key, &record).await.err(),
                2 => store.replace(key, sample::version(), &record).await.err(),
                3 => store.touch(key, record.version, MINUTE).await.err(),
                _ => store.delete(key).await.err(),
            };
            (Instant::now(), error)
        };
        let (rung, (end, error)) = tokio::join!(timer, verb);
        let late = end.saturating_duration_since(rung).saturating_sub(lateness.between(rung, end));
        ends.push((late, error.map(|error| error.kind())));
    }
    ends
}

/// Every verb at a frozen server ends by the deadline with one of the `expected` errors, and once the server goes on,
/// so does the store.
///
/// # Panics
///
/// A verb is late or has another answer, or the store does not find its way back.
pub async fn frozen_server_keeps_nobody(
    store: &dyn Store,
    deadline: Duration,
    expected: &[StoreErrorKind],
    freeze: impl FnOnce() + Send,
    thaw: impl FnOnce() + Send,
) {
    let key = sample::key();
    every_verb(store, &key, deadline).await;
    freeze();
    for (late, error) in every_verb(store, &key, deadline).await {
        println!("{error:?} {late:?} after the deadline");
        assert!(error.is_some_and(|error| expected.contains(&error)), "{error:?}");
        assert!(late <= GRACE, "{late:?}");
    }
    let lateness = Lateness::watch();
    thaw();
    let start = Instant::now();
    while let Err(error) = store.load(&key, Freshness::Latest).await {
        let took = start.elapsed().saturating_sub(lateness.since(start));
        assert!(took < BACK, "{error:?} after {took:?}");
    }
    println!("an answer {:?} after the server went on", start.elapsed());
}

/// A crowd at a frozen server leaves in time, and once the server goes on, the store does at its first verb.
///
/// # Panics
///
/// Somebody is late, or the first verb afterwards fails.
pub async fn crowd_at_a_frozen_server_leaves_in_time<S: Store + Clone>(
    store: &S,
    deadline: Duration,
    freeze: impl FnOnce() + Send,
    thaw: impl FnOnce() + Send,
) {
    store.load(&sample::key(), Freshness::Latest).await.expect("an answer");
    freeze();
    let (start, lateness) = (Instant::now(), Lateness::watch());
    let crowd: Vec<_> = (0..500)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.create(&sample::key(), &sample::record()).await.is_err() })
        })
        .collect();
    for one in crowd {
        assert!(one.await.expect("no panic"));
    }
    let took = start.elapsed().saturating_sub(lateness.since(start));
    assert!(took <= deadline + GRACE * 4, "{took:?}, and {:?} in which nothing ran", lateness.since(start));
    thaw();
    store.load(&sample::key(), Freshness::Latest).await.expect("an answer");
}

/// A store that was connected on one runtime serves others, of which one has a handler that computes.
/// `meanwhile` happens before any of them uses it.
///
/// # Panics
///
/// The others get no answer.
pub fn busy_worker_does_not_hold_up_the_others<S: Store + Clone>(
    connect: impl Future<Output = S>,
    meanwhile: impl FnOnce(),
) {
    let home = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let store = home.block_on(connect);
    meanwhile();
    let (one, (tell, told), (release, released)) =
        (store.clone(), std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let busy = std::thread::spawn(move || {
        worker().block_on(async {
            one.load(&sample::key(), Freshness::Latest).await.expect("an answer");
            tell.send(()).expect("a listener");
            // A handler that computes: its thread polls nothing else.
            let _ = released.recv();
        });
    });
    told.recv().expect("a worker");
    let answer = worker().block_on(store.load(&sample::key(), Freshness::Latest));
    drop(release);
    busy.join().expect("a worker");
    assert_eq!(answer.expect("an answer"), None);
}

fn worker() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}
