use std::time::Duration;

use cloakroom_core::{PrincipalTag, Record, Version};

use super::Slot;
use crate::expiring_map::Keyed as _;

const KEY: [u8; 32] = [7; 32];

fn record(tag: Option<u8>, payload: usize, number: u64) -> Record {
    let payload = vec![u8::try_from(number).unwrap(); payload];
    Record::new(payload, Version::new(number).unwrap(), Duration::from_secs(60))
        .with_principal(tag.map(|tag| PrincipalTag::from_bytes([tag; 32])))
}

fn check(slot: &Slot, record: &Record) {
    assert_eq!(slot.key(), &KEY);
    assert_eq!(slot.version(), Some(record.version));
    assert!(slot.is(record.version));
    assert!(!slot.is(Version::new(99).unwrap()));
    assert!(slot.principal() == record.principal);
    assert_eq!(slot.payload(), record.payload);
}

#[test]
fn any_record_takes_the_place_of_any_other() {
    // A principal takes 32 bytes: some of these are as long with one as others are without.
    let tags = [None, Some(1), Some(2)];
    let kinds: Vec<_> =
        tags.iter().flat_map(|tag| [0, 1, 32, 33, 64].map(|payload| (*tag, payload))).collect();
    for (tag, payload) in &kinds {
        for (other_tag, other_payload) in &kinds {
            let (one, other) = (record(*tag, *payload, 1), record(*other_tag, *other_payload, 2));
            let mut slot = Slot::new(&KEY, &one);
            check(&slot, &one);
            slot.put(&other);
            check(&slot, &other);
        }
    }
}

#[test]
fn a_record_of_the_same_length_is_kept_in_the_same_memory() {
    for tag in [None, Some(1)] {
        let mut slot = Slot::new(&KEY, &record(tag, 600, 1));
        let before = slot.payload().as_ptr();
        slot.put(&record(tag, 600, 2));
        assert_eq!(slot.payload().as_ptr(), before);
    }
}
