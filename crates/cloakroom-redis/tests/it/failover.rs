//! Primaries that die, stand still or hand over under load.

use std::time::{Duration, Instant};

use cloakroom_core::{Created, Freshness, Record, Replaced, Store as _, StoreKey};
use cloakroom_redis::RedisStore;
use tokio::task::block_in_place;
use xtask::server::{ClusterFleet, SentinelFleet};

use crate::load::{Load, Report};
use crate::sample::{self, MINUTE};

const WRITERS: usize = 24;

/// What a verb may take beyond its deadline on a slow machine.
const GRACE: Duration = Duration::from_millis(400);

const DEADLINE: Duration = Duration::from_secs(2);

/// What may pass until every writer is back, from the moment on at which there is what its writes need.
const BACK: Duration = Duration::from_secs(2);

fn keys(count: usize) -> Vec<StoreKey> {
    (0..count).map(|_| sample::key()).collect()
}

fn name(key: &StoreKey) -> String {
    format!("cloakroom:{}", key.public_handle().as_str())
}

async fn a_while() {
    tokio::time::sleep(Duration::from_millis(700)).await;
}

fn check(report: &Report) {
    assert!(report.gap < BACK, "{report:?}");
    assert!(report.longest < DEADLINE + GRACE, "{report:?}");
}

/// How a primary goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is killed, and started again after the promotion.
    Killed,
    /// It stands still, and goes on after the promotion.
    Frozen,
}

async fn sentinel(end: End, wait: u8) -> Report {
    let mut fleet = block_in_place(SentinelFleet::start).expect("a fleet");
    let builder = RedisStore::builder(&fleet.url()).with_wait(wait);
    let store = builder.connect().await.expect("a primary");
    let load = Load::start(&store, &keys(WRITERS));
    a_while().await;
    let old = block_in_place(|| match end {
        End::Killed => fleet.kill_primary(),
        End::Frozen => fleet.stop_primary(),
    })
    .expect("a primary");
    block_in_place(|| fleet.wait_for_failover(old)).expect("a promotion");
    let promoted = Instant::now();
    a_while().await;
    block_in_place(|| match end {
        End::Killed => fleet.restart(old),
        End::Frozen => fleet.cont(old),
    })
    .expect("the old primary");
    // It takes itself for the primary until it is told.
    block_in_place(|| fleet.wait_until_converged()).expect("a fleet that agrees");
    // Writes that wait for all replicas wait for the old primary.
    let able = if wait > 1 { Instant::now() } else { promoted };
    a_while().await;
    let lateness = load.lateness();
    let report = Report::of(load.end(able).await.values(), able, &lateness);
    // On a busy machine sentinels may hold a primary for dead that is not, and replace it too.
    let told = fleet.sentinels()[0].cli(&["SENTINEL", "MASTER", "main"]).expect("an answer");
    let failovers = told.lines().skip_while(|line| *line != "config-epoch").nth(1).unwrap_or_default();
    report.print(&format!("sentinel, {end:?}, wait={wait}, {failovers} failover(s)"));
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn sentinels_replace_a_primary_that_is_killed() {
    check(&sentinel(End::Killed, 0).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn sentinels_replace_a_primary_that_stands_still() {
    check(&sentinel(End::Frozen, 0).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn writes_that_all_replicas_have_outlive_the_primary() {
    // Of two replicas with one of them behind, sentinels may promote that one. While the old primary is away,
    // there is only one, and no write counts.
    let report = sentinel(End::Killed, 2).await;
    assert_eq!(report.lost, 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn sentinels_replace_a_primary_on_request() {
    let fleet = block_in_place(SentinelFleet::start).expect("a fleet");
    let store = RedisStore::connect(&fleet.url()).await.expect("a primary");
    let load = Load::start(&store, &keys(WRITERS));
    a_while().await;
    block_in_place(|| fleet.failover()).expect("a promotion");
    let promoted = Instant::now();
    block_in_place(|| fleet.wait_until_converged()).expect("a fleet that agrees");
    a_while().await;
    let lateness = load.lateness();
    let report = Report::of(load.end(promoted).await.values(), promoted, &lateness);
    report.print("sentinel, on request");
    check(&report);
}

async fn cluster(end: End, wait: u8) -> Report {
    let mut fleet = block_in_place(ClusterFleet::start).expect("a cluster");
    let builder = RedisStore::builder(&fleet.url()).with_wait(wait);
    let store = builder.connect().await.expect("a cluster");
    let keys = keys(WRITERS);
    let victim = keys[0];
    let of = |fleet: &ClusterFleet, key: &StoreKey| fleet.primary_of(&name(key)).expect("a primary");
    let old = block_in_place(|| of(&fleet, &victim));
    let (theirs, others): (Vec<_>, Vec<_>) =
        block_in_place(|| keys.iter().copied().partition(|key| of(&fleet, key) == old));
    let load = Load::start(&store, &keys);
    a_while().await;
    block_in_place(|| match end {
        End::Killed => fleet.kill_primary_of(&name(&victim)),
        End::Frozen => fleet.stop_primary_of(&name(&victim)),
    })
    .expect("a primary");
    block_in_place(|| fleet.wait_for_failover(&name(&victim), old)).expect("a promotion");
    let promoted = Instant::now();
    a_while().await;
    block_in_place(|| match end {
        End::Killed => fleet.restart(old),
        End::Frozen => fleet.cont(old),
    })
    .expect("the old primary");
    block_in_place(|| fleet.wait_until_converged()).expect("a cluster that agrees");
    // The old primary is the only replica of the new one: nothing that waits for one counts before it is back.
    let able = if wait > 0 { Instant::now() } else { promoted };
    a_while().await;
    let lateness = load.lateness();
    let ledgers = load.end(able).await;
    let report = Report::of(others.iter().map(|key| &ledgers[key]), promoted, &lateness);
    report.print(&format!("cluster, other primaries, {end:?}, wait={wait}"));
    check(&report);
    let report = Report::of(theirs.iter().map(|key| &ledgers[key]), able, &lateness);
    report.print(&format!("cluster, {end:?}, wait={wait}"));
    check(&report);
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn cluster_replaces_a_primary_that_is_killed() {
    cluster(End::Killed, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn cluster_replaces_a_primary_that_stands_still() {
    cluster(End::Frozen, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn writes_that_the_replica_has_outlive_a_node() {
    let report = cluster(End::Killed, 1).await;
    assert_eq!(report.lost, 0, "{report:?}");
}

/// A cluster that takes nobody for dead while the machine stands still for a few seconds: an election of its own would
/// be an outage.
fn steady() -> xtask::Result<ClusterFleet> {
    ClusterFleet::builder().with_arguments(["--cluster-node-timeout", "15000"]).start()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn node_hands_over_without_an_error() {
    let fleet = block_in_place(steady).expect("a cluster");
    let store = RedisStore::connect(&fleet.url()).await.expect("a cluster");
    let keys = keys(WRITERS);
    let load = Load::start(&store, &keys);
    a_while().await;
    block_in_place(|| fleet.failover(&name(&keys[0]))).expect("a promotion");
    let promoted = Instant::now();
    a_while().await;
    let lateness = load.lateness();
    let report = Report::of(load.end(promoted).await.values(), promoted, &lateness);
    report.print("cluster, on request");
    check(&report);
    assert_eq!((report.lost, report.errors.len()), (0, 0), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn slots_move_under_load_without_an_error() {
    const TASKS: u64 = 8;
    let fleet = block_in_place(steady).expect("a cluster");
    let store = RedisStore::connect(&fleet.url()).await.expect("a cluster");
    let (key, count) = (sample::key(), |number: u64| number.to_be_bytes().to_vec());
    let record = Record::new(count(0), sample::version(), MINUTE);
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let end = tokio::sync::watch::Sender::new(false);
    // All count in one record, which is on its way all the time.
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (store, ended) = (store.clone(), end.subscribe());
            tokio::spawn(async move {
                let mut counted = 0_u64;
                while !*ended.borrow() {
                    let found =
                        store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
                    let number = u64::from_be_bytes(found.payload.try_into().expect("a number"));
                    let next = Record::new((number + 1).to_be_bytes().to_vec(), sample::version(), MINUTE);
                    if store.replace(&key, found.version, &next).await.expect("an answer")
                        == Replaced::Replaced
                    {
                        counted += 1;
                    }
                    // And some come and go.
                    let (passing, record) = (sample::key(), sample::record());
                    assert_eq!(store.create(&passing, &record).await.expect("an answer"), Created::Created);
                    assert!(store.load(&passing, Freshness::Latest).await.expect("an answer").is_some());
                }
                counted
            })
        })
        .collect();
    let slot = block_in_place(|| fleet.slot(&name(&key))).expect("a slot");
    let mut moves = 0;
    for _ in 0..6 {
        block_in_place(|| {
            let from = fleet.primary_of_slot(slot).expect("a primary");
            let to = fleet.primaries().expect("primaries").into_iter().find(|port| *port != from);
            fleet.migrate_slot(slot, to.expect("another")).expect("a slot that moves");
        });
        moves += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    end.send_replace(true);
    let mut counted = 0;
    for task in tasks {
        counted += task.await.expect("no error");
    }
    let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    println!("{moves} moves, {counted} increments, none lost, no error");
    assert_eq!(found.payload, count(counted));
    assert!(counted > 50, "{counted}");
}
