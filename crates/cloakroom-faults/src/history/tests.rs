#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom_core::StoreKey;

use super::{Act, Answer, End, History};

/// A run that strikes while nothing is under way proves nothing, and says so: it must not happen by chance.
#[test]
fn calls_are_under_way_at_a_busy_moment() {
    let (history, over) = (History::new(), AtomicBool::new(false));
    let mut moments = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let number = history.begin(StoreKey::from_bytes([7; 32]), Act::Load);
                history.end(number, End::Answered(Answer::Absent), Duration::ZERO);
            }
        });
        while moments.len() < 300 {
            moments.extend(history.busy());
        }
        over.store(true, Ordering::SeqCst);
    });
    let events = history.events();
    for moment in moments {
        let at = events.partition_point(|event| event.invoked < moment);
        let event = events.get(at.checked_sub(1).unwrap()).unwrap();
        assert!(event.ended.is_none_or(|ended| ended > moment), "{moment:?}: {event:?}");
    }
}
