//! The same history with one answer changed: in every run, the checker must object.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cloakroom_core::Version;
use cloakroom_faults::{Act, Answer, End, Event, History, Law, Moment, Rules, Written, check};
use tokio::time::sleep;

/// How many lives shall be there whole.
const LIVES: usize = 3;
/// How soon they must be.
const SOON: Duration = Duration::from_secs(20);

/// Waits until clients have led a few new records through all of their lives since then: found them and deleted them.
pub(crate) async fn until_lives_ended(history: &History, since: Moment) {
    let start = Instant::now();
    loop {
        let events = begun_after(&history.events(), since);
        let found =
            |delete: &&Event| events.iter().any(|event| event.key == delete.key && found(event).is_some());
        let deleted =
            |event: &&Event| event.act == Act::Delete && event.end == End::Answered(Answer::Deleted);
        let lives = events.iter().filter(deleted).filter(found).count();
        if lives >= LIVES {
            return;
        }
        assert!(start.elapsed() < SOON, "since it is well again, {lives} records were found and deleted");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The histories of the keys that nobody had named before.
pub(crate) fn begun_after(events: &[Event], moment: Moment) -> Vec<Event> {
    let mut begun = BTreeMap::new();
    for event in events {
        begun.entry(event.key).or_insert(event.invoked);
    }
    let is_new = |event: &&Event| begun.get(&event.key).is_some_and(|begun| *begun > moment);
    events.iter().filter(is_new).copied().collect()
}

fn found(event: &Event) -> Option<Written> {
    match event.end {
        End::Answered(Answer::Found(found)) => Some(found),
        _ => None,
    }
}

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
