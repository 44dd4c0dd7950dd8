//! Verbs that are dropped, and deadlines that pass in the middle: nobody gets the answer of somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::{Created, Freshness, Record, Store as _, StoreErrorKind, StoreKey};
use cloakroom_sqlx::{Dialect, SqlStore};
use cloakroom_testkit::{Dice, Network, Proxy, dropped_after};

use crate::machine::{Machine, connect, on_both_servers};
use crate::sample::{self, MINUTE};
use crate::scratch::Scratch;

on_both_servers! {
    cancelled_verbs_never_cross_answers
    deadlines_in_the_middle_never_cross_answers
    deadlines_in_the_middle_of_a_reply_never_cross_answers
}

const SESSIONS: u64 = 64;

/// How many verbs are dropped; a longer run is asked for by `CLOAKROOM_CANCELLATIONS`.
fn wanted() -> u64 {
    std::env::var("CLOAKROOM_CANCELLATIONS").map_or(10_000, |number| number.parse().expect("a number"))
}

/// Sessions whose payloads tell whose they are, of very different lengths.
async fn sessions<D: Dialect>(store: &SqlStore<D>) -> Arc<Vec<StoreKey>> {
    let keys: Vec<StoreKey> = (0..SESSIONS).map(|_| sample::key()).collect();
    for (key, number) in keys.iter().zip(0..) {
        let record = Record::new(payload(number), sample::version(), MINUTE);
        assert_eq!(store.create(key, &record).await.expect("an answer"), Created::Created);
    }
    Arc::new(keys)
}

fn payload(number: u64) -> Vec<u8> {
    format!("of {number};").repeat(1 << (number % 12)).into_bytes()
}

/// Looks, and now and then writes the same again under a new version.
async fn visit<D: Dialect>(
    store: &SqlStore<D>,
    key: &StoreKey,
    number: u64,
    write: bool,
) -> Result<(), StoreErrorKind> {
    let found = store.load(key, Freshness::Latest).await.map_err(|error| error.kind())?.expect("a record");
    assert!(found.payload == payload(number), "somebody else's record");
    if write {
        let next = Record::new(found.payload, sample::version(), MINUTE);
        let _ = store.replace(key, found.version, &next).await.map_err(|error| error.kind())?;
    }
    Ok(())
}

async fn storm<D: Dialect>(store: SqlStore<D>) {
    let keys = sessions(&store).await;
    let (whole, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (1..=16)
        .map(|seed| {
            let (store, keys) = (store.clone(), Arc::clone(&keys));
            let (whole, dropped) = (Arc::clone(&whole), Arc::clone(&dropped));
            tokio::spawn(async move {
                let mut dice = Dice::new(seed);
                while dropped.load(Ordering::Relaxed) < wanted() {
                    let number = dice.roll(SESSIONS);
                    let key = &keys[usize::try_from(number).expect("a small number")];
                    let (polls, write) = (dice.roll(4), dice.roll(3) == 0);
                    let visit = visit(&store, key, number, write);
                    match dropped_after(polls, visit).await {
                        Some(Ok(())) => whole.fetch_add(1, Ordering::Relaxed),
                        // Those who gave up still queue for a connection, and may keep others from it.
                        Some(Err(StoreErrorKind::Unavailable | StoreErrorKind::Timeout)) => 0,
                        Some(Err(kind)) => panic!("{kind:?}"),
                        None => dropped.fetch_add(1, Ordering::Relaxed),
                    };
                    // Room for the work that goes on behind those who gave up.
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("nobody got somebody else's record");
    }
    let (whole, dropped) = (whole.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed));
    println!("{whole} finished, {dropped} dropped, {store:?}");
    assert!(whole * 20 > dropped, "{whole} finished, {dropped} dropped");
    tokio::time::timeout(Duration::from_secs(10), async {
        for (key, number) in keys.iter().zip(0..) {
            visit(&store, key, number, true).await.expect("an answer");
        }
    })
    .await
    .expect("all is quiet again");
}

async fn cancelled_verbs_never_cross_answers<M: Machine>() {
    let server = M::begin();
    storm(connect::<M>(&server.address()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_verbs_never_cross_answers_on_sqlite() {
    let scratch = Scratch::new();
    storm(SqlStore::<sqlx::Sqlite>::connect(&scratch.url()).await.expect("a file")).await;
}

/// Unlike a caller, a deadline does end a statement in the middle; then its connection goes as well.
async fn deadlines_in_the_middle_never_cross_answers<M: Machine>() {
    let server = M::begin();
    let keys = sessions(&connect::<M>(&server.address()).await).await;
    let store = SqlStore::<M::Dialect>::builder(&server.address())
        .with_timeout(Duration::from_millis(60))
        .connect_lazy()
        .expect("a URL");
    let ended = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (1..=12)
        .map(|seed| {
            let (store, keys, ended) = (store.clone(), Arc::clone(&keys), Arc::clone(&ended));
            tokio::spawn(async move {
                let (mut dice, mut whole, mut late) = (Dice::new(seed), 0, 0);
                while ended.load(Ordering::Relaxed) == 0 {
                    let number = dice.roll(SESSIONS);
                    let key = &keys[usize::try_from(number).expect("a small number")];
                    match visit(&store, key, number, dice.roll(3) == 0).await {
                        Ok(()) => whole += 1,
                        Err(StoreErrorKind::Timeout) => late += 1,
                        Err(StoreErrorKind::Unavailable | StoreErrorKind::Ambiguous) => {}
                        Err(kind) => panic!("{kind:?}"),
                    }
                }
                (whole, late)
            })
        })
        .collect();
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        server.freeze();
        tokio::time::sleep(Duration::from_millis(70)).await;
        server.thaw();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    ended.store(1, Ordering::Relaxed);
    let (mut whole, mut late) = (0, 0);
    for task in tasks {
        let counted = task.await.expect("nobody got somebody else's record");
        whole += counted.0;
        late += counted.1;
    }
    println!("{whole} finished, {late} late");
    assert!(late > 10 && whole > 100, "{whole} finished, {late} late");
}

/// Over a line that brings a reply in small pieces, a deadline falls between any two of them.
async fn deadlines_in_the_middle_of_a_reply_never_cross_answers<M: Machine>() {
    /// How many verbs are to finish, and how many to be late.
    const WHOLE: u64 = 300;
    const LATE: u64 = 50;
    let server = M::begin();
    let keys = sessions(&connect::<M>(&server.address()).await).await;
    let proxy = Proxy::before_port(server.port()).await.expect("a proxy");
    let store = SqlStore::<M::Dialect>::builder(&server.address_by(proxy.address().port()))
        .with_timeout(Duration::from_millis(40))
        .with_connect_timeout(Duration::from_secs(5))
        .connect_lazy()
        .expect("a URL");
    let counts = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let enough = |counts: &(AtomicU64, AtomicU64)| {
        counts.0.load(Ordering::Relaxed) >= WHOLE && counts.1.load(Ordering::Relaxed) >= LATE
    };
    let tasks: Vec<_> = (1..=8)
        .map(|seed| {
            let (store, keys, counts) = (store.clone(), Arc::clone(&keys), Arc::clone(&counts));
            tokio::spawn(async move {
                let mut dice = Dice::new(seed);
                while !enough(&counts) {
                    let number = dice.roll(SESSIONS);
                    let key = &keys[usize::try_from(number).expect("a small number")];
                    match visit(&store, key, number, dice.roll(3) == 0).await {
                        Ok(()) => counts.0.fetch_add(1, Ordering::Relaxed),
                        Err(StoreErrorKind::Timeout) => counts.1.fetch_add(1, Ordering::Relaxed),
                        Err(StoreErrorKind::Unavailable | StoreErrorKind::Ambiguous) => 0,
                        Err(kind) => panic!("{kind:?}"),
                    };
                }
            })
        })
        .collect();
    // Now and then the line is fast, so that there are connections to be late on. How many verbs are late in one round
    // is the machine's choice; there are rounds until there were enough of both.
    let (start, mut rounds) = (Instant::now(), 0);
    while rounds < 3 || !enough(&counts) {
        assert!(start.elapsed() < Duration::from_secs(60), "{counts:?} finished and late in {rounds} rounds");
        proxy.set(Network::Trickle(17, Duration::from_millis(1)));
        tokio::time::sleep(Duration::from_millis(150)).await;
        proxy.set(Network::Pass);
        tokio::time::sleep(Duration::from_millis(150)).await;
        rounds += 1;
    }
    for task in tasks {
        task.await.expect("nobody got somebody else's record");
    }
    println!("{counts:?} finished and late in {rounds} rounds");
}
