//! The index of sessions by principal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::{Admitted, Entries, IndexVersion, PrincipalTag, Store, StoreKey};

use crate::crowd::at_once;
use crate::harness::Harness;
use crate::probe::{Probe, one, pick, two};
use crate::sample::{HOUR, key, tag};
use crate::verdict::{answered, broken, no_error};

/// Wants an entered key to be listed, once, also when it was entered twice.
pub async fn entered_key_is_listed<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let tag = tag(1);
    for (number, store) in [(1, &one), (1, &one), (2, &other), (3, &one), (1, &other)] {
        enter(store, &tag, &key(number), HOUR).await;
        wants_listed("after enter", &one, &tag, number, true).await;
    }
    for store in [&one, &other] {
        wants_entries("after five entries of three keys", store, &tag, &[1, 2, 3]).await;
    }
}

/// Wants an empty list, not an error, for a principal without sessions.
pub async fn unknown_tag_has_no_entries<H: Harness>(h: &H) {
    let one = one(h).await;
    wants_entries("of an unknown principal", &one, &tag(1), &[]).await;
    enter(&one, &tag(2), &key(1), HOUR).await;
    wants_entries("of an unknown principal beside another", &one, &tag(1), &[]).await;
}

/// Wants a removed key to be gone from the list, and removing it again to be no error.
pub async fn removed_key_is_not_listed<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let tag = tag(1);
    for number in [1, 2] {
        enter(&one, &tag, &key(number), HOUR).await;
    }
    for store in [&one, &one, &other] {
        remove(store, &tag, &key(1)).await;
        wants_entries("after remove", &one, &tag, &[2]).await;
        wants_entries("after remove, by another instance,", &other, &tag, &[2]).await;
    }
    remove(&one, &tag, &key(2)).await;
    wants_entries("after remove of all", &one, &tag, &[]).await;
    remove(&one, &tag, &key(3)).await;
    enter(&one, &tag, &key(1), HOUR).await;
    wants_entries("after enter of a removed key", &one, &tag, &[1]).await;
}

/// Wants a list to hold no other principal's keys, and to lose none to them.
pub async fn entries_of_one_tag_are_its_own<H: Harness>(h: &H) {
    let one = one(h).await;
    // Principals that differ in one bit, or in nothing but case or a trailing blank.
    let base = [b'A'; 32];
    let mut tags = vec![base, [0; 32], [b'a'; 32]];
    for bit in 0..8_u8 {
        let [mut first, mut last] = [base, base];
        first[0] ^= 1 << bit;
        last[31] ^= 1 << bit;
        tags.extend([first, last]);
    }
    let tags: Vec<_> = tags.into_iter().map(PrincipalTag::from_bytes).collect();
    for (number, tag) in (0..).zip(&tags) {
        for key_number in [number, 1_000] {
            enter(&one, tag, &key(key_number), HOUR).await;
        }
    }
    for (number, tag) in (0..).zip(&tags) {
        wants_entries("of one principal of many", &one, tag, &[number, 1_000]).await;
    }
    if let Some(first) = tags.first() {
        remove(&one, first, &key(1_000)).await;
    }
    for (number, tag) in (0..).zip(&tags).skip(1) {
        wants_entries("after a remove for another principal", &one, tag, &[number, 1_000]).await;
    }
}

/// Wants an entry to go at its time to live, with no process running, and not to take others along.
pub async fn entry_dies_with_its_time_to_live<H: Harness>(h: &H) {
    let one = one(h).await;
    for (round, ttl) in (0..).zip([400, 1_600, 6_400].map(Duration::from_millis)) {
        let (few, only) = (tag(round * 2), tag(round * 2 + 1));
        let began = Instant::now();
        enter(&one, &few, &key(1), ttl).await;
        enter(&one, &few, &key(2), HOUR).await;
        enter(&one, &few, &key(3), ttl).await;
        enter(&one, &only, &key(1), ttl).await;
        h.elapse(ttl / 8 * 7).await;
        let [before, alone] = [entries(&one, &few).await, entries(&one, &only).await];
        if began.elapsed() >= ttl {
            // Too slow to look before the end: again, with a longer life.
            continue;
        }
        is_list("within the time to live", &before, &[1, 2, 3]);
        is_list("of one entry within its time to live", &alone, &[1]);
        h.elapse(ttl / 8 + h.resolution()).await;
        wants_entries("after the time to live of two of three", &one, &few, &[2]).await;
        wants_entries("after the time to live of the only one", &one, &only, &[]).await;
        return;
    }
    broken("it took seconds for what is asked in an instant, so nothing could be told", "an answer in time");
}

/// Wants the longer of two times to live to win, in either order.
pub async fn entering_again_extends_and_never_shortens<H: Harness>(h: &H) {
    let one = one(h).await;
    let (tag, short) = (tag(1), Duration::from_millis(200));
    for (number, first, second) in [(1, short, HOUR), (2, HOUR, short), (3, short, short)] {
        enter(&one, &tag, &key(number), first).await;
        enter(&one, &tag, &key(number), second).await;
    }
    h.elapse(short + h.resolution()).await;
    wants_entries("after the shorter of two times to live", &one, &tag, &[1, 2]).await;
}

/// Wants `Conflict`, and neither the entry nor an eviction, when the list changed since it was read.
pub async fn admit_with_stale_index_version_is_conflict<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let tag = tag(1);
    enter(&one, &tag, &key(1), HOUR).await;
    let read = entries(&one, &tag).await.version;
    enter(&other, &tag, &key(2), HOUR).await;
    refused(&one, &tag, read, "an enter", &[1, 2]).await;
    let read = entries(&one, &tag).await.version;
    remove(&other, &tag, &key(2)).await;
    refused(&one, &tag, read, "a remove", &[1]).await;
    let read = entries(&one, &tag).await.version;
    let answer = admit(&other, &tag, read, &key(3), &[]).await;
    answered("admit with the version in place", &answer, &Admitted::Admitted);
    refused(&one, &tag, read, "an admit", &[1, 3]).await;
    let read = entries(&other, &tag).await.version;
    let answer = admit(&one, &tag, read, &key(4), &[key(1)]).await;
    answered("admit with the version in place", &answer, &Admitted::Admitted);
    refused(&other, &tag, read, "an admit that evicts", &[3, 4]).await;
}

/// Wants the new key in and the evicted ones out at one moment: nobody sees the one without the other.
pub async fn admit_enters_and_evicts_together<H: Harness>(h: &H) {
    const LIMIT: u64 = 3;
    const LOGINS: u64 = 40;
    let stores = two(h).await;
    let tag = tag(1);
    for number in 0..LIMIT {
        enter(&stores[0], &tag, &key(number), HOUR).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    at_once(3, |number| {
        let (store, done) = (pick(&stores, number).clone(), Arc::clone(&done));
        async move {
            if number == 0 {
                let ended = Ended(done);
                for next in LIMIT..LIMIT + LOGINS {
                    let read = entries(&store, &tag).await.version;
                    let answer = admit(&store, &tag, read, &key(next), &[key(next - LIMIT)]).await;
                    answered("admit by the only writer", &answer, &Admitted::Admitted);
                    let wanted: Vec<_> = (next - LIMIT + 1..=next).collect();
                    wants_entries("after admit", &store, &tag, &wanted).await;
                }
                drop(ended);
            } else {
                while !done.load(Ordering::Acquire) {
                    let seen = entries(&store, &tag).await.keys.len();
                    answered("the number of entries beside an admit that evicts one", &seen, &3);
                    tokio::task::yield_now().await;
                }
            }
        }
    })
    .await;
    let read = entries(&stores[0], &tag).await.version;
    let all: Vec<_> = (LOGINS..LIMIT + LOGINS).map(key).collect();
    let answer = admit(&stores[1], &tag, read, &key(1_000), &all).await;
    answered("admit that evicts all", &answer, &Admitted::Admitted);
    wants_entries("after admit that evicts all", &stores[0], &tag, &[1_000]).await;
}

/// Wants exactly one of the admits that expect one version to be `Admitted`, and a limit to be kept.
pub async fn of_concurrent_admits_one_wins<H: Harness>(h: &H) {
    let stores = two(h).await;
    for round in 0..24 {
        let tag = tag(round);
        if round % 2 == 0 {
            enter(&stores[0], &tag, &key(1_000), HOUR).await;
        }
        let read = entries(&stores[0], &tag).await;
        let count = if round % 4 == 0 { 12 } else { 2 };
        let answers = at_once(count, |number| {
            let store = pick(&stores, number).clone();
            let key = key(u64::try_from(number).unwrap_or_default());
            async move { (admit(&store, &tag, read.version, &key, &[]).await, key) }
        })
        .await;
        let winners: Vec<_> =
            answers.iter().filter(|(answer, _)| *answer == Admitted::Admitted).map(|(_, key)| *key).collect();
        answered(format_args!("Admitted, of {count} admits of one version,"), &winners.len(), &1);
        let wanted: BTreeSet<_> = read.keys.iter().copied().chain(winners).collect();
        let got: BTreeSet<_> = entries(&stores[1], &tag).await.keys.into_iter().collect();
        if got != wanted {
            broken(
                format_args!("after a race of admits the list holds {} keys", got.len()),
                "what was there before, and the key of the winner",
            );
        }
    }
}

/// Says that a task has ended, also when it panicked.
struct Ended(Arc<AtomicBool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

async fn refused<S: Store>(
    store: &Probe<S>,
    tag: &PrincipalTag,
    stale: IndexVersion,
    after: &str,
    wanted: &[u64],
) {
    let answer = admit(store, tag, stale, &key(900), &[key(1)]).await;
    answered(format_args!("admit with the version before {after}"), &answer, &Admitted::Conflict);
    wants_entries("after an admit in conflict", store, tag, wanted).await;
}

async fn enter<S: Store>(store: &Probe<S>, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) {
    no_error("enter", store.index().enter(tag, key, ttl).await);
}

async fn remove<S: Store>(store: &Probe<S>, tag: &PrincipalTag, key: &StoreKey) {
    no_error("remove", store.index().remove(tag, key).await);
}

async fn entries<S: Store>(store: &Probe<S>, tag: &PrincipalTag) -> Entries {
    no_error("entries", store.index().entries(tag).await)
}

async fn admit<S: Store>(
    store: &Probe<S>,
    tag: &PrincipalTag,
    expected: IndexVersion,
    key: &StoreKey,
    evict: &[StoreKey],
) -> Admitted {
    no_error("admit", store.index().admit(tag, expected, key, HOUR, evict).await)
}

async fn wants_listed<S: Store>(when: &str, store: &Probe<S>, tag: &PrincipalTag, number: u64, wanted: bool) {
    let listed = entries(store, tag).await.keys.contains(&key(number));
    answered(format_args!("whether the key is listed {when}"), &listed, &wanted);
}

async fn wants_entries<S: Store>(when: &str, store: &Probe<S>, tag: &PrincipalTag, wanted: &[u64]) {
    is_list(when, &entries(store, tag).await, wanted);
}

/// Wants these keys, each once, in any order.
#[track_caller]
fn is_list(when: &str, got: &Entries, wanted: &[u64]) {
    let mut got = got.keys.clone();
    let mut wanted: Vec<_> = wanted.iter().copied().map(key).collect();
    got.sort_unstable();
    wanted.sort_unstable();
    if got != wanted {
        let foreign = got.iter().filter(|key| !wanted.contains(key)).count();
        broken(
            format_args!("entries {when} holds {} keys, {foreign} of them wrong", got.len()),
            format_args!("exactly the {} that were entered", wanted.len()),
        );
    }
}
