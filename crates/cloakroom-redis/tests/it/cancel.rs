//! Requests that are dropped: nobody gets the reply of somebody else.

use std::time::{Duration, Instant};

use cloakroom_core::{Created, Freshness, PrincipalIndex as _, Record, Store as _, StoreKey};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::{Dice, dropped_after};

use crate::shared::Way;
use crate::{index, sample};

const SESSIONS: u64 = 64;
const TASKS: u64 = 16;

/// How many requests are begun; `CLOAKROOM_CANCELLATIONS` makes it more.
fn requests() -> u64 {
    std::env::var("CLOAKROOM_CANCELLATIONS").map_or(24_000, |count| count.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn cancelled_verbs_never_cross_replies() {
    cancel(Way::Unix.store().await, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn cancelled_verbs_never_cross_replies_under_sentinels() {
    cancel(Way::Sentinel.store().await, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn cancelled_verbs_never_cross_replies_in_a_cluster() {
    cancel(Way::Cluster.store().await, false).await;
}

/// Writes that wait have connections of their own, which are taken and given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn cancelled_waits_never_cross_replies() {
    let prefix = format!("test-{:016x}", sample::version().get());
    let builder = RedisStore::builder(&Way::Cluster.url()).with_prefix(prefix).with_wait(1);
    cancel(builder.connect().await.expect("the shared cluster"), true).await;
}

async fn cancel(store: RedisStore, waits: bool) {
    let keys: Vec<StoreKey> = (0..SESSIONS).map(|_| sample::key()).collect();
    let owned =
        |number: u64| Record::new(format!("of {number}").into_bytes(), sample::version(), sample::MINUTE);
    for (key, number) in keys.iter().zip(0..) {
        let (record, start) = (owned(number), Instant::now());
        let created = loop {
            match store.create(key, &record).await {
                // On a busy machine a replica may be late now and then. The same once more is the same write.
                Err(error) if waits && error.is_ambiguous() => {
                    assert!(start.elapsed() < Duration::from_secs(20), "{error:?}");
                }
                created => break created,
            }
        };
        assert_eq!(created.expect("an answer"), Created::Created);
    }
    let tasks: Vec<_> = (1..=TASKS)
        .map(|seed| {
            let (store, keys) = (store.clone(), keys.clone());
            tokio::spawn(async move {
                let mut dice = Dice::new(seed);
                let (mut whole, mut unsent, mut dropped) = (0_u64, 0_u64, 0_u64);
                for _ in 0..requests() / TASKS {
                    let number = dice.roll(SESSIONS);
                    let key = &keys[usize::try_from(number).expect("a small number")];
                    let polls = dice.roll(5);
                    let verb = async {
                        let found =
                            store.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
                        assert_eq!(found.payload, format!("of {number}").as_bytes());
                        if dice.roll(3) == 0 {
                            let next = Record::new(found.payload, sample::version(), sample::MINUTE);
                            if let Err(error) = store.replace(key, found.version, &next).await {
                                // On a busy machine a replica may be late now and then.
                                assert!(waits && error.is_ambiguous(), "{error:?}");
                            }
                        }
                    };
                    match dropped_after(polls, verb).await {
                        Some(()) => whole += 1,
                        None if polls == 0 => unsent += 1,
                        None => dropped += 1,
                    }
                }
                (whole, unsent, dropped)
            })
        })
        .collect();
    let (mut whole, mut unsent, mut dropped) = (0, 0, 0);
    for task in tasks {
        let counted = task.await.expect("nobody got somebody else's record");
        whole += counted.0;
        unsent += counted.1;
        dropped += counted.2;
    }
    println!("{whole} finished, {unsent} dropped before they were sent, {dropped} later");
    assert!(whole > 1000 && unsent > 1000 && dropped > 1000, "{whole}, {unsent}, {dropped}");
}

/// Of each principal there is one session; nobody is ever given the list of another, nor an answer about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn cancelled_verbs_never_cross_lists() {
    cancel_lists(Way::Unix.store().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn cancelled_verbs_never_cross_lists_in_a_cluster() {
    cancel_lists(Way::Cluster.store().await).await;
}

async fn cancel_lists(store: RedisStore) {
    let people: Vec<_> = (0..SESSIONS).map(|_| (index::tag(), sample::key())).collect();
    for (tag, key) in &people {
        store.enter(tag, key, sample::MINUTE).await.expect("an answer");
    }
    let tasks: Vec<_> = (1..=TASKS)
        .map(|seed| {
            let (store, people) = (store.clone(), people.clone());
            tokio::spawn(async move {
                let mut dice = Dice::new(seed);
                let (mut whole, mut dropped) = (0_u64, 0_u64);
                for _ in 0..requests() / TASKS / 4 {
                    let (tag, key) = people[usize::try_from(dice.roll(SESSIONS)).expect("a small number")];
                    let polls = dice.roll(5);
                    let verb = async {
                        let list = store.entries(&tag).await.expect("an answer");
                        assert!(list.entries.len() == 1 && list.entries[0].key == key, "{list:?}");
                        match dice.roll(4) {
                            0 => store.enter(&tag, &key, sample::MINUTE).await.expect("an answer"),
                            1 => {
                                let admit = store.admit(&tag, list.version, &key, sample::MINUTE, &[]);
                                let _ = admit.await.expect("an answer");
                            }
                            2 => store.remove(&tag, &[key], sample::MINUTE).await.expect("an answer"),
                            _ => {}
                        }
                    };
                    match dropped_after(polls, verb).await {
                        Some(()) => whole += 1,
                        None => dropped += 1,
                    }
                }
                (whole, dropped)
            })
        })
        .collect();
    let (mut whole, mut dropped) = (0, 0);
    for task in tasks {
        let counted = task.await.expect("nobody got somebody else's list");
        whole += counted.0;
        dropped += counted.1;
    }
    println!("{whole} finished, {dropped} dropped");
    assert!(whole > 300 && dropped > 300, "{whole}, {dropped}");
}
