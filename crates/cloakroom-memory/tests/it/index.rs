//! The index of principals, and how it follows the records.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cloakroom_core::{Admitted, Deleted, Replaced, Store, StoreErrorKind, StoreKey};
use proptest::prelude::*;

use crate::world::{MINUTE, index, key, now, record, record_of, store, tag, version};

fn keys(store: &cloakroom_memory::MemoryStore, number: u8) -> BTreeSet<StoreKey> {
    let entries = now(index(store).entries(&tag(number))).unwrap();
    let keys: BTreeSet<StoreKey> = entries.entries.iter().map(|entry| entry.key).collect();
    assert_eq!(keys.len(), entries.entries.len(), "each once");
    keys
}

#[test]
fn an_entry_goes_with_a_deleted_record() {
    let (store, _) = store();
    for number in [0, 1] {
        now(index(&store).enter(&tag(1), &key(number), 100 * MINUTE)).unwrap();
        let _ = now(store.create(&key(number), &record_of(1, 10, 1))).unwrap();
    }
    assert_eq!(now(store.delete(&key(0))).unwrap(), Deleted::Deleted);
    assert_eq!(keys(&store, 1), [key(1)].into());
}

#[test]
fn an_entry_goes_with_an_expired_record() {
    let (store, clock) = store();
    now(index(&store).enter(&tag(1), &key(0), 100 * MINUTE)).unwrap();
    let _ = now(store.create(&key(0), &record_of(1, 10, 1))).unwrap();
    clock.advance(MINUTE);
    assert_eq!(store.len(), 0);
    assert!(keys(&store, 1).is_empty());
}

#[test]
fn an_entry_for_the_successor_of_an_expired_record_stays() {
    let (store, clock) = store();
    now(index(&store).enter(&tag(1), &key(0), 100 * MINUTE)).unwrap();
    let _ = now(store.create(&key(0), &record_of(1, 10, 1))).unwrap();
    clock.advance(MINUTE);
    now(index(&store).enter(&tag(1), &key(0), MINUTE)).unwrap();
    let _ = now(store.create(&key(0), &record_of(1, 10, 2))).unwrap();
    assert_eq!(store.len(), 1);
    assert_eq!(keys(&store, 1), [key(0)].into());
}

#[test]
fn an_entry_goes_when_its_record_passes_to_another_principal() {
    let (store, _) = store();
    now(index(&store).enter(&tag(1), &key(0), MINUTE)).unwrap();
    let _ = now(store.create(&key(0), &record_of(1, 10, 1))).unwrap();
    let same = record_of(1, 20, 2);
    assert_eq!(now(store.replace(&key(0), version(1), &same)).unwrap(), Replaced::Replaced);
    assert_eq!(keys(&store, 1), [key(0)].into());
    now(index(&store).enter(&tag(2), &key(0), MINUTE)).unwrap();
    let other = record_of(2, 20, 3);
    assert_eq!(now(store.replace(&key(0), version(2), &other)).unwrap(), Replaced::Replaced);
    assert!(keys(&store, 1).is_empty());
    assert_eq!(keys(&store, 2), [key(0)].into());
    let nobody = record(20, 4);
    assert_eq!(now(store.replace(&key(0), version(3), &nobody)).unwrap(), Replaced::Replaced);
    assert!(keys(&store, 2).is_empty());
}

#[test]
fn a_list_that_was_emptied_has_another_version() {
    let (store, clock) = store();
    let index = index(&store);
    let before = now(index.entries(&tag(1))).unwrap().version;
    now(index.enter(&tag(1), &key(0), MINUTE)).unwrap();
    now(index.remove(&tag(1), &[key(0)], Duration::ZERO)).unwrap();
    let removed = now(index.entries(&tag(1))).unwrap().version;
    assert_ne!(removed, before);
    now(index.enter(&tag(1), &key(0), MINUTE)).unwrap();
    clock.advance(MINUTE);
    assert_ne!(now(index.entries(&tag(1))).unwrap().version, removed);
    let late = now(index.admit(&tag(1), before, &key(1), MINUTE, &[])).unwrap();
    assert_eq!(late, Admitted::Conflict);
}

#[test]
fn a_list_that_a_key_left_by_its_time_has_another_version() {
    let (store, clock) = store();
    let index = index(&store);
    now(index.enter(&tag(1), &key(0), MINUTE)).unwrap();
    now(index.enter(&tag(1), &key(1), 2 * MINUTE)).unwrap();
    let before = now(index.entries(&tag(1))).unwrap().version;
    clock.advance(MINUTE);
    let late = now(index.admit(&tag(1), before, &key(2), MINUTE, &[])).unwrap();
    assert_eq!(late, Admitted::Conflict);
    assert_eq!(keys(&store, 1), [key(1)].into());
}

#[test]
fn the_index_is_bounded_and_the_expired_make_room() {
    let (store, clock) = store();
    let store = store.with_max_entries(10);
    let index = index(&store);
    for number in 0..10 {
        now(index.enter(&tag(number), &key(0), MINUTE)).unwrap();
    }
    let full = now(index.enter(&tag(10), &key(0), MINUTE)).unwrap_err();
    assert_eq!(full.kind(), StoreErrorKind::Full);
    now(index.enter(&tag(0), &key(0), MINUTE)).unwrap();

    let list = now(index.entries(&tag(0))).unwrap();
    let full = now(index.admit(&tag(0), list.version, &key(1), MINUTE, &[])).unwrap_err();
    assert_eq!(full.kind(), StoreErrorKind::Full);
    assert_eq!(now(index.entries(&tag(0))).unwrap(), list, "nothing was done");
    let swapped = now(index.admit(&tag(0), list.version, &key(1), MINUTE, &[key(0)])).unwrap();
    assert_eq!(swapped, Admitted::Admitted);
    assert_eq!(keys(&store, 0), [key(1)].into());

    clock.advance(MINUTE);
    for number in 20..30 {
        now(index.enter(&tag(number), &key(0), MINUTE)).unwrap();
    }
    assert!(now(index.enter(&tag(30), &key(0), MINUTE)).is_err());
}

#[test]
fn a_full_index_answers_although_a_list_was_extended() {
    let (store, clock) = store();
    let store = store.with_max_entries(1);
    now(index(&store).enter(&tag(1), &key(0), MINUTE)).unwrap();
    now(index(&store).enter(&tag(1), &key(0), 2 * MINUTE)).unwrap();
    clock.advance(MINUTE);
    let full = now(index(&store).enter(&tag(2), &key(0), MINUTE)).unwrap_err();
    assert_eq!(full.kind(), StoreErrorKind::Full);
    clock.advance(MINUTE);
    now(index(&store).enter(&tag(2), &key(0), MINUTE)).unwrap();
}

#[test]
fn the_last_entry_that_expired_makes_room_wherever_it_lies() {
    let (store, clock) = store();
    let store = store.with_max_entries(1);
    for number in 0..1000 {
        let tag = cloakroom_core::PrincipalTag::from_bytes(*key(number).as_bytes());
        now(index(&store).enter(&tag, &key(0), MINUTE)).unwrap();
        clock.advance(MINUTE);
    }
}

#[test]
fn verbs_sweep_what_expired() {
    let (store, clock) = store();
    for number in 0..=255 {
        now(index(&store).enter(&tag(number), &key(0), MINUTE)).unwrap();
    }
    clock.advance(MINUTE);
    // Each on a tag of its own, which nobody entered anything under: every part is visited.
    for number in 1..10_000 {
        let tag = cloakroom_core::PrincipalTag::from_bytes(*key(number).as_bytes());
        now(index(&store).remove(&tag, &[key(1)], Duration::ZERO)).unwrap();
    }
    assert!(format!("{store:?}").contains("indexed: 0,"), "{store:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Enter(u8, u64, u64),
    Admit(u8, Freshly, u64, u64, Vec<u64>),
    Remove(u8, u64),
    Wait(u64),
}

#[derive(Clone, Copy, Debug)]
enum Freshly {
    Read,
    Stale,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || 0..4_u8;
    let at = || 0..6_u64;
    let ttl = || 1..20_u64;
    let freshly = prop_oneof![3 => Just(Freshly::Read), 1 => Just(Freshly::Stale)];
    let evict = proptest::collection::vec(at(), 0..3);
    let step = prop_oneof![
        3 => (who(), at(), ttl()).prop_map(|(who, at, ttl)| Step::Enter(who, at, ttl)),
        3 => (who(), freshly, at(), ttl(), evict)
            .prop_map(|(who, freshly, at, ttl, evict)| Step::Admit(who, freshly, at, ttl, evict)),
        1 => (who(), at()).prop_map(|(who, at)| Step::Remove(who, at)),
        1 => ttl().prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..100)
}

proptest! {
    #[test]
    fn it_lists_what_a_map_would(steps in steps()) {
        let (store, clock) = store();
        // As many entries as there can be: an account that loses one would refuse sooner or later.
        let store = store.with_max_entries(4 * 6);
        let index = index(&store);
        let mut model: BTreeMap<(u8, u64), Duration> = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for (watched, step) in (0..4).cycle().zip(steps) {
            let time = clock.monotonic();
            let until = |ttl: u64| time + Duration::from_millis(ttl);
            match step {
                Step::Enter(who, at, ttl) => {
                    now(index.enter(&tag(who), &key(at), Duration::from_millis(ttl))).unwrap();
                    let deadline = model.entry((who, at)).or_default();
                    *deadline = until(ttl).max(*deadline);
                }
                Step::Admit(who, freshly, at, ttl, evict) => {
                    let current = now(index.entries(&tag(who))).unwrap().version;
                    let expected = match freshly {
                        Freshly::Read => current,
                        Freshly::Stale => seen.get(&who).copied().unwrap_or(current),
                    };
                    let evicted: Vec<StoreKey> = evict.iter().copied().map(key).collect();
                    let ttl_asked = Duration::from_millis(ttl);
                    let answer = now(index.admit(&tag(who), expected, &key(at), ttl_asked, &evicted)).unwrap();
                    if expected == current {
                        prop_assert_eq!(answer, Admitted::Admitted);
                        for at in evict {
                            model.remove(&(who, at));
                        }
                        let deadline = model.entry((who, at)).or_default();
                        *deadline = until(ttl).max(*deadline);
                        prop_assert_ne!(now(index.entries(&tag(who))).unwrap().version, current);
                    } else {
                        prop_assert_eq!(answer, Admitted::Conflict);
                    }
                }
                Step::Remove(who, at) => {
                    now(index.remove(&tag(who), &[key(at)], Duration::ZERO)).unwrap();
                    model.remove(&(who, at));
                }
                Step::Wait(millis) => clock.advance(Duration::from_millis(millis)),
            }
            let time = clock.monotonic();
            model.retain(|_, deadline| *deadline > time);
            for who in 0..4 {
                let expected: BTreeSet<StoreKey> =
                    model.keys().filter(|(tag, _)| *tag == who).map(|(_, at)| key(*at)).collect();
                prop_assert_eq!(keys(&store, who), expected);
            }
            seen.insert(watched, now(index.entries(&tag(watched))).unwrap().version);
            let indexed = format!("indexed: {},", model.len());
            prop_assert!(format!("{store:?}").contains(&indexed), "{:?}, not {}", store, indexed);
        }
    }
}
