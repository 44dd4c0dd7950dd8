//! Verbs that are dropped, and deadlines that pass in the middle: nobody gets the answer of somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::{
    Created, Freshness, PrincipalIndex as _, PrincipalTag, Record, Store as _, StoreErrorKind, StoreKey,
};
use cloakroom_sqlx::{Dialect, SqlStore};
use cloakroom_testkit::{Dice, Network, Proxy, dropped_after};
use tokio::task::JoinHandle;

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

/// When a test no longer waits until enough has happened.
const LIMIT: Duration = Duration::from_secs(60);

/// How many visits finished and how many were broken off, of those that a test wants to see.
#[derive(Debug)]
struct Counts {
    finished: AtomicU64,
    broken_off: AtomicU64,
    wanted: (u64, u64),
}

impl Counts {
    fn of(finished: u64, broken_off: u64) -> Arc<Self> {
        let zero = || AtomicU64::new(0);
        Arc::new(Self { finished: zero(), broken_off: zero(), wanted: (finished, broken_off) })
    }

    fn are_enough(&self) -> bool {
        let counted = |count: &AtomicU64| count.load(Ordering::Relaxed);
        counted(&self.finished) >= self.wanted.0 && counted(&self.broken_off) >= self.wanted.1
    }

    fn finished(&self) {
        self.finished.fetch_add(1, Ordering::Relaxed);
    }

    fn broken_off(&self) {
        self.broken_off.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sessions whose payloads tell whose they are, of very different lengths.
async fn sessions<D: Dialect>(store: &SqlStore<D>) -> Arc<Vec<StoreKey>> {
    let keys: Vec<StoreKey> = (0..SESSIONS).map(|_| sample::key()).collect();
    for (key, number) in keys.iter().zip(0..) {
        let record =
            Record::new(payload(number), sample::version(), MINUTE).with_principal(Some(tag(number)));
        assert_eq!(store.create(key, &record).await.expect("an answer"), Created::Created);
    }
    Arc::new(keys)
}

/// Each session has a principal of its own.
fn tag(number: u64) -> PrincipalTag {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    PrincipalTag::from_bytes(bytes)
}

fn payload(number: u64) -> Vec<u8> {
    format!("of {number};").repeat(1 << (number % 12)).into_bytes()
}

/// What is done at a visit besides a look.
#[derive(Clone, Copy)]
enum Also {
    Nothing,
    /// The same is written again under a new version.
    Write,
    /// The principal's sessions are listed.
    List,
}

impl Also {
    fn roll(dice: &mut Dice) -> Self {
        match dice.roll(4) {
            0 => Self::Write,
            1 => Self::List,
            _ => Self::Nothing,
        }
    }
}

async fn visit<D: Dialect>(
    store: &SqlStore<D>,
    key: &StoreKey,
    number: u64,
    also: Also,
) -> Result<(), StoreErrorKind> {
    let found = store.load(key, Freshness::Latest).await.map_err(|error| error.kind())?.expect("a record");
    assert!(found.payload == payload(number), "somebody else's record");
    match also {
        Also::Nothing => {}
        Also::Write => {
            let next = Record::new(found.payload, sample::version(), MINUTE).with_principal(found.principal);
            let _ = store.replace(key, found.version, &next).await.map_err(|error| error.kind())?;
        }
        Also::List => {
            let listed = store.entries(&tag(number)).await.map_err(|error| error.kind())?.entries;
            let listed: Vec<_> = listed.iter().map(|entry| entry.key).collect();
            assert_eq!(listed, [*key], "somebody else's list");
        }
    }
    Ok(())
}

async fn storm<D: Dialect>(store: SqlStore<D>) {
    let keys = sessions(&store).await;
    // How many of them finish is the scheduler's choice; the storm goes on until there were enough of both.
    let counts = Counts::of(wanted() / 20, wanted());
    let (start, limit) = (Instant::now(), LIMIT.max(Duration::from_millis(10 * wanted())));
    let tasks: Vec<_> = (1..=16)
        .map(|seed| {
            let (store, keys, counts) = (store.clone(), Arc::clone(&keys), Arc::clone(&counts));
            tokio::spawn(async move {
                let mut dice = Dice::new(seed);
                while !counts.are_enough() {
                    assert!(start.elapsed() < limit, "{counts:?}");
                    let number = dice.roll(SESSIONS);
                    let key = &keys[usize::try_from(number).expect("a small number")];
                    let (polls, also) = (dice.roll(4), Also::roll(&mut dice));
                    let visit = visit(&store, key, number, also);
                    match dropped_after(polls, visit).await {
                        Some(Ok(())) => counts.finished(),
                        // Those who gave up still queue for a connection, and may keep others from it.
                        Some(Err(StoreErrorKind::Unavailable | StoreErrorKind::Timeout)) => {}
                        Some(Err(kind)) => panic!("{kind:?}"),
                        None => counts.broken_off(),
                    }
                    // Room for the work that goes on behind those who gave up.
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("nobody got somebody else's record");
    }
    println!("{counts:?}, {store:?}");
    tokio::time::timeout(Duration::from_secs(10), async {
        for (key, number) in keys.iter().zip(0..) {
            // The first of them may still find the queue of those who gave up.
            while let Err(kind) = visit(&store, key, number, Also::Write).await {
                assert!(matches!(kind, StoreErrorKind::Unavailable | StoreErrorKind::Timeout), "{kind:?}");
            }
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

/// Tasks that visit sessions, and count those visits that finish and those that are late.
struct Visitors {
    ended: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Visitors {
    fn start<D: Dialect>(
        count: u64,
        store: &SqlStore<D>,
        keys: &Arc<Vec<StoreKey>>,
        counts: &Arc<Counts>,
    ) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let visitor = |seed| {
            let (store, keys) = (store.clone(), Arc::clone(keys));
            let (counts, ended) = (Arc::clone(counts), Arc::clone(&ended));
            tokio::spawn(async move {
                let mut dice = Dice::new(seed);
                while !ended.load(Ordering::Relaxed) {
                    let number = dice.roll(SESSIONS);
                    let key = &keys[usize::try_from(number).expect("a small number")];
                    match visit(&store, key, number, Also::roll(&mut dice)).await {
                        Ok(()) => counts.finished(),
                        Err(StoreErrorKind::Timeout) => counts.broken_off(),
                        Err(StoreErrorKind::Unavailable | StoreErrorKind::Ambiguous) => {}
                        Err(kind) => panic!("{kind:?}"),
                    }
                }
            })
        };
        let tasks = (1..=count).map(visitor).collect();
        Self { ended, tasks }
    }

    async fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("nobody got somebody else's record");
        }
    }
}

/// Unlike a caller, a deadline does end a statement in the middle; then its connection goes as well.
async fn deadlines_in_the_middle_never_cross_answers<M: Machine>() {
    let server = M::begin();
    let keys = sessions(&connect::<M>(&server.address()).await).await;
    let store = SqlStore::<M::Dialect>::builder(&server.address())
        .with_timeout(Duration::from_millis(60))
        .connect_lazy()
        .expect("a URL");
    let counts = Counts::of(101, 11);
    let visitors = Visitors::start(12, &store, &keys, &counts);
    // Verbs finish while the server runs, and are late while it is frozen; the machine may be too slow for the first, or
    // have nobody under way at the second.
    let (start, mut rounds) = (Instant::now(), 0);
    while rounds < 12 || !counts.are_enough() {
        assert!(start.elapsed() < LIMIT, "{counts:?} in {rounds} rounds");
        tokio::time::sleep(Duration::from_millis(150)).await;
        server.freeze();
        tokio::time::sleep(Duration::from_millis(70)).await;
        server.thaw();
        rounds += 1;
    }
    visitors.end().await;
    println!("{counts:?} in {rounds} rounds");
}

/// Over a line that brings a reply in small pieces, a deadline falls between any two of them.
async fn deadlines_in_the_middle_of_a_reply_never_cross_answers<M: Machine>() {
    let server = M::begin();
    let keys = sessions(&connect::<M>(&server.address()).await).await;
    let proxy = Proxy::before_port(server.port()).await.expect("a proxy");
    let store = SqlStore::<M::Dialect>::builder(&server.address_by(proxy.address().port()))
        .with_timeout(Duration::from_millis(40))
        .with_connect_timeout(Duration::from_secs(5))
        .connect_lazy()
        .expect("a URL");
    let counts = Counts::of(300, 50);
    let visitors = Visitors::start(8, &store, &keys, &counts);
    // Now and then the line is fast, so that there are connections to be late on. How many verbs are late in one round
    // is the machine's choice; there are rounds until there were enough of both.
    let (start, mut rounds) = (Instant::now(), 0);
    while rounds < 3 || !counts.are_enough() {
        assert!(start.elapsed() < LIMIT, "{counts:?} in {rounds} rounds");
        proxy.set(Network::Trickle(17, Duration::from_millis(1)));
        tokio::time::sleep(Duration::from_millis(150)).await;
        proxy.set(Network::Pass);
        tokio::time::sleep(Duration::from_millis(150)).await;
        rounds += 1;
    }
    visitors.end().await;
    println!("{counts:?} in {rounds} rounds");
}
