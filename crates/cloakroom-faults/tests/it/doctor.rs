//! The same history with one answer changed: in every run, the checker must object.

use cloakroom_core::Version;
use cloakroom_faults::{Act, Answer, End, Event, Law, Rules, check};

/// Wants an objection to each of the changes, of the law that it breaks.
pub(crate) fn objects(events: &[Event], rules: &Rules) {
    for (what, law, doctored) in doctored(events) {
        let verdict = check(&doctored, rules);
        assert!(verdict.against(law) > 0, "the checker does not see {what}: {verdict}");
    }
}

fn doctored(events: &[Event]) -> Vec<(&'static str, Law, Vec<Event>)> {
    let mut all = Vec::new();
    let mut spoil = |what, law, key, spoiled: &dyn Fn(&Event) -> Option<Event>| {
        let one: Vec<Event> = events.iter().filter(|event| event.key == key).copied().collect();
        let at = one.iter().rposition(|event| spoiled(event).is_some()).expect("there is one");
        let mut changed = one;
        changed[at] = spoiled(&changed[at]).expect("it is that one");
        all.push((what, law, changed));
    };
    let found = |event: &Event| match event.end {
        End::Answered(Answer::Found(found)) => Some(found),
        _ => None,
    };
    let seen = events.iter().find(|event| found(event).is_some()).expect("something was found");
    spoil("a version that nobody wrote", Law::Linearizable, seen.key, &|event| {
        let mut found = found(event)?;
        found.version = Version::new(1)?;
        Some(event.with_end(End::Answered(Answer::Found(found))))
    });
    spoil("a payload that nobody wrote", Law::Linearizable, seen.key, &|event| {
        let mut found = found(event)?;
        found.digest ^= 1;
        Some(event.with_end(End::Answered(Answer::Found(found))))
    });
    spoil("a call that never ended", Law::Deadline, seen.key, &|event| {
        found(event).map(|_| event.with_end(End::Hung))
    });
    // A record that was found after somebody had deleted it.
    let ghost = events.iter().find_map(|delete| {
        let deleted = delete.act == Act::Delete && delete.end == End::Answered(Answer::Deleted);
        let before = || events.iter().find(|event| event.key == delete.key && found(event).is_some());
        let after = || {
            let gone = |event: &&Event| event.act == Act::Load && event.end == End::Answered(Answer::Absent);
            let later = |event: &&Event| event.key == delete.key && Some(event.invoked) > delete.ended;
            events.iter().filter(later).find(gone)
        };
        if deleted { Some((found(before()?)?, after()?)) } else { None }
    });
    let (record, absent) = ghost.expect("something was deleted and looked for");
    spoil("a record that came back", Law::NoResurrection, absent.key, &|event| {
        (event == absent).then(|| event.with_end(End::Answered(Answer::Found(record))))
    });
    all
}
