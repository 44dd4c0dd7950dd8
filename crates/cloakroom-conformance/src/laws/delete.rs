//! Deleting.

use std::time::Duration;

use cloakroom_core::{Deleted, Record, Replaced, Store, StoreKey, Touched, Version};

use crate::crowd::at_once;
use crate::dice::Dice;
use crate::harness::Harness;
use crate::probe::{Probe, one, pick, two};
use crate::sample::{HOUR, key, record};
use crate::verdict::{answered, broken, gone, kept};

/// Long enough for a write that was already on its way to arrive.
const AFTERMATH: Duration = Duration::from_millis(60);

/// Wants `Deleted`, then `None`, on every handle, and no byte of the record left in the backend.
pub async fn deleted_record_is_gone<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, record) = (key(1), record(&key(1), HOUR));
    one.begin(&key, &record).await;
    kept("before delete, by another instance,", other.load(&key).await, &record);
    if h.dump(one.store()).await.is_some_and(|dump| !holds(&dump, &record)) {
        broken("the dump of the harness does not show a record that is there", "its raw payload in it");
    }
    answered("delete", &one.delete(&key).await, &Deleted::Deleted);
    gone("after delete", one.load(&key).await.as_ref());
    gone("after delete, by another instance,", other.load(&key).await.as_ref());
    if h.dump(one.store()).await.is_some_and(|dump| holds(&dump, &record)) {
        broken("the backend still holds the payload of a deleted record", "it gone");
    }
}

/// Wants the second delete, on any handle, to answer `Missing`.
pub async fn delete_is_idempotent<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, record) = (key(1), record(&key(1), HOUR));
    one.begin(&key, &record).await;
    answered("delete", &one.delete(&key).await, &Deleted::Deleted);
    for store in [&one, &other] {
        answered("delete of a deleted key", &store.delete(&key).await, &Deleted::Missing);
    }
    gone("after two deletes", one.load(&key).await.as_ref());
}

/// Wants `Missing`, and the record to stay away.
pub async fn replace_after_delete_is_missing<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, old, new) = (key(1), record(&key(1), HOUR), record(&key(1), HOUR));
    for store in [&one, &other] {
        deleted(&one, &key, &old).await;
        for expected in [old.version, new.version] {
            let answer = store.replace(&key, expected, &new).await;
            answered("replace of a deleted key", &answer, &Replaced::Missing);
            gone("after a replace of a deleted key", one.load(&key).await.as_ref());
        }
    }
}

/// Wants `Missing`, and the record to stay away.
pub async fn touch_after_delete_is_missing<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, old) = (key(1), record(&key(1), HOUR));
    for store in [&one, &other] {
        deleted(&one, &key, &old).await;
        let answer = store.touch(&key, old.version, HOUR).await;
        answered("touch of a deleted key", &answer, &Touched::Missing);
        gone("after a touch of a deleted key", one.load(&key).await.as_ref());
    }
}

/// Wants a record to stay deleted, whatever ran beside the delete.
pub async fn late_writers_do_not_resurrect<H: Harness>(h: &H) {
    const ROUNDS: u64 = 24;
    let stores = two(h).await;
    for round in 0..ROUNDS {
        let (key, old) = (key(round), record(&key(round), HOUR));
        stores[0].begin(&key, &old).await;
        at_once(6, |number| {
            let store = pick(&stores, number).clone();
            async move {
                match number {
                    0 => {
                        let mut dice = Dice::new(round);
                        for _ in 0..dice.roll(8) {
                            tokio::task::yield_now().await;
                        }
                        answered("delete beside writers", &store.delete(&key).await, &Deleted::Deleted);
                    }
                    // In every other round all writers touch, so that no replace is in their way.
                    number if number < 3 || round % 2 == 0 => {
                        touch_until_missing(&store, &key, old.version).await
                    }
                    _ => replace_until_missing(&store, &key, old.version).await,
                }
            }
        })
        .await;
        gone("after a delete beside writers", stores[1].load(&key).await.as_ref());
    }
    // No condition to wait for: nothing must happen.
    tokio::time::sleep(AFTERMATH).await;
    for round in 0..ROUNDS {
        gone("some time after a delete", stores[0].load(&key(round)).await.as_ref());
    }
}

/// Wants absence to be absence: the key can be created again, also with another life.
pub async fn deleted_key_can_be_created_again<H: Harness>(h: &H) {
    let one = one(h).await;
    let key = key(1);
    for hours in [2, 1] {
        let new = record(&key, HOUR * hours);
        one.begin(&key, &new).await;
        let got = kept("after create of a deleted key", one.load(&key).await, &new);
        if got.ttl > new.ttl {
            broken("the new record lives as long as the deleted one", "its own time to live");
        }
        answered("delete", &one.delete(&key).await, &Deleted::Deleted);
    }
}

async fn deleted<S: Store>(store: &Probe<S>, key: &StoreKey, record: &Record) {
    store.begin(key, record).await;
    answered("delete", &store.delete(key).await, &Deleted::Deleted);
}

async fn touch_until_missing<S: Store>(store: &Probe<S>, key: &StoreKey, mut expected: Version) {
    for _ in 0..200 {
        match store.touch(key, expected, HOUR * 2).await {
            Touched::Touched => {}
            Touched::Conflict => match store.load(key).await {
                Some(found) => expected = found.version,
                None => return,
            },
            Touched::Missing => return,
        }
        tokio::task::yield_now().await;
    }
}

async fn replace_until_missing<S: Store>(store: &Probe<S>, key: &StoreKey, mut expected: Version) {
    for _ in 0..200 {
        let new = record(key, HOUR);
        match store.replace(key, expected, &new).await {
            Replaced::Replaced => expected = new.version,
            Replaced::Conflict => match store.load(key).await {
                Some(found) => expected = found.version,
                None => return,
            },
            Replaced::Missing => return,
        }
        tokio::task::yield_now().await;
    }
}

fn holds(dump: &[u8], record: &Record) -> bool {
    dump.windows(record.payload.len()).any(|window| window == record.payload)
}
