//! All verbs together: at random, cut short, and from many tasks.

use std::collections::VecDeque;
use std::time::Duration;

use cloakroom_core::testing::ModelStore;
use cloakroom_core::{Clock, Deleted, Freshness, Record, Store, StoreKey};

use crate::crowd::at_once;
use crate::cut::cut_short;
use crate::dice::Dice;
use crate::harness::Harness;
use crate::laws::together::ledger::Ledger;
use crate::laws::together::operation::Operation;
use crate::probe::{Probe, pick, two};
use crate::sample::{HOUR, MINUTE, key, record};
use crate::verdict::{answered, broken, gone, is_whole, kept, lives};

mod ledger;
mod operation;

/// Wants any sequence of verbs to answer as a map with versions would.
pub async fn random_operations_agree_with_the_model<H: Harness>(h: &H) {
    let stores = two(h).await;
    for seed in 0..24 {
        let model = ModelStore::new(Clock::manual());
        let mut dice = Dice::new(seed);
        let mut past = VecDeque::new();
        for step in 0..80 {
            // Four keys a seed: nothing is left over from the one before.
            let operation = Operation::any(&mut dice, seed * 4);
            if past.len() == 12 {
                past.pop_front();
            }
            past.push_back(operation.name());
            let store = pick(&stores, usize::from(dice.roll(2) == 1)).store();
            let (got, wanted) = (operation.run(store).await, operation.run(&model).await);
            if !got.agrees(&wanted, h.resolution()) {
                broken(
                    format_args!("with seed {seed}, at step {step}, after {past:?} it answered {got:?}"),
                    format_args!("{wanted:?}"),
                );
            }
        }
    }
}

/// Wants a future that is dropped at any point to leave the old or the new record, never a mixture, and the
/// next answer to belong to whoever asked for it.
pub async fn dropped_operations_leave_old_or_new<H: Harness>(h: &H) {
    const ROUNDS: u64 = 96;
    let [one, other] = two(h).await;
    let mut dice = Dice::new(1);
    let (bystander, untouched) = (key(u64::MAX), record(&key(u64::MAX), HOUR));
    one.begin(&bystander, &untouched).await;
    for round in 0..ROUNDS {
        let key = key(round);
        let (old, new) = (record(&key, HOUR), record(&key, HOUR * 3));
        if round % 6 != 0 {
            one.begin(&key, &old).await;
        }
        let store = one.store();
        match round % 6 {
            0 => drop(cut_short(&mut dice, store.create(&key, &new)).await),
            1 | 2 => drop(cut_short(&mut dice, store.replace(&key, old.version, &new)).await),
            3 => drop(cut_short(&mut dice, store.touch(&key, old.version, HOUR * 3)).await),
            4 => drop(cut_short(&mut dice, store.delete(&key)).await),
            _ => drop(cut_short(&mut dice, store.load(&key, Freshness::Latest)).await),
        }
        for store in [&one, &other] {
            kept("of another key, after a dropped future,", store.load(&bystander).await, &untouched);
        }
        let mut was_new = false;
        for store in [&one, &other, &one] {
            let got = store.load(&key).await;
            let is_new = match round % 6 {
                0 => old_or_new(got.as_ref(), None, Some(&new)),
                1 | 2 => old_or_new(got.as_ref(), Some(&old), Some(&new)),
                3 => {
                    let got = kept("after a dropped touch", got, &old);
                    lives("after a dropped touch", &got, HOUR - MINUTE - h.resolution(), HOUR * 3);
                    got.ttl > HOUR
                }
                4 => old_or_new(got.as_ref(), Some(&old), None),
                _ => old_or_new(got.as_ref(), Some(&old), Some(&old)),
            };
            if was_new && !is_new {
                broken("a load after a dropped future found the old record after the new one", "no way back");
            }
            was_new = is_new;
        }
        // A dropped create may still be on its way; nothing else may bring a record back.
        if matches!(round % 6, 1..=3) {
            answered("delete after a dropped future", &one.delete(&key).await, &Deleted::Deleted);
        }
    }
    // No condition to wait for: nothing must happen.
    tokio::time::sleep(Duration::from_millis(60)).await;
    for round in (0..ROUNDS).filter(|round| matches!(round % 6, 1..=3)) {
        gone("some time after dropped futures and a delete", other.load(&key(round)).await.as_ref());
    }
}

/// Wants 64 tasks with mixed operations on few keys to see whole records only, to lose no write, to end with
/// what was written last, and births less deaths to be what is left.
pub async fn mixed_operations_from_many_tasks_hold_the_invariants<H: Harness>(h: &H) {
    const KEYS: u64 = 6;
    let stores = two(h).await;
    let ledger = Ledger::default();
    at_once(64, |number| {
        let (store, ledger) = (pick(&stores, number).clone(), ledger.clone());
        let mut dice = Dice::new(number.try_into().unwrap_or_default());
        async move {
            for _ in 0..20 {
                let key = key(dice.roll(KEYS));
                mixed_operation(&store, &ledger, &key, &mut dice).await;
            }
        }
    })
    .await;
    for number in 0..KEYS {
        let key = key(number);
        let left = look(&stores[0], &ledger, &key).await;
        ledger.balance(&key, left.as_ref());
    }
}

async fn mixed_operation<S: Store>(store: &Probe<S>, ledger: &Ledger, key: &StoreKey, dice: &mut Dice) {
    match dice.roll(10) {
        0 | 1 => {
            let new = record(key, HOUR);
            ledger.writes(key, new.version);
            ledger.created(key, store.create(key, &new).await);
        }
        2 => ledger.deleted(key, store.delete(key).await),
        3 | 4 => {
            if let Some(found) = look(store, ledger, key).await {
                let _ = store.touch(key, found.version, HOUR * 2).await;
            }
        }
        5 => drop(look(store, ledger, key).await),
        _ => {
            if let Some(found) = look(store, ledger, key).await {
                let new = record(key, HOUR);
                ledger.writes(key, new.version);
                ledger.replaced(key, found.version, store.replace(key, found.version, &new).await);
            }
        }
    }
}

async fn look<S: Store>(store: &Probe<S>, ledger: &Ledger, key: &StoreKey) -> Option<Record> {
    let begun = ledger.now();
    let found = store.load(key).await?;
    is_whole("beside other tasks", key, &found);
    ledger.seen(key, found.version, begun);
    Some(found)
}

/// Wants one of the two; `true` when it is the new one.
#[track_caller]
fn old_or_new(got: Option<&Record>, old: Option<&Record>, new: Option<&Record>) -> bool {
    let same = |wanted: Option<&Record>| match (got, wanted) {
        (None, None) => true,
        (Some(got), Some(wanted)) => {
            got.version == wanted.version && got.payload == wanted.payload && got.ttl <= wanted.ttl
        }
        _ => false,
    };
    if same(new) {
        return true;
    }
    if !same(old) {
        broken(
            format_args!("load after a dropped future found {got:?}"),
            format_args!("{old:?} or {new:?}, whole"),
        );
    }
    false
}
