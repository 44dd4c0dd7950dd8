use std::time::Duration;

use cloakroom_core::{PrincipalTag, StoreKey};

use super::List;
use crate::deadline::Deadline;

fn minutes(number: u64) -> Deadline {
    Deadline::at(Duration::from_secs(60 * number))
}

fn keys() -> Vec<StoreKey> {
    (0..=255).map(|number| StoreKey::from_bytes([number; 32])).collect()
}

fn full() -> List {
    let mut list = List::of(PrincipalTag::from_bytes([1; 32]));
    for key in keys() {
        list.enter(key, minutes(0), minutes(if key == keys()[0] { 2 } else { 1 }));
    }
    list
}

#[test]
fn list_gives_memory_back_however_its_keys_leave() {
    let (mut removed, mut aged, mut pruned) = (full(), full(), full());
    assert!(removed.entries.capacity() >= 256);
    keys()[1..].iter().for_each(|key| assert!(removed.remove(key)));
    assert_eq!(aged.remove_aged(&keys()[1..], minutes(0), Duration::ZERO), 255);
    assert_eq!(pruned.prune(minutes(1)), 255);
    for list in [removed, aged, pruned] {
        assert_eq!(list.len(), 1);
        assert!(list.entries.capacity() <= 8, "{}", list.entries.capacity());
    }
}
