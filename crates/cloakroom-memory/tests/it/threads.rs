//! Many threads on one store.

#![allow(clippy::unwrap_used, reason = "threads of tests, which may fail")]

use std::sync::Barrier;
use std::thread;

use cloakroom_core::{Admitted, Freshness, Record, Replaced, Store};
use cloakroom_memory::MemoryStore;

use crate::world::{MINUTE, index, key, now, record, record_of, store, tag, version};

const THREADS: u64 = 8;

#[test]
fn increments_from_many_threads_are_all_counted() {
    let (store, _) = store();
    let counter = |count: u64, version| Record::new(count.to_be_bytes().to_vec(), version, MINUTE);
    let _ = now(store.create(&key(0), &counter(0, version(1)))).unwrap();
    let start = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, start) = (store.clone(), &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..1000 {
                    let own = version(2 + thread * 1000 + round);
                    loop {
                        let old = now(store.load(&key(0), Freshness::Latest)).unwrap().unwrap();
                        let count = u64::from_be_bytes(old.payload.as_slice().try_into().unwrap());
                        // So that another thread comes in between, also where there is one core.
                        thread::yield_now();
                        let new = counter(count + 1, own);
                        if now(store.replace(&key(0), old.version, &new)).unwrap() == Replaced::Replaced {
                            break;
                        }
                    }
                }
            });
        }
    });
    let last = now(store.load(&key(0), Freshness::Latest)).unwrap().unwrap();
    assert_eq!(last.payload, (THREADS * 1000).to_be_bytes());
}

#[test]
fn the_bounds_hold_under_a_flood_from_many_threads() {
    let (store, clock) = store();
    let store = store.with_max_entries(150).with_max_bytes(8_000);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, clock) = (store.clone(), clock.clone());
            scope.spawn(move || {
                for round in 0..5_000_u64 {
                    let number = thread * 5_000 + round;
                    let len = usize::try_from(number % 97).unwrap();
                    let _ = now(store.create(&key(number), &record_of(1, len, 1)));
                    let _ = now(store.create(&key(number + 1_000_000), &record(len, 1)));
                    let _ = now(store.replace(&key(number), version(1), &record(2 * len, 2)));
                    if round % 3 == 0 {
                        let _ = now(store.delete(&key(number))).unwrap();
                    }
                    if round % 100 == 0 {
                        clock.advance(MINUTE / 4);
                    }
                    assert!(store.len() <= 150);
                    assert!(store.payload_bytes() <= 8_000);
                }
            });
        }
    });
    clock.advance(10 * MINUTE);
    assert_eq!((store.len(), store.payload_bytes()), (0, 0));
}

#[test]
fn of_many_logins_at_once_the_limit_is_kept() {
    const LIMIT: usize = 3;
    let (store, _) = store();
    let start = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, start) = (store.clone(), &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..200 {
                    log_in(&store, thread * 1000 + round, LIMIT);
                    assert!(now(index(&store).entries(&tag(1))).unwrap().entries.len() <= LIMIT);
                }
            });
        }
    });
    assert_eq!(now(index(&store).entries(&tag(1))).unwrap().entries.len(), LIMIT);
    assert_eq!(store.len(), LIMIT, "the records of the evicted are gone");
}

/// Logs in as the manager does: admits the session, ends those that had to give way, writes the record.
fn log_in(store: &MemoryStore, number: u64, limit: usize) {
    loop {
        let list = now(index(store).entries(&tag(1))).unwrap();
        let listed: Vec<_> = list.entries.iter().map(|entry| entry.key).collect();
        let evict = listed.get(..(listed.len() + 1).saturating_sub(limit)).unwrap();
        let _ = now(store.create(&key(number), &record_of(1, 10, 1))).unwrap();
        let admitted = now(index(store).admit(&tag(1), list.version, &key(number), MINUTE, evict)).unwrap();
        if admitted == Admitted::Admitted {
            for key in evict {
                let _ = now(store.delete(key)).unwrap();
            }
            return;
        }
    }
}
