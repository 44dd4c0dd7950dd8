//! Slots of a cluster that move to another primary and back, under load.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use cloakroom_faults::{Figures, History, Recorded, Rules, check, lost_writes};
use tokio::task::block_in_place;
use tokio::time::sleep;
use xtask::server::ClusterFleet;

use crate::backend::connect;
use crate::bench::{Effort, run_for, wants_clean, workload};
use crate::doctor;
use crate::late::Late;

const DEADLINE: Duration = Duration::from_secs(2);
/// How many slots are on their way at the same time.
const SLOTS: usize = 8;
/// How long clients may take to meet a slot that is on its way.
const MET: Duration = Duration::from_secs(60);
/// Nobody shall be elected, however slow the machine is: a node may be silent for longer than a run takes to notice.
const PATIENT: [&str; 2] = ["--cluster-node-timeout", "20000"];
/// How long they stay half way.
const HALF_WAY: Duration = Duration::from_millis(30);

/// The slots of the records that were used last.
fn slots_in_use(fleet: &ClusterFleet, history: &History) -> BTreeSet<u16> {
    let events = history.events();
    let mut keys = Vec::new();
    for event in events.iter().rev() {
        if keys.len() < SLOTS && !keys.contains(&event.key) {
            keys.push(event.key);
        }
    }
    let slot = |name: String| fleet.slot(&name).expect("a slot");
    keys.iter().map(|key| slot(format!("cloakroom:{}", key.public_handle().as_str()))).collect()
}

/// How often the servers have sent somebody elsewhere, by the word for it.
fn redirections(fleet: &ClusterFleet) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for server in fleet.servers() {
        let told = server.cli(&["INFO", "errorstats"]).expect("an answer");
        for line in told.lines().filter_map(|line| line.trim_end().strip_prefix("errorstat_")) {
            let (word, count) = line.split_once(":count=").expect("a count");
            *counts.entry(word.to_owned()).or_default() += count.parse::<u64>().expect("a number");
        }
    }
    counts
}

/// Moves the slots, each to the next one of the primaries: opens all of them, moves what is in them, and closes them.
async fn move_on(fleet: &ClusterFleet, slots: &BTreeSet<u16>) {
    let ways: Vec<(u16, u16, u16)> = block_in_place(|| {
        let mut primaries = fleet.primaries().expect("primaries");
        primaries.sort_unstable();
        let next = |slot: u16| {
            let from = fleet.primary_of_slot(slot).expect("a primary");
            let at = primaries.iter().position(|port| *port == from).expect("one of them");
            primaries[(at + 1) % primaries.len()]
        };
        let way = |slot: &u16| {
            let to = next(*slot);
            (*slot, fleet.open_slot(*slot, to).expect("an open slot"), to)
        };
        slots.iter().map(way).collect()
    });
    sleep(HALF_WAY).await;
    for (slot, from, to) in &ways {
        block_in_place(|| fleet.move_keys(*slot, *from, *to)).expect("keys that move");
    }
    sleep(HALF_WAY).await;
    for (slot, _, to) in &ways {
        block_in_place(|| fleet.close_slot(*slot, *to)).expect("a closed slot");
    }
}

async fn slots_move(effort: Effort) {
    let fleet = ClusterFleet::builder().with_arguments(PATIENT);
    let fleet = block_in_place(|| fleet.start()).expect("a cluster");
    let primaries = || {
        let mut primaries = fleet.primaries().expect("primaries");
        primaries.sort_unstable();
        primaries
    };
    let at_first = block_in_place(primaries);
    let [option, patience] = PATIENT;
    let told = fleet.cli(at_first[0], &["CONFIG", "GET", option.trim_start_matches('-')]).expect("an answer");
    assert_eq!(told.lines().last(), Some(patience), "the fleet has a patience of its own");
    let (history, late) = (History::new(), Late::watch());
    let url = fleet.url();
    let nodes = [
        Recorded::new(connect(&url, DEADLINE).await, &history, DEADLINE),
        Recorded::new(connect(&url, DEADLINE).await, &history, DEADLINE),
    ];
    // Records live for longer than a slot is on its way.
    let clients = workload().with_groups(10).with_pace(Duration::from_millis(60)).start(&nodes);
    sleep(Duration::from_millis(300)).await;
    let before = block_in_place(|| redirections(&fleet));
    let struck = history.now();
    let asked = || {
        let count = |words: &BTreeMap<String, u64>| words.get("ASK").copied().unwrap_or_default();
        count(&block_in_place(|| redirections(&fleet))) - count(&before)
    };
    let (start, mut moves, mut rounds) = (Instant::now(), 0, 0);
    // A record lives for a quarter of a second: some of them end before their slots are on the way.
    while rounds < 4 * effort.rounds() || asked() == 0 {
        assert!(rounds < 4 * effort.rounds() || start.elapsed() < MET, "nobody met a slot on its way");
        rounds += 1;
        let slots = block_in_place(|| slots_in_use(&fleet, &history));
        // Round, and home again.
        for _ in 0..3 {
            move_on(&fleet, &slots).await;
            moves += slots.len();
        }
    }
    let over = history.now();
    let mut redirections = block_in_place(|| redirections(&fleet));
    sleep(Duration::from_millis(300)).await;
    clients.end(&nodes[1]).await.expect("no client panicked");

    for (word, count) in before {
        *redirections.entry(word).or_default() -= count;
    }
    let events = late.forgives(history.events());
    let rules = Rules::strict();
    let (figures, verdict) = (Figures::of(&events, struck, over), check(&events, &rules));
    let lost = lost_writes(&events).len();
    println!(
        "cluster, {moves} moves of slots in {:.1?}: {redirections:?} of servers, {lost} acknowledged writes lost\n  {figures}\n  \
         history: {verdict}",
        over.at - struck.at
    );
    assert_eq!((lost, figures.errors.len()), (0, 0), "{figures}");
    assert_eq!(block_in_place(primaries), at_first, "somebody was elected");
    wants_clean(&verdict);
    doctor::objects(&events, &rules);
    // Else nobody met a slot on its way: who comes later is told `MOVED`.
    assert!(redirections.get("ASK").is_some_and(|count| *count > 0), "{redirections:?}");
}

#[test]
#[ignore = "needs cluster: run `cargo xtask test`"]
fn cluster_moves_slots_under_load() {
    run_for(Effort::Bounded, slots_move(Effort::Bounded));
}

#[test]
#[ignore = "faults cluster: run `cargo xtask faults`"]
fn cluster_moves_slots_under_load_at_length() {
    run_for(Effort::Long, slots_move(Effort::Long));
}
