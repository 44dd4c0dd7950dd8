//! The checker is proved: stores that are wrong in one way, under the same clients as the real ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::Clock;
use cloakroom_faults::{FaultyStore, History, Law, Recorded, Rules, StoreFault, Verdict, Workload, check};
use tokio::time::sleep;

use crate::bench::{run, wants_clean};
use crate::doctor;

const DEADLINE: Duration = Duration::from_secs(2);
/// How soon a store that is wrong must be caught.
const CAUGHT: Duration = Duration::from_secs(30);

/// Clients at a store of which one call in ten is wrong.
async fn verdict(fault: Option<StoreFault>) -> Verdict {
    let history = History::new();
    let store = Arc::new(FaultyStore::new(fault, 10, Clock::system()));
    let store = Recorded::new(store, &history, DEADLINE);
    // Records that expire while they are looked at, and such that do not.
    let workload = Workload::new().with_groups(4).with_pace(Duration::from_millis(2));
    let clients = [
        workload.start(std::slice::from_ref(&store)),
        workload
            .with_groups(12)
            .with_ttl(Duration::from_millis(60))
            .with_pace(Duration::from_millis(25))
            .start(std::slice::from_ref(&store)),
    ];
    sleep(Duration::from_millis(700)).await;
    for clients in clients {
        clients.end(&store).await.expect("no client panicked");
    }
    let events = history.events();
    let verdict = check(&events, &Rules::strict());
    if fault.is_none() {
        doctor::objects(&events, &Rules::strict());
    }
    verdict
}

fn caught(fault: StoreFault, law: Law) {
    run(async {
        let start = Instant::now();
        loop {
            let verdict = verdict(Some(fault)).await;
            println!("{fault:?}: {verdict}");
            if verdict.against(law) > 0 {
                break;
            }
            // On a slow machine few calls are wrong in so short a time.
            assert!(start.elapsed() < CAUGHT, "{fault:?} is not caught: {verdict}");
        }
    });
}

#[test]
fn store_without_a_fault_is_clean() {
    run(async {
        let verdict = verdict(None).await;
        println!("{verdict}");
        wants_clean(&verdict);
    });
}

#[test]
fn upserting_replace_is_caught() {
    caught(StoreFault::UpsertingReplace, Law::NoResurrection);
}

#[test]
fn delete_without_effect_is_caught() {
    caught(StoreFault::DeleteWithoutEffect, Law::NoResurrection);
}

#[test]
fn version_not_compared_is_caught() {
    caught(StoreFault::VersionNotCompared, Law::Linearizable);
}

#[test]
fn expiry_ignored_is_caught() {
    caught(StoreFault::ExpiryIgnored, Law::Linearizable);
}

#[test]
fn stale_read_is_caught() {
    caught(StoreFault::StaleRead, Law::Linearizable);
}

#[test]
fn lost_acknowledgement_is_caught() {
    caught(StoreFault::LostAcknowledgement, Law::Linearizable);
}

#[test]
fn duplicate_apply_is_caught() {
    caught(StoreFault::DuplicateApply, Law::Linearizable);
}

#[test]
fn resurrection_on_timeout_is_caught() {
    caught(StoreFault::ResurrectionOnTimeout, Law::NoResurrection);
}
