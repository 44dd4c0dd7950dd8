//! Replacing.

use std::time::Duration;

use cloakroom_core::{Created, Replaced, Touched, Version};

use crate::crowd::at_once;
use crate::harness::Harness;
use crate::laws::create::leaves_no_trace;
use crate::probe::{one, pick, two};
use crate::sample::{HOUR, MINUTE, fresh_version, key, record, record_with};
use crate::verdict::{answered, broken, kept, lives};

/// Wants the new record in place of the old one, with the new time to live, whether longer or shorter.
pub async fn replace_puts_the_new_record_in_place<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, mut old) = (key(1), record(&key(1), HOUR));
    one.begin(&key, &old).await;
    for hours in [2, 1, 3] {
        // The other instance has looked before, so that an answer kept from then would show.
        kept("before replace, by another instance,", other.load(&key).await, &old);
        let new = record(&key, HOUR * hours);
        let replaced = one.replace(&key, old.version, &new).await;
        answered("replace with the version in place", &replaced, &Replaced::Replaced);
        let at_least = new.ttl.saturating_sub(MINUTE + h.resolution());
        for store in [&one, &other] {
            let got = kept("after replace", store.load(&key).await, &new);
            lives("after replace", &got, at_least, new.ttl);
        }
        old = new;
    }
}

/// Wants `Conflict`, and nothing changed, when another version is in place.
pub async fn replace_with_stale_version_is_conflict<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, first, second) = (key(1), record(&key(1), HOUR), record(&key(1), HOUR));
    one.begin(&key, &first).await;
    let replaced = other.replace(&key, first.version, &second).await;
    answered("replace with the version in place", &replaced, &Replaced::Replaced);
    let near = Version::new(second.version.get() ^ 1).unwrap_or(first.version);
    for stale in [first.version, near, fresh_version()] {
        for store in [&one, &other] {
            let late = record(&key, HOUR * 2);
            let answer = store.replace(&key, stale, &late).await;
            answered("replace with a stale version", &answer, &Replaced::Conflict);
            let got = kept("after a replace in conflict", store.load(&key).await, &second);
            lives("after a replace in conflict", &got, Duration::ZERO, HOUR);
        }
    }
}

/// Wants `Missing`, and no trace, when there is no record.
pub async fn replace_of_missing_is_missing<H: Harness>(h: &H) {
    let one = one(h).await;
    let before = h.dump(one.store()).await;
    let key = key(1);
    let new = record(&key, HOUR);
    for expected in [fresh_version(), new.version] {
        let answer = one.replace(&key, expected, &new).await;
        answered("replace of an absent key", &answer, &Replaced::Missing);
    }
    leaves_no_trace(h, &one, &key, before).await;
}

/// Wants a retry after a lost reply to find its own write.
pub async fn replace_with_its_own_version_in_place_is_replaced<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (key, old, new) = (key(1), record(&key(1), HOUR), record(&key(1), HOUR));
    one.begin(&key, &old).await;
    let replaced = one.replace(&key, old.version, &new).await;
    answered("replace with the version in place", &replaced, &Replaced::Replaced);
    for store in [&one, &other] {
        let again = store.replace(&key, old.version, &new).await;
        answered("replace whose own version is in place", &again, &Replaced::Replaced);
        kept("after a repeated replace", store.load(&key).await, &new);
    }
    // The write was found and not made anew: the version in place goes on as before.
    answered("touch", &one.touch(&key, new.version, HOUR).await, &Touched::Touched);
}

/// Wants exactly one of the writers that expect one version to be `Replaced`, and that one's record in place.
pub async fn of_concurrent_replaces_one_wins<H: Harness>(h: &H) {
    let stores = two(h).await;
    for round in 0..24 {
        let (key, old) = (key(round), record(&key(round), HOUR));
        stores[0].begin(&key, &old).await;
        let count = if round % 4 == 0 { 12 } else { 2 };
        let answers = at_once(count, |number| {
            let store = pick(&stores, number).clone();
            let new = record(&key, HOUR);
            async move { (store.replace(&key, old.version, &new).await, new) }
        })
        .await;
        let mut winners = answers.iter().filter(|(answer, _)| *answer == Replaced::Replaced);
        match (winners.next(), winners.count()) {
            (Some((_, winner)), 0) => {
                kept("after a race of replaces", stores[0].load(&key).await, winner);
            }
            (first, more) => broken(
                format_args!(
                    "{} of {count} concurrent replaces of one version answered Replaced",
                    usize::from(first.is_some()) + more
                ),
                "exactly one",
            ),
        }
        if answers.iter().any(|(answer, _)| *answer == Replaced::Missing) {
            broken("a replace beside others answered Missing", "Replaced or Conflict");
        }
    }
}

/// Wants compare-and-set in a loop, from many tasks, to count exactly.
pub async fn concurrent_increments_lose_none<H: Harness>(h: &H) {
    const TASKS: usize = 8;
    const EACH: usize = 25;
    let stores = two(h).await;
    let key = key(1);
    let mut zero = record(&key, HOUR);
    zero.payload = 0_u64.to_be_bytes().to_vec();
    answered("create", &stores[0].create(&key, &zero).await, &Created::Created);
    at_once(TASKS, |number| {
        let store = pick(&stores, number).clone();
        async move {
            for _ in 0..EACH {
                loop {
                    let Some(found) = store.load(&key).await else {
                        broken("the counter went away", "it kept");
                    };
                    // Others come in between, also where the store answers at once.
                    tokio::task::yield_now().await;
                    let mut next = record_with(&key, fresh_version(), HOUR);
                    next.payload = (count(&found.payload) + 1).to_be_bytes().to_vec();
                    match store.replace(&key, found.version, &next).await {
                        Replaced::Replaced => break,
                        Replaced::Conflict => {}
                        Replaced::Missing => broken("replace of the counter answered Missing", "it kept"),
                    }
                }
            }
        }
    })
    .await;
    let total = stores[1].load(&key).await.map(|record| count(&record.payload));
    let wanted = u64::try_from(TASKS * EACH).ok();
    if total != wanted {
        broken(
            format_args!("the counter stands at {total:?}"),
            format_args!("{wanted:?}, one for each Replaced"),
        );
    }
}

fn count(payload: &[u8]) -> u64 {
    match payload.try_into() {
        Ok(bytes) => u64::from_be_bytes(bytes),
        Err(_) => broken("the counter came back with another size", "its eight bytes"),
    }
}
