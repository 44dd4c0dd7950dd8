//! Writes that were acknowledged and are gone: what a failover may cost.

use std::collections::BTreeMap;

use cloakroom_core::StoreKey;

use crate::history::{Act, Answer, End, Event};

/// The acknowledged writes that a later look proves undone.
///
/// A write counts only where nothing else can explain what was seen: no other write of its key that may have had an
/// effect was under way between it and the look. So it is a lower bound, and exact where few clients share a key.
#[must_use]
pub fn lost_writes(events: &[Event]) -> Vec<Event> {
    let mut keys: BTreeMap<StoreKey, Vec<&Event>> = BTreeMap::new();
    for event in events {
        keys.entry(event.key).or_default().push(event);
    }
    let mut lost = Vec::new();
    for write in events.iter().filter(|event| is_acknowledged(event)) {
        let same_key = || keys.get(&write.key).into_iter().flatten().copied();
        let Some(acknowledged) = write.ended else { continue };
        let look = same_key().find(|event| {
            event.invoked > acknowledged
                && matches!(event.end, End::Answered(Answer::Found(_) | Answer::Absent))
        });
        let Some(look) = look else { continue };
        let others = same_key().any(|other| {
            let overlaps = other.ended.is_none_or(|ended| ended > write.invoked || other.end.is_open())
                && look.ended.is_none_or(|ended| other.invoked < ended);
            other != write && other.act.is_write() && may_have_had_effect(other) && overlaps
        });
        if !others && !shows(write, look) {
            lost.push(*write);
        }
    }
    lost
}

fn is_acknowledged(event: &Event) -> bool {
    matches!(event.end, End::Answered(Answer::Created | Answer::Replaced | Answer::Deleted))
}

const fn may_have_had_effect(event: &Event) -> bool {
    match event.end {
        End::Refused(_) => false,
        End::Answered(answer) => matches!(answer, Answer::Created | Answer::Replaced | Answer::Deleted),
        End::Unknown(_) | End::Dropped | End::Hung => true,
    }
}

/// Whether the look saw what the write left.
fn shows(write: &Event, look: &Event) -> bool {
    match (write.act, look.end) {
        (Act::Create(record) | Act::Replace { record, .. }, End::Answered(Answer::Found(found))) => {
            record.version == found.version
        }
        (Act::Delete, End::Answered(answer)) => answer == Answer::Absent,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
