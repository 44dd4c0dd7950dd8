use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::{Deadline, Due, ExpiringMap, Keyed, Taken};
use crate::hashed::Hashed;

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u32, u64),
    Put(u8, u32),
    Prolong(u8, u64),
    Take(u8),
    Expire(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<u8>(), any::<u32>(), 0..50_u64).prop_map(|(key, value, at)| Step::Insert(key, value, at)),
        1 => (any::<u8>(), any::<u32>()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => (any::<u8>(), 0..50_u64).prop_map(|(key, at)| Step::Prolong(key, at)),
        2 => any::<u8>().prop_map(Step::Take),
        1 => (0..50_u64).prop_map(Step::Expire),
    ];
    proptest::collection::vec(step, 0..400)
}

fn digest(key: u8) -> [u8; 32] {
    let mut digest = [0; 32];
    digest[usize::from(key % 32)] = key;
    digest
}

fn moment(at: u64) -> Deadline {
    Deadline::at(Duration::from_nanos(at))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Value([u8; 32], u32);

impl Keyed for Value {
    fn key(&self) -> &[u8; 32] {
        &self.0
    }
}

fn hash(key: &[u8; 32]) -> u64 {
    Hashed::from(key).hash
}

/// Each entry must have a reminder no later than its deadline, and reminders must not outgrow entries.
fn check(map: &ExpiringMap<Value>) {
    assert!(map.queue.len() <= 2 * map.table.len() + 64);
    for entry in &map.table {
        assert_eq!(entry.hash, hash(&entry.value.0));
        assert!(entry.reminded <= entry.deadline);
        let reminder = entry.reminder();
        assert!(map.queue.iter().any(|queued| *queued == reminder));
    }
}

proptest! {
    #[test]
    fn it_answers_as_an_ordered_map_would(steps in steps()) {
        let mut map = ExpiringMap::default();
        let mut model: BTreeMap<[u8; 32], (Value, Deadline)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(key, value, at) => {
                    if let std::collections::btree_map::Entry::Vacant(vacant) = model.entry(digest(key)) {
                        let value = Value(digest(key), value);
                        map.insert(hash(&value.0), value, moment(at));
                        vacant.insert((value, moment(at)));
                    }
                }
                Step::Put(key, value) => {
                    if let Some(at) = map.find((&digest(key)).into()) {
                        map.value_mut(at).1 = value;
                        model.get_mut(&digest(key)).unwrap().0.1 = value;
                    }
                }
                Step::Prolong(key, deadline) => {
                    if let Some(at) = map.find((&digest(key)).into()) {
                        map.set_deadline(at, moment(deadline));
                        model.get_mut(&digest(key)).unwrap().1 = moment(deadline);
                    }
                }
                Step::Take(key) => {
                    let taken = map.find((&digest(key)).into()).map(|at| map.take(at));
                    let expected = model.remove(&digest(key));
                    let expected = expected.map(|(value, deadline)| Taken { value, deadline });
                    prop_assert_eq!(taken, expected);
                }
                Step::Expire(now) => {
                    loop {
                        match map.due(moment(now)) {
                            Due::Nothing => break,
                            Due::Later => {}
                            Due::Now(at) => {
                                let taken = map.take(at);
                                prop_assert!(taken.deadline <= moment(now));
                                let expected = model.remove(&taken.value.0);
                                prop_assert_eq!(expected, Some((taken.value, taken.deadline)));
                            }
                        }
                        check(&map);
                    }
                    prop_assert!(model.values().all(|(_, deadline)| *deadline > moment(now)));
                }
            }
            check(&map);
            prop_assert_eq!(map.table.len(), model.len());
            for (key, expected) in &model {
                let at = map.find(key.into()).unwrap();
                prop_assert_eq!((*map.value(at), map.deadline(at)), *expected);
            }
        }
    }
}

fn numbered(number: u64) -> Value {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    Value(key, 0)
}

#[test]
fn it_gives_memory_back() {
    let mut map = ExpiringMap::default();
    for number in 0..10_000_u64 {
        let value = numbered(number);
        map.insert(hash(&value.0), value, moment(number));
    }
    assert!(map.queue.capacity() <= 10_000 * 9 / 8, "growth leaves at most an eighth unused");
    while let Due::Now(at) = map.due(moment(9_900)) {
        map.take(at);
    }
    check(&map);
    assert_eq!(map.table.len(), 99);
    assert!(map.queue.capacity() < 1_000);
    assert!(map.table.capacity() < 1_000);
}

#[test]
fn it_does_not_remember_what_is_gone() {
    let mut map = ExpiringMap::default();
    for number in 0..10_000_u64 {
        let value = numbered(number);
        let at = map.insert(hash(&value.0), value, moment(1_000_000));
        map.set_deadline(at, moment(500_000));
        map.take(at);
    }
    assert!(map.queue.capacity() < 200);
}

#[test]
fn to_live_longer_moves_nothing() {
    let mut map = ExpiringMap::default();
    let value = numbered(1);
    let at = map.insert(hash(&value.0), value, moment(10));
    (11..1_000).for_each(|deadline| map.set_deadline(at, moment(deadline)));
    assert_eq!(map.queue.len(), 1);
    assert_eq!(map.due(moment(500)), Due::Later);
    assert_eq!(map.due(moment(500)), Due::Nothing);
    assert_eq!(map.due(moment(999)), Due::Now(at));
}

impl<V> ExpiringMap<V> {
    /// The bytes that the map holds, used or not.
    pub(crate) fn allocated(&self) -> usize {
        self.table.allocation_size() + self.queue.capacity() * size_of::<super::Reminder>()
    }

    /// How many reminders are due.
    pub(crate) fn overdue(&self, now: Deadline) -> usize {
        self.queue.iter().filter(|reminder| reminder.0.at.has_passed(now)).count()
    }
}
