//! How much the store holds, and whom it refuses first.

use cloakroom_core::{Clock, Created, Deleted, Freshness, Replaced, Store, StoreErrorKind, Touched};
use cloakroom_memory::MemoryStore;
use proptest::prelude::*;

use crate::world::{MINUTE, key, now, record, record_of, store, version};

const CREATED: Result<Created, StoreErrorKind> = Ok(Created::Created);
const FULL: Result<Created, StoreErrorKind> = Err(StoreErrorKind::Full);

fn create(store: &MemoryStore, number: u64, len: usize) -> Result<Created, StoreErrorKind> {
    now(store.create(&key(number), &record(len, 1))).map_err(|error| error.kind())
}

fn create_of(store: &MemoryStore, principal: u8, number: u64, len: usize) -> Result<Created, StoreErrorKind> {
    now(store.create(&key(number), &record_of(principal, len, 1))).map_err(|error| error.kind())
}

#[test]
fn the_last_tenth_of_the_entries_is_for_principals() {
    let store = store().0.with_max_entries(100);
    for number in 0..90 {
        assert_eq!(create(&store, number, 10), CREATED);
    }
    assert_eq!(create(&store, 90, 10), FULL);
    for number in 90..100 {
        assert_eq!(create_of(&store, 1, number, 10), CREATED);
    }
    assert_eq!(create_of(&store, 1, 100, 10), FULL);
    assert_eq!(store.len(), 100, "nobody was evicted");
}

#[test]
fn the_last_tenth_of_the_bytes_is_for_principals() {
    let store = store().0.with_max_bytes(1000);
    assert_eq!(create(&store, 0, 900), CREATED);
    assert_eq!(create(&store, 1, 1), FULL);
    assert_eq!(create_of(&store, 1, 1, 100), CREATED);
    assert_eq!(create_of(&store, 1, 2, 1), FULL);
    assert_eq!(store.payload_bytes(), 1000);
    assert_eq!(store.len(), 2, "a refused record takes no place either");
}

#[test]
fn a_flood_leaves_users_alone() {
    let store = store().0.with_max_entries(1000);
    assert_eq!(create_of(&store, 1, 0, 10), CREATED);
    let refused = (1..10_000).filter(|number| create(&store, *number, 10) == FULL).count();
    assert_eq!(refused, 9_999 - 899);
    assert_eq!(store.len(), 900);
    assert!(now(store.load(&key(0), Freshness::Latest)).unwrap().is_some());
    assert_eq!(create_of(&store, 1, 10_000, 10), CREATED);
}

#[test]
fn what_is_there_can_be_written_when_the_store_is_full() {
    let store = store().0.with_max_entries(10).with_max_bytes(1000);
    assert_eq!(create(&store, 0, 500), CREATED);
    assert_eq!(create_of(&store, 1, 1, 500), CREATED);

    let larger = now(store.replace(&key(0), version(1), &record(501, 2))).unwrap_err();
    assert_eq!(larger.kind(), StoreErrorKind::Full);
    assert!(!larger.is_ambiguous());
    let loaded = now(store.load(&key(0), Freshness::Latest)).unwrap().unwrap();
    assert_eq!((loaded.payload.len(), loaded.version), (500, version(1)), "the old record stays");

    assert_eq!(now(store.replace(&key(0), version(1), &record(500, 2))).unwrap(), Replaced::Replaced);
    assert_eq!(now(store.replace(&key(0), version(2), &record(400, 3))).unwrap(), Replaced::Replaced);
    assert_eq!(now(store.touch(&key(0), version(3), 2 * MINUTE)).unwrap(), Touched::Touched);
    let larger = now(store.replace(&key(0), version(3), &record(401, 4))).unwrap_err();
    assert_eq!(larger.kind(), StoreErrorKind::Full, "the last tenth is not for anonymous growth");
    assert_eq!(now(store.replace(&key(0), version(3), &record_of(1, 500, 4))).unwrap(), Replaced::Replaced);
    assert_eq!(now(store.delete(&key(0))).unwrap(), Deleted::Deleted);
    assert_eq!(store.payload_bytes(), 500);
}

#[test]
fn answers_come_before_bounds() {
    let store = store().0.with_max_entries(0);
    assert_eq!(now(store.replace(&key(0), version(1), &record(1, 2))).unwrap(), Replaced::Missing);
    let store = store.with_max_entries(1).with_max_bytes(10);
    assert_eq!(create(&store, 0, 9), CREATED);
    assert_eq!(create(&store, 0, 9), CREATED, "the same write again");
    assert_eq!(now(store.create(&key(0), &record(5000, 2))).unwrap(), Created::Occupied);
    assert_eq!(now(store.replace(&key(0), version(7), &record(5000, 2))).unwrap(), Replaced::Conflict);
}

#[test]
fn a_record_that_never_fits_is_too_large() {
    let store = store().0.with_max_bytes(1000);
    assert_eq!(create_of(&store, 1, 0, 1001), Err(StoreErrorKind::TooLarge));
    assert_eq!(create(&store, 0, 901), Err(StoreErrorKind::TooLarge));
    assert_eq!(create(&store, 0, 900), CREATED);
    let larger = now(store.replace(&key(0), version(1), &record(901, 2))).unwrap_err();
    assert_eq!(larger.kind(), StoreErrorKind::TooLarge);
}

#[test]
fn the_expired_make_room_wherever_they_lie() {
    let (store, clock) = store();
    let store = store.with_max_entries(1000).with_max_bytes(100_000);
    for number in 0..900 {
        assert_eq!(create(&store, number, 100), CREATED);
    }
    assert_eq!(create(&store, 900, 100), FULL);
    clock.advance(MINUTE);
    // One that needs the bytes of hundreds, which lie in all shards.
    assert_eq!(create(&store, 1000, 60_000), CREATED);
    for number in 1001..1400 {
        assert_eq!(create(&store, number, 1), CREATED);
    }
    assert_eq!(store.len(), 400);
    assert_eq!(store.payload_bytes(), 60_399);
}

#[test]
fn the_last_that_expired_makes_room_wherever_it_lies() {
    let (store, clock) = store();
    let store = store.with_max_entries(1);
    // Some of them in the part that the one before lies in, which the verb itself sweeps.
    for number in 0..1000 {
        assert_eq!(create(&store, number, 10), CREATED, "{number}");
        clock.advance(MINUTE);
    }
}

#[test]
fn verbs_sweep_what_expired() {
    let (store, clock) = store();
    for number in 0..10_000 {
        assert_eq!(create(&store, number, 10), CREATED);
    }
    clock.advance(MINUTE);
    // Look-ups alone take them out; `Debug` shows what is still kept.
    for number in 0..10_000 {
        assert_eq!(now(store.load(&key(number), Freshness::Latest)).unwrap(), None);
    }
    assert_eq!(format!("{store:?}"), "MemoryStore { records: 0, payload_bytes: 0, indexed: 0, .. }");
}

#[test]
fn a_key_can_be_created_again_while_thousands_wait_to_be_swept() {
    let (store, clock) = store();
    for number in 0..10_000 {
        assert_eq!(create(&store, number, 10), CREATED);
    }
    clock.advance(MINUTE);
    // In no order that the sweeping could keep up with.
    for number in (0..10_000).map(|number| number * 7919 % 10_000) {
        assert_eq!(now(store.create(&key(number), &record(20, 2))).unwrap(), Created::Created);
        let loaded = now(store.load(&key(number), Freshness::Latest)).unwrap();
        assert_eq!(loaded, Some(record(20, 2)));
    }
    assert_eq!((store.len(), store.payload_bytes()), (10_000, 200_000));
}

#[test]
fn a_time_to_live_is_kept_to_the_millisecond() {
    let (store, clock) = store();
    assert_eq!(create(&store, 0, 10), CREATED);
    clock.advance(MINUTE - std::time::Duration::from_millis(1));
    let left = now(store.load(&key(0), Freshness::Latest)).unwrap().unwrap().ttl;
    assert_eq!(left, std::time::Duration::from_millis(1));
    clock.set_back(MINUTE);
    clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(now(store.load(&key(0), Freshness::Latest)).unwrap(), None);
}

#[test]
fn a_time_to_live_without_end_does_not_overflow() {
    let (store, clock) = store();
    clock.advance(MINUTE);
    let mut endless = record(1, 1);
    endless.ttl = std::time::Duration::MAX;
    assert_eq!(now(store.create(&key(0), &endless)).unwrap(), Created::Created);
    assert_eq!(now(store.touch(&key(0), version(1), endless.ttl)).unwrap(), Touched::Touched);
    assert!(now(store.load(&key(0), Freshness::Latest)).unwrap().unwrap().ttl > 1_000_000 * MINUTE);
}

#[test]
fn settings_give_an_empty_store() {
    let (store, _) = store();
    assert_eq!(create(&store, 0, 10), CREATED);
    let other = store.clone().with_max_entries(5);
    assert!(other.is_empty());
    assert_eq!(store.len(), 1);
}

#[test]
fn settings_keep_each_other() {
    let clock = Clock::manual();
    let store = MemoryStore::new().with_max_bytes(90).with_max_entries(3).with_clock(clock.clone());
    assert_eq!(create(&store, 0, 82), Err(StoreErrorKind::TooLarge));
    for number in 0..3 {
        assert_eq!(create(&store, number, 1), CREATED);
    }
    assert_eq!(create(&store, 3, 1), FULL);
    clock.advance(MINUTE);
    assert!(store.is_empty());
    let store = store.with_max_entries(4).with_max_bytes(10);
    assert_eq!(create(&store, 0, 9), CREATED);
    clock.advance(MINUTE);
    assert!(store.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Create(u64, usize, Option<u8>),
    Replace(u64, usize, Option<u8>),
    Touch(u64),
    Delete(u64),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let principal = proptest::option::of(0..3_u8);
    let write = (0..40_u64, 0..300_usize, principal);
    let step = prop_oneof![
        4 => write.clone().prop_map(|(key, len, principal)| Step::Create(key, len, principal)),
        4 => write.prop_map(|(key, len, principal)| Step::Replace(key, len, principal)),
        1 => (0..40_u64).prop_map(Step::Touch),
        2 => (0..40_u64).prop_map(Step::Delete),
        1 => (1..50_u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn the_account_is_right_at_every_moment(steps in steps()) {
        let (store, clock) = store();
        let store = store.with_max_entries(30).with_max_bytes(3000);
        for (number, step) in (2..).zip(steps) {
            let versioned = |len, principal: Option<u8>| match principal {
                Some(principal) => record_of(principal, len, number),
                None => record(len, number),
            };
            match step {
                Step::Create(at, len, principal) => {
                    let _ = now(store.create(&key(at), &versioned(len, principal)));
                }
                Step::Replace(at, len, principal) => {
                    if let Some(old) = now(store.load(&key(at), Freshness::Latest)).unwrap() {
                        let _ = now(store.replace(&key(at), old.version, &versioned(len, principal)));
                    }
                }
                Step::Touch(at) => {
                    if let Some(old) = now(store.load(&key(at), Freshness::Latest)).unwrap() {
                        let _ = now(store.touch(&key(at), old.version, 2 * MINUTE));
                    }
                }
                Step::Delete(at) => {
                    let _ = now(store.delete(&key(at)));
                }
                Step::Wait(seconds) => clock.advance(std::time::Duration::from_secs(seconds)),
            }
            let live = (0..40).filter_map(|at| now(store.load(&key(at), Freshness::Latest)).unwrap());
            let (entries, bytes) = live.fold((0, 0), |(entries, bytes), record| {
                (entries + 1, bytes + record.payload.len())
            });
            prop_assert_eq!((store.len(), store.payload_bytes()), (entries, bytes));
            prop_assert!(entries <= 30 && bytes <= 3000);
        }
        clock.advance(10 * MINUTE);
        prop_assert_eq!((store.len(), store.payload_bytes()), (0, 0));
    }
}
