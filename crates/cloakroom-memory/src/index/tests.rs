use std::time::Duration;

use cloakroom_core::{Clock, PrincipalTag, StoreKey};

use super::{Index, STEP};
use crate::deadline::Deadline;
use crate::meter::Full;
use crate::search::MOST;

#[test]
fn a_list_goes_with_its_last_key() {
    let index = Index::new(Clock::manual(), 10);
    let (tag, key) = (PrincipalTag::from_bytes([1; 32]), StoreKey::from_bytes([2; 32]));
    index.enter(&tag, &key, Duration::from_secs(60)).unwrap();
    assert!(index.part(&tag).0.lists.find(tag.as_bytes().into()).is_some());
    index.remove(&tag, &[key], Duration::ZERO);
    assert!(index.part(&tag).0.lists.find(tag.as_bytes().into()).is_none());
}

#[test]
fn entry_in_a_full_index_looks_at_a_thousand_others_at_most() {
    const MINUTE: Duration = Duration::from_secs(60);
    const LISTS: usize = 100_000;
    let clock = Clock::manual();
    let index = Index::new(clock.clone(), LISTS);
    let key = StoreKey::from_bytes([2; 32]);
    let tag = |number: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        PrincipalTag::from_bytes(bytes)
    };
    for number in 0..LISTS {
        index.enter(&tag(number), &key, MINUTE).unwrap();
        index.enter(&tag(number), &key, 2 * MINUTE).unwrap();
    }
    clock.advance(MINUTE);
    let overdue = || -> usize {
        let now = Deadline::at(clock.monotonic());
        (0..).map_while(|number| index.parts.numbered(number)).map(|part| part.lists.overdue(now)).sum()
    };
    let mut left = overdue();
    assert_eq!(left, LISTS, "a backlog that removes nothing");
    while left > 0 {
        assert_eq!(index.enter(&tag(LISTS), &key, MINUTE), Err(Full));
        let after = overdue();
        assert!(left - after <= MOST + 2 * STEP, "{} at one go", left - after);
        assert!(after < left, "it goes on where the verb before gave up");
        left = after;
    }
    clock.advance(MINUTE);
    index.enter(&tag(LISTS), &key, MINUTE).unwrap();
}
