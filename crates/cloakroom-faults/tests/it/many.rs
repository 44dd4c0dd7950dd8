//! One of three Memcached servers is killed or frozen under load, and returns: the sessions of the others notice
//! nothing, and none of its own comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom::{Freshness, Store as _, StoreKey};
use cloakroom_faults::{End, Event, Recorded, Rules, check, fresh_key, record};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::bench::{Bench, Effort, wants_clean, workload};
use crate::servers::{Server, THREE_MEMCACHEDS};

/// Those at the frozen server wait for as long; nobody else does.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long the server is away.
const AWAY: Duration = Duration::from_millis(1500);
/// How many visitors have sessions on the servers that are not harmed.
const NEIGHBOURS: usize = 8;
const LIFE: Duration = Duration::from_secs(600);

/// What is done to a server.
type Harm = fn(&mut dyn Server);

pub(crate) async fn one_of_three_crashes_under_load(effort: Effort) {
    let (kill9, restart): (Harm, Harm) = (|server| server.kill9(), |server| server.restart());
    // A crash takes what its server had; nothing else takes anything.
    let rules = THREE_MEMCACHEDS.rules_in_a_crash();
    for _ in 0..effort.rounds() {
        one_of_three_is_harmed("kill -9 and restart", rules, kill9, restart).await;
    }
}

pub(crate) async fn one_of_three_freezes_under_load(effort: Effort) {
    let (stop, cont): (Harm, Harm) = (|server| server.stop(), |server| server.cont());
    for _ in 0..effort.rounds() {
        one_of_three_is_harmed("frozen", THREE_MEMCACHEDS.rules(), stop, cont).await;
    }
}

async fn one_of_three_is_harmed(what: &str, rules: Rules, harm: Harm, mend: Harm) {
    let backend = THREE_MEMCACHEDS;
    let mut bench = Bench::new(backend, DEADLINE);
    let names = names(&bench.server.url());
    let nodes = bench.nodes().await;
    let over = Arc::new(AtomicBool::new(false));
    let neighbours: Vec<_> = (0..NEIGHBOURS)
        .zip(nodes.iter().cycle())
        .map(|(_, node)| neighbour(node.clone(), names.clone(), Arc::clone(&over)))
        .collect();
    let clients = workload().start(&nodes);
    sleep(Duration::from_millis(400)).await;
    let struck = bench.busy_moment().await;
    bench.harm(harm);
    sleep(AWAY).await;
    let away = bench.history.now();
    bench.harm(mend);
    let back = bench.history.now();
    for node in &nodes {
        until_it_is_back(node, &names).await;
    }
    over.store(true, Ordering::SeqCst);
    for neighbour in neighbours {
        neighbour.await.expect("a visitor of another server");
    }
    let figures = bench.close(what, rules, clients, [struck, back]).await;
    assert!(figures.in_flight > 0, "nothing was under way");

    let (harmed, others): (Vec<Event>, Vec<Event>) =
        bench.events().into_iter().partition(|event| keeper(&names, &event.key) == 0);
    let failed =
        |events: &[Event]| events.iter().filter(|event| !matches!(event.end, End::Answered(_))).count();
    let meanwhile = others.iter().filter(|event| event.invoked > struck && event.invoked < away).count();
    println!(
        "  {} calls to the server that was away, {} failed; {} to the others, {meanwhile} of them meanwhile, {} failed",
        harmed.len(),
        failed(&harmed),
        others.len(),
        failed(&others)
    );
    assert!(failed(&harmed) > 0, "nobody noticed");
    assert!(meanwhile > 100, "hardly anybody was at the others");
    let drawn_in: Vec<&Event> = others
        .iter()
        .filter(|event| !matches!(event.end, End::Answered(_)) && !bench.excuses(event))
        .collect();
    assert!(drawn_in.is_empty(), "the others were drawn in: {drawn_in:?}");
    // What lies on the others is neither lost nor late, whatever happened to the one.
    wants_clean(&check(&others, &backend.rules()));
}

/// Lives on the servers that are not harmed, and wants an answer each time.
fn neighbour(store: Recorded, names: Vec<String>, over: Arc<AtomicBool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        while !over.load(Ordering::SeqCst) {
            let key = key_kept_by(&names, |keeper| keeper != 0);
            let mut held = record(&key, LIFE).expect("randomness");
            let _ = store.create(&key, &held).await;
            for _ in 0..4 {
                let _ = store.load(&key, Freshness::Latest).await;
                let next = record(&key, LIFE).expect("randomness");
                let _ = store.replace(&key, held.version, &next).await;
                held = next;
                sleep(Duration::from_millis(2)).await;
            }
            let _ = store.delete(&key).await;
        }
    })
}

async fn until_it_is_back(store: &Recorded, names: &[String]) {
    let key = key_kept_by(names, |keeper| keeper == 0);
    let back = async {
        while store.load(&key, Freshness::Latest).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), back).await.expect("no call succeeds any more");
    sleep(Duration::from_millis(300)).await;
}

fn key_kept_by(names: &[String], wanted: impl Fn(usize) -> bool) -> StoreKey {
    loop {
        let key = fresh_key().expect("randomness");
        if wanted(keeper(names, &key)) {
            return key;
        }
    }
}

/// `host:port` of each server of the URL.
fn names(url: &str) -> Vec<String> {
    let servers = url.strip_prefix("memcache://").expect("a URL of Memcached");
    servers.split(',').map(str::to_owned).collect()
}

/// Which server keeps a key, by the words of the README of `cloakroom-memcached`.
fn keeper(names: &[String], key: &StoreKey) -> usize {
    let key = u64::from_be_bytes(*key.as_bytes().first_chunk().expect("32 bytes"));
    let score = |name: &String| {
        let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        mix(key ^ mix(fnv))
    };
    (0..names.len()).max_by_key(|at| score(&names[*at])).expect("a server")
}

/// The 64-bit finalizer of MurmurHash3.
fn mix(mut hash: u64) -> u64 {
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}
