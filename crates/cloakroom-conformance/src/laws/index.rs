//! The index of sessions by principal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::{Admitted, Deleted, Entries, IndexVersion, PrincipalTag, Store, StoreKey};

use crate::crowd::at_once;
use crate::harness::Harness;
use crate::probe::{Probe, one, pick, two};
use crate::sample::{HOUR, key, record, tag};
use crate::verdict::{answered, broken, no_error};

/// Wants a session to be listed, once, whose key was entered before its record was written, also when it was entered
/// twice.
pub async fn entered_session_is_listed<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let tag = tag(1);
    for (number, store) in [(1, &one), (2, &other), (3, &one)] {
        log_in(store, &tag, number, HOUR).await;
        wants_listed("after enter and create", &one, &tag, number, true).await;
    }
    for (number, store) in [(1, &one), (1, &other), (3, &other)] {
        enter(store, &tag, &key(number), HOUR).await;
        wants_listed("after another enter", &one, &tag, number, true).await;
    }
    for store in [&one, &other] {
        wants_entries("after six entries of three keys", store, &tag, &[1, 2, 3]).await;
    }
}

/// Wants an admitted key to be listed, once, before there is a record, and afterwards.
pub async fn admitted_key_is_listed<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let tag = tag(1);
    for (number, store) in [(1, &one), (2, &other), (1, &other)] {
        admitted(store, &tag, number, HOUR, &[]).await;
        wants_listed("after admit, without a record,", &one, &tag, number, true).await;
    }
    wants_entries("after admit of two keys", &other, &tag, &[1, 2]).await;
    create(&one, &tag, 1, HOUR).await;
    wants_entries("after the record of an admitted key was written", &other, &tag, &[1, 2]).await;
}

/// Wants an empty list, not an error, for a principal without sessions.
pub async fn unknown_tag_has_no_entries<H: Harness>(h: &H) {
    let one = one(h).await;
    wants_entries("of an unknown principal", &one, &tag(1), &[]).await;
    log_in(&one, &tag(2), 1, HOUR).await;
    admitted(&one, &tag(2), 2, HOUR, &[]).await;
    wants_entries("of an unknown principal beside another", &one, &tag(1), &[]).await;
}

/// Wants a removed key to be gone from the list, and removing it again to be no error.
pub async fn removed_key_is_not_listed<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let tag = tag(1);
    for number in [1, 2] {
        log_in(&one, &tag, number, HOUR).await;
    }
    delete(&one, 1).await;
    for store in [&one, &one, &other] {
        remove(store, &tag, &[1]).await;
        wants_entries("after remove", &one, &tag, &[2]).await;
        wants_entries("after remove, by another instance,", &other, &tag, &[2]).await;
    }
    admitted(&other, &tag, 4, HOUR, &[]).await;
    remove(&one, &tag, &[4]).await;
    wants_entries("after remove of what was admitted only", &other, &tag, &[2]).await;
    delete(&one, 2).await;
    remove(&one, &tag, &[2]).await;
    wants_entries("after remove of all", &one, &tag, &[]).await;
    remove(&one, &tag, &[3]).await;
    remove(&one, &tag, &[]).await;
    log_in(&one, &tag, 1, HOUR).await;
    wants_entries("after enter of a removed key", &one, &tag, &[1]).await;
}

/// Wants a remove to spare what was entered more lately than it says: somebody may be about to write its record.
pub async fn remove_spares_what_was_entered_since<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    for (round, age) in (0..).zip([400, 1_600, 6_400].map(Duration::from_millis)) {
        let tag = tag(round);
        for number in [1, 2, 3] {
            admitted(&one, &tag, number, HOUR, &[]).await;
        }
        remove_aged(&one, &tag, &[1, 2], HOUR).await;
        wants_entries("after remove of what is an hour old", &one, &tag, &[1, 2, 3]).await;
        h.elapse(age + h.resolution()).await;
        let began = Instant::now();
        admitted(&other, &tag, 2, HOUR, &[]).await;
        remove_aged(&one, &tag, &[1, 2], age).await;
        let listed = entries(&one, &tag).await;
        if began.elapsed() >= age {
            // Too slow to be more lately: again, with a higher age.
            continue;
        }
        is_list("after remove of two, one of which was admitted again,", &listed, &[2, 3]);
        return;
    }
    too_slow();
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
        log_in(&one, tag, number, HOUR).await;
        admitted(&one, tag, 1_000, HOUR, &[]).await;
    }
    for (number, tag) in (0..).zip(&tags) {
        wants_entries("of one principal of many", &one, tag, &[number, 1_000]).await;
    }
    if let Some(first) = tags.first() {
        remove(&one, first, &[1_000]).await;
        wants_entries("after a remove", &one, first, &[0]).await;
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
        let at = |number| round * 10 + number;
        let began = Instant::now();
        log_in(&one, &few, at(1), ttl).await;
        log_in(&one, &few, at(2), HOUR).await;
        admitted(&one, &few, at(3), ttl, &[]).await;
        admitted(&one, &few, at(4), HOUR, &[]).await;
        log_in(&one, &only, at(5), ttl).await;
        admitted(&one, &only, at(6), ttl, &[]).await;
        h.elapse(ttl / 8 * 7).await;
        let [before, alone] = [entries(&one, &few).await, entries(&one, &only).await];
        if began.elapsed() >= ttl {
            // Too slow to look before the end: again, with a longer life.
            continue;
        }
        is_list("within the time to live", &before, &[1, 2, 3, 4].map(at));
        is_list("of two entries within their time to live", &alone, &[5, 6].map(at));
        h.elapse(ttl / 8 + h.resolution()).await;
        wants_entries("after the time to live of two of four", &one, &few, &[2, 4].map(at)).await;
        wants_entries("after the time to live of all", &one, &only, &[]).await;
        return;
    }
    too_slow();
}

/// Wants the longer of two times to live to win, in either order.
pub async fn entering_again_extends_and_never_shortens<H: Harness>(h: &H) {
    let one = one(h).await;
    let (tag, short) = (tag(1), Duration::from_millis(200));
    for (number, first, second) in [(1, short, HOUR), (2, HOUR, short), (3, short, short)] {
        enter(&one, &tag, &key(number), first).await;
        enter(&one, &tag, &key(number), second).await;
        create(&one, &tag, number, first.max(second)).await;
        admitted(&one, &tag, number + 10, first, &[]).await;
        admitted(&one, &tag, number + 10, second, &[]).await;
    }
    h.elapse(short + h.resolution()).await;
    wants_entries("after the shorter of two times to live", &one, &tag, &[1, 2, 11, 12]).await;
}

/// Wants the time since a key was last admitted to be told, to the resolution of the store.
pub async fn entries_tell_their_age<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let (tag, while_) = (tag(1), Duration::from_millis(300));
    let began = Instant::now();
    admitted(&one, &tag, 1, HOUR, &[]).await;
    admitted(&one, &tag, 2, HOUR, &[]).await;
    h.elapse(while_).await;
    wants_age("a while after admit", h, &other, 1, while_, began).await;
    let again = Instant::now();
    admitted(&other, &tag, 2, HOUR, &[]).await;
    wants_age("after another admit", h, &one, 2, Duration::ZERO, again).await;
    wants_age("after an admit of another key", h, &one, 1, while_, began).await;
}

/// Wants `Conflict`, and neither the entry nor an eviction, when somebody was admitted since the list was read.
pub async fn admit_with_stale_index_version_is_conflict<H: Harness>(h: &H) {
    let [one, other] = two(h).await;
    let tag = tag(1);
    let read = entries(&one, &tag).await.version;
    admitted(&other, &tag, 1, HOUR, &[]).await;
    refused(&one, &tag, read, "the first admit", &[1]).await;
    let read = entries(&one, &tag).await.version;
    admitted(&other, &tag, 3, HOUR, &[]).await;
    refused(&one, &tag, read, "an admit", &[1, 3]).await;
    let read = entries(&other, &tag).await.version;
    admitted(&one, &tag, 4, HOUR, &[1]).await;
    refused(&other, &tag, read, "an admit that evicts", &[3, 4]).await;
    let read = entries(&other, &tag).await.version;
    admitted(&one, &tag, 4, HOUR, &[]).await;
    refused(&other, &tag, read, "an admit of what is there", &[3, 4]).await;
}

/// Wants the new key in and the evicted ones out at one moment: nobody sees the one without the other.
pub async fn admit_enters_and_evicts_together<H: Harness>(h: &H) {
    const LIMIT: u64 = 3;
    const LOGINS: u64 = 40;
    let stores = two(h).await;
    let tag = tag(1);
    for number in 0..LIMIT {
        admitted(&stores[0], &tag, number, HOUR, &[]).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    at_once(3, |number| {
        let (store, done) = (pick(&stores, number).clone(), Arc::clone(&done));
        async move {
            if number == 0 {
                let ended = Ended(done);
                for next in LIMIT..LIMIT + LOGINS {
                    admitted(&store, &tag, next, HOUR, &[next - LIMIT]).await;
                    let wanted: Vec<_> = (next - LIMIT + 1..=next).collect();
                    wants_entries("after admit", &store, &tag, &wanted).await;
                }
                drop(ended);
            } else {
                while !done.load(Ordering::Acquire) {
                    let seen = entries(&store, &tag).await.entries.len();
                    answered("the number of entries beside an admit that evicts one", &seen, &3);
                    tokio::task::yield_now().await;
                }
            }
        }
    })
    .await;
    let all: Vec<_> = (LOGINS..LIMIT + LOGINS).collect();
    admitted(&stores[1], &tag, 1_000, HOUR, &all).await;
    wants_entries("after admit that evicts all", &stores[0], &tag, &[1_000]).await;
}

/// Wants exactly one of the admits that expect one version to be `Admitted`, and a limit to be kept.
pub async fn of_concurrent_admits_one_wins<H: Harness>(h: &H) {
    let stores = two(h).await;
    for round in 0..24 {
        let tag = tag(round);
        if round % 2 == 0 {
            admitted(&stores[0], &tag, 1_000, HOUR, &[]).await;
        }
        let read = entries(&stores[0], &tag).await;
        let count = if round % 4 == 0 { 12 } else { 2 };
        let answers = at_once(count, |number| {
            let store = pick(&stores, number).clone();
            let key = key(u64::try_from(number).unwrap_or_default());
            async move { (admit(&store, &tag, read.version, &key, HOUR, &[]).await, key) }
        })
        .await;
        let winners: Vec<_> =
            answers.iter().filter(|(answer, _)| *answer == Admitted::Admitted).map(|(_, key)| *key).collect();
        answered(format_args!("Admitted, of {count} admits of one version,"), &winners.len(), &1);
        let wanted: BTreeSet<_> = keys(&read).into_iter().chain(winners).collect();
        let got: BTreeSet<_> = keys(&entries(&stores[1], &tag).await).into_iter().collect();
        if got != wanted {
            broken(
                format_args!("after a race of admits the list holds {} keys", got.len()),
                "what was there before, and the key of the winner",
            );
        }
    }
}

/// Wants a thousand sessions of one principal to be listed, and five hundred to be removed in one call.
pub async fn long_lists_are_whole<H: Harness>(h: &H) {
    const TASKS: u64 = 20;
    const EACH: u64 = 50;
    let stores = two(h).await;
    let tag = tag(1);
    at_once(20, |task| {
        let store = pick(&stores, task).clone();
        let task = u64::try_from(task).unwrap_or_default();
        async move {
            for number in 0..EACH {
                log_in(&store, &tag, task * EACH + number, HOUR).await;
            }
        }
    })
    .await;
    let all: Vec<_> = (0..TASKS * EACH).collect();
    wants_entries("of a thousand sessions", &stores[1], &tag, &all).await;
    let (gone, left) = all.split_at(500);
    at_once(20, |task| {
        let store = pick(&stores, task).clone();
        let mine: Vec<_> = gone.iter().copied().skip(task).step_by(20).collect();
        async move {
            for number in mine {
                delete(&store, number).await;
            }
        }
    })
    .await;
    remove(&stores[0], &tag, gone).await;
    wants_entries("of a thousand sessions, after half of them were removed,", &stores[1], &tag, left).await;
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
    let answer = admit(store, tag, stale, &key(900), HOUR, &[key(1), key(3)]).await;
    answered(format_args!("admit with the version before {after}"), &answer, &Admitted::Conflict);
    wants_entries("after an admit in conflict", store, tag, wanted).await;
}

/// What a login does: the key first, and then the record.
async fn log_in<S: Store>(store: &Probe<S>, tag: &PrincipalTag, number: u64, ttl: Duration) {
    enter(store, tag, &key(number), ttl).await;
    create(store, tag, number, ttl).await;
}

async fn create<S: Store>(store: &Probe<S>, tag: &PrincipalTag, number: u64, ttl: Duration) {
    let key = key(number);
    store.begin(&key, &record(&key, ttl).with_principal(Some(*tag))).await;
}

async fn delete<S: Store>(store: &Probe<S>, number: u64) {
    answered("delete of a record", &store.delete(&key(number)).await, &Deleted::Deleted);
}

async fn enter<S: Store>(store: &Probe<S>, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) {
    no_error("enter", store.index().enter(tag, key, ttl).await);
}

async fn remove<S: Store>(store: &Probe<S>, tag: &PrincipalTag, numbers: &[u64]) {
    remove_aged(store, tag, numbers, Duration::ZERO).await;
}

async fn remove_aged<S: Store>(store: &Probe<S>, tag: &PrincipalTag, numbers: &[u64], age: Duration) {
    let keys: Vec<_> = numbers.iter().copied().map(key).collect();
    no_error("remove", store.index().remove(tag, &keys, age).await);
}

async fn entries<S: Store>(store: &Probe<S>, tag: &PrincipalTag) -> Entries {
    no_error("entries", store.index().entries(tag).await)
}

async fn admit<S: Store>(
    store: &Probe<S>,
    tag: &PrincipalTag,
    expected: IndexVersion,
    key: &StoreKey,
    ttl: Duration,
    evict: &[StoreKey],
) -> Admitted {
    no_error("admit", store.index().admit(tag, expected, key, ttl, evict).await)
}

/// Admits a key with the version in place, by the only writer. An entry that dies between look and admit may change the
/// version: then there is another look.
async fn admitted<S: Store>(store: &Probe<S>, tag: &PrincipalTag, number: u64, ttl: Duration, evict: &[u64]) {
    let evict: Vec<_> = evict.iter().copied().map(key).collect();
    let mut answer = Admitted::Conflict;
    for _ in 0..3 {
        let read = entries(store, tag).await.version;
        answer = admit(store, tag, read, &key(number), ttl, &evict).await;
        if answer == Admitted::Admitted {
            return;
        }
    }
    answered("admit with the version in place, three times,", &answer, &Admitted::Admitted);
}

/// Wants an age of at least `least`, and not much more than the time since then, which may have passed on a clock that
/// was moved.
async fn wants_age<H: Harness>(
    when: &str,
    h: &H,
    store: &Probe<H::Store>,
    number: u64,
    least: Duration,
    since: Instant,
) {
    let key = key(number);
    let listed = entries(store, &tag(1)).await.entries;
    let age = listed.iter().find(|entry| entry.key == key).map(|entry| entry.age);
    // The list may have been long in coming.
    let (least, most) = (least.saturating_sub(h.resolution()), least + since.elapsed() + h.resolution());
    if age.is_none_or(|age| age < least || age > most) {
        broken(format_args!("the age of an entry {when} is {age:?}"), format_args!("{least:?} to {most:?}"));
    }
}

async fn wants_listed<S: Store>(when: &str, store: &Probe<S>, tag: &PrincipalTag, number: u64, wanted: bool) {
    let listed = keys(&entries(store, tag).await).contains(&key(number));
    answered(format_args!("whether the key is listed {when}"), &listed, &wanted);
}

async fn wants_entries<S: Store>(when: &str, store: &Probe<S>, tag: &PrincipalTag, wanted: &[u64]) {
    is_list(when, &entries(store, tag).await, wanted);
}

fn keys(entries: &Entries) -> Vec<StoreKey> {
    entries.entries.iter().map(|entry| entry.key).collect()
}

/// Wants these keys, each once, in any order.
#[track_caller]
fn is_list(when: &str, got: &Entries, wanted: &[u64]) {
    let mut got = keys(got);
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

fn too_slow() -> ! {
    broken("it took seconds for what is asked in an instant, so nothing could be told", "an answer in time")
}
