//! What counts as lost.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use cloakroom_core::{StoreErrorKind, StoreKey, Version};

use super::lost_writes;
use crate::history::{Act, Answer, End, Event, Written};

fn written(tag: u64) -> Written {
    Written { version: Version::new(tag).unwrap(), digest: tag, ttl: Duration::from_secs(60) }
}

fn replace(expected: u64, tag: u64) -> Act {
    Act::Replace { expected: Version::new(expected).unwrap(), record: written(tag) }
}

fn lost(calls: &[(Act, End)]) -> usize {
    let key = StoreKey::from_bytes([1; 32]);
    let event = |((act, end), number): (&(Act, End), u64)| Event::made_up(key, number, *act, *end);
    lost_writes(&calls.iter().zip(0..).map(event).collect::<Vec<_>>()).len()
}

#[test]
fn acknowledged_writes_that_nobody_can_explain_are_lost() {
    let found = |tag| (Act::Load, End::Answered(Answer::Found(written(tag))));
    let absent = (Act::Load, End::Answered(Answer::Absent));
    let created = (Act::Create(written(1)), End::Answered(Answer::Created));
    let replaced = (replace(1, 2), End::Answered(Answer::Replaced));
    let deleted = (Act::Delete, End::Answered(Answer::Deleted));
    assert_eq!(lost(&[created, found(1), replaced, found(2), deleted, absent]), 0);
    assert_eq!(lost(&[created, absent]), 1);
    assert_eq!(lost(&[created, found(1), replaced, found(1)]), 1);
    assert_eq!(lost(&[created, found(1), deleted, found(1)]), 1);
    // Somebody else may have been it.
    let open = (Act::Delete, End::Unknown(StoreErrorKind::Timeout));
    assert_eq!(lost(&[created, open, absent]), 0);
    let refused = (Act::Delete, End::Refused(StoreErrorKind::Unavailable));
    assert_eq!(lost(&[created, refused, absent]), 1);
}
