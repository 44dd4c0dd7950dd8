//! Histories that were made up: what the checker lets pass, and what it objects to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cloakroom_core::{StoreErrorKind, StoreKey, Version};

use super::{Law, check};
use crate::history::{Act, Answer, End, Event, Moment, Written};
use crate::rules::{Keeping, Resending, Rules};

const HOUR: Duration = Duration::from_secs(3600);

fn version(tag: u64) -> Version {
    Version::new(tag).unwrap()
}

fn written(tag: u64) -> Written {
    Written { version: version(tag), digest: tag * 7, ttl: HOUR }
}

fn create(tag: u64) -> Act {
    Act::Create(written(tag))
}

fn replace(expected: u64, tag: u64) -> Act {
    Act::Replace { expected: version(expected), record: written(tag) }
}

fn touch(expected: u64) -> Act {
    Act::Touch { expected: version(expected), ttl: HOUR }
}

fn ok(answer: Answer) -> End {
    End::Answered(answer)
}

fn found(tag: u64) -> End {
    ok(Answer::Found(written(tag)))
}

const UNKNOWN: End = End::Unknown(StoreErrorKind::Timeout);

/// One call after the other.
fn history(calls: &[(Act, End)]) -> Vec<Event> {
    let key = StoreKey::from_bytes([1; 32]);
    calls.iter().zip(0..).map(|((act, end), number)| Event::made_up(key, number, *act, *end)).collect()
}

fn laws(calls: &[(Act, End)], rules: Rules) -> Vec<Law> {
    let mut laws: Vec<_> = check(&history(calls), &rules).findings.iter().map(|found| found.law).collect();
    laws.sort();
    laws
}

fn clean(calls: &[(Act, End)]) {
    assert_eq!(laws(calls, Rules::strict()), []);
}

fn wrong(calls: &[(Act, End)]) {
    assert_eq!(laws(calls, Rules::strict()), [Law::Linearizable]);
}

#[test]
fn life_of_a_record_is_clean() {
    clean(&[
        (Act::Load, ok(Answer::Absent)),
        (create(1), ok(Answer::Created)),
        (create(2), ok(Answer::Occupied)),
        (create(1), ok(Answer::Created)),
        (Act::Load, found(1)),
        (replace(1, 3), ok(Answer::Replaced)),
        (replace(1, 3), ok(Answer::Replaced)),
        (replace(1, 4), ok(Answer::Conflict)),
        (touch(1), ok(Answer::Conflict)),
        (touch(3), ok(Answer::Touched)),
        (Act::Load, found(3)),
        (Act::Delete, ok(Answer::Deleted)),
        (Act::Delete, ok(Answer::Missing)),
        (replace(3, 5), ok(Answer::Missing)),
        (touch(3), ok(Answer::Missing)),
        (Act::Load, ok(Answer::Absent)),
        (create(6), ok(Answer::Created)),
        (Act::Load, found(6)),
    ]);
}

#[test]
fn open_calls_may_have_happened_or_not() {
    for seen in [1, 2] {
        clean(&[(create(1), ok(Answer::Created)), (replace(1, 2), UNKNOWN), (Act::Load, found(seen))]);
    }
    // It may also happen later.
    clean(&[
        (create(1), ok(Answer::Created)),
        (replace(1, 2), UNKNOWN),
        (Act::Load, found(1)),
        (Act::Load, found(2)),
    ]);
    // But once.
    wrong(&[
        (create(1), ok(Answer::Created)),
        (replace(1, 2), UNKNOWN),
        (Act::Load, found(2)),
        (Act::Load, found(1)),
    ]);
    // A refusal says that it did not.
    let refused = End::Refused(StoreErrorKind::Unavailable);
    wrong(&[(create(1), ok(Answer::Created)), (replace(1, 2), refused), (Act::Load, found(2))]);
}

#[test]
fn wrong_answers_are_objected_to() {
    let created = (create(1), ok(Answer::Created));
    for calls in [
        [(Act::Load, ok(Answer::Absent)), (Act::Load, found(1))],
        [(Act::Load, found(2)), (Act::Load, found(1))],
        [(create(2), ok(Answer::Created)), (Act::Load, found(1))],
        [(create(1), ok(Answer::Occupied)), (Act::Load, found(1))],
        [(replace(1, 2), ok(Answer::Replaced)), (Act::Load, found(1))],
        [(replace(1, 2), ok(Answer::Conflict)), (Act::Load, found(1))],
        [(replace(3, 2), ok(Answer::Replaced)), (Act::Load, found(2))],
        [(replace(1, 2), ok(Answer::Missing)), (Act::Load, found(1))],
        [(touch(2), ok(Answer::Touched)), (Act::Load, found(1))],
        [(touch(1), ok(Answer::Conflict)), (Act::Load, found(1))],
        [(Act::Delete, ok(Answer::Deleted)), (Act::Delete, ok(Answer::Deleted))],
        [(Act::Load, ok(Answer::Found(Written { digest: 8, ..written(1) }))), (Act::Load, found(1))],
    ] {
        wrong(&[created, calls[0], calls[1]]);
    }
}

#[test]
fn what_was_deleted_stays_deleted() {
    let deleted = [(create(1), ok(Answer::Created)), (Act::Delete, ok(Answer::Deleted))];
    for ghost in
        [(Act::Load, found(1)), (touch(1), ok(Answer::Touched)), (replace(1, 2), ok(Answer::Replaced))]
    {
        let calls = [deleted[0], deleted[1], ghost];
        assert_eq!(laws(&calls, Rules::strict()), [Law::Linearizable, Law::NoResurrection]);
    }
    // A create that was sent again and acknowledged, and then arrives once more, is in some order; it is a ghost all
    // the same.
    let calls = [(create(1), UNKNOWN), deleted[0], deleted[1], (Act::Load, found(1))];
    assert_eq!(laws(&calls, Rules::strict()), [Law::NoResurrection]);
    // A create of which nothing was heard may come after a delete that found nothing.
    clean(&[(create(1), UNKNOWN), (Act::Delete, ok(Answer::Missing)), (Act::Load, found(1))]);
}

#[test]
fn records_go_in_time_and_not_before() {
    let at = |order, at| Moment { order, at: Duration::from_millis(at) };
    let record = Written { ttl: Duration::from_millis(500), ..written(1) };
    let key = StoreKey::from_bytes([1; 32]);
    let seen = |end, from, to| {
        let create = Event::made_up(key, 0, Act::Create(record), ok(Answer::Created));
        let load = Event::made_up(key, 1, Act::Load, end);
        let load = Event { invoked: at(2, from), ended: Some(at(3, to)), ..load };
        check(&[create, load], &Rules::strict()).findings.len()
    };
    assert_eq!((seen(found(1), 400, 401), seen(ok(Answer::Absent), 600, 601)), (0, 0));
    assert_eq!((seen(found(1), 400, 900), seen(ok(Answer::Absent), 400, 900)), (0, 0), "either");
    assert_eq!((seen(found(1), 600, 601), seen(ok(Answer::Absent), 400, 401)), (1, 1));
}

#[test]
fn promises_differ() {
    let lost = [(create(1), ok(Answer::Created)), (Act::Load, ok(Answer::Absent))];
    assert_eq!(laws(&lost, Rules::strict()), [Law::Linearizable]);
    let forgetful = Rules::strict().with_keeping(Keeping::MayForget);
    assert_eq!(laws(&lost, forgetful), []);
    let back = [lost[0], lost[1], (Act::Load, found(1))];
    assert_eq!(laws(&back, forgetful), [Law::Linearizable], "what is lost stays lost");

    let resending = Rules::strict().with_resending(Resending::AfterALostReply);
    let twice = [lost[0], (Act::Delete, ok(Answer::Deleted)), (Act::Delete, ok(Answer::Deleted))];
    assert_eq!((laws(&twice, Rules::strict()), laws(&twice, resending)), (vec![Law::Linearizable], vec![]));
    let verdict = check(&history(&twice), &resending);
    assert_eq!((verdict.explained_by_resending, verdict.is_clean()), (1, true));
}

#[test]
fn what_is_late_or_too_much_is_told() {
    let key = StoreKey::from_bytes([1; 32]);
    let load = Event::made_up(key, 0, Act::Load, ok(Answer::Absent));
    let late = Event { overrun: Duration::from_millis(51), ..load };
    let hung = Event::made_up(key, 0, Act::Load, End::Hung);
    for event in [late, hung] {
        assert_eq!(check(&[event], &Rules::strict()).against(Law::Deadline), 1);
    }
    let many: Vec<_> = (0..100).map(|number| Event::made_up(key, number, Act::Load, load.end)).collect();
    let verdict = check(&many, &Rules::strict());
    assert_eq!((verdict.too_long, verdict.findings.len(), verdict.is_clean()), (1, 0, false));
}
