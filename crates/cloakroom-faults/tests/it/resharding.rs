//! Slots of a cluster that move to another primary and back, under load.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cloakroom_faults::{Figures, History, Recorded, Rules, check, lost_writes};
use tokio::task::block_in_place;
use tokio::time::sleep;
use xtask::server::ClusterFleet;

use crate::backend::connect;
use crate::bench::{Effort, run_for, wants_clean, workload};
use crate::doctor;

const DEADLINE: Duration = Duration::from_secs(2);
/// How many slots are on their way at the same time.
const SLOTS: usize = 8;
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
    let fleet = block_in_place(ClusterFleet::start).expect("a cluster");
    let history = History::new();
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
    let mut moves = 0;
    for _ in 0..4 * effort.rounds() {
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
    let events = history.events();
    let rules = Rules::strict();
    let (figures, verdict) = (Figures::of(&events, struck, over), check(&events, &rules));
    let lost = lost_writes(&events).len();
    println!(
        "cluster, {moves} moves of slots in {:.1?}: {redirections:?} of servers, {lost} acknowledged writes lost\n  {figures}\n  \
         history: {verdict}",
        over.at - struck.at
    );
    assert_eq!((lost, figures.errors.len()), (0, 0), "{figures}");
    wants_clean(&verdict);
    doctor::objects(&events, &rules);
    // Else nothing was on its way.
    let followed: u64 = ["ASK", "MOVED"].iter().filter_map(|word| redirections.get(*word)).sum();
    assert!(followed > 0, "{redirections:?}");
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
