use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::{Deadline, ExpiringMap, Taken};

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

/// Table, entries and queue must name each other's places, and the queue must be a heap.
fn check(map: &ExpiringMap<u32>) {
    assert_eq!(map.table.len(), map.entries.len());
    assert_eq!(map.queue.len(), map.entries.len());
    for (place, entry) in map.entries.iter().enumerate() {
        assert_eq!(map.find(&entry.key).unwrap().0, place);
        assert_eq!(map.queue[entry.queued].entry, place);
    }
    for (place, queued) in map.queue.iter().enumerate().skip(1) {
        assert!(map.queue[(place - 1) / 2].deadline <= queued.deadline);
    }
}

proptest! {
    #[test]
    fn it_answers_as_an_ordered_map_would(steps in steps()) {
        let mut map = ExpiringMap::default();
        let mut model: BTreeMap<[u8; 32], (u32, Deadline)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(key, value, at) => {
                    if let std::collections::btree_map::Entry::Vacant(vacant) = model.entry(digest(key)) {
                        map.insert(digest(key), value, moment(at));
                        vacant.insert((value, moment(at)));
                    }
                }
                Step::Put(key, value) => {
                    if let Some(at) = map.find(&digest(key)) {
                        *map.value_mut(at) = value;
                        model.get_mut(&digest(key)).unwrap().0 = value;
                    }
                }
                Step::Prolong(key, deadline) => {
                    if let Some(at) = map.find(&digest(key)) {
                        map.set_deadline(at, moment(deadline));
                        model.get_mut(&digest(key)).unwrap().1 = moment(deadline);
                    }
                }
                Step::Take(key) => {
                    let taken = map.find(&digest(key)).map(|at| map.take(at));
                    let expected = model.remove(&digest(key));
                    let expected = expected.map(|(value, deadline)| Taken { key: digest(key), value, deadline });
                    prop_assert_eq!(taken, expected);
                }
                Step::Expire(now) => {
                    let mut last = moment(0);
                    while let Some(at) = map.due(moment(now)) {
                        let taken = map.take(at);
                        prop_assert!(last <= taken.deadline && taken.deadline <= moment(now));
                        last = taken.deadline;
                        prop_assert_eq!(model.remove(&taken.key), Some((taken.value, taken.deadline)));
                    }
                    prop_assert!(model.values().all(|(_, deadline)| *deadline > moment(now)));
                }
            }
            check(&map);
            prop_assert_eq!(map.entries.len(), model.len());
            for (key, expected) in &model {
                let at = map.find(key).unwrap();
                prop_assert_eq!((*map.value(at), map.deadline(at)), *expected);
            }
        }
    }
}

#[test]
fn it_gives_memory_back() {
    let mut map = ExpiringMap::default();
    for number in 0..10_000_u64 {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        map.insert(key, 0, moment(number));
    }
    assert!(map.entries.capacity() <= 10_000 * 9 / 8, "growth leaves at most an eighth unused");
    while let Some(at) = map.due(moment(9_900)) {
        map.take(at);
    }
    check(&map);
    assert_eq!(map.entries.len(), 99);
    assert!(map.entries.capacity() < 1_000);
    assert!(map.queue.capacity() < 1_000);
    assert!(map.table.capacity() < 1_000);
}

impl<V> ExpiringMap<V> {
    /// The bytes that the map holds, used or not.
    pub(crate) fn allocated(&self) -> usize {
        let entries = self.entries.capacity() * size_of::<super::Entry<V>>();
        entries + self.queue.capacity() * size_of::<super::Queued>() + self.table.allocation_size()
    }
}
