//! What clients were answered, and whether one true store can have answered so.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::servers::Crash;

/// One request of one client, and its answer. A client sends one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) client: usize,
    pub(crate) act: Act,
    pub(crate) answer: Answer,
    pub(crate) took: Duration,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Forgets its cookie, and is a stranger from here on.
    Anew,
    Set(String),
    Add,
    ReadValue,
    ReadCounter,
    Login,
    Logout,
    /// Adds late, while the same visitor logs out.
    AddParked,
    /// Reads with the cookie from before an acknowledged logout.
    ReadWithDeadCookie,
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Found(String),
    Absent,
    Ended,
    Unavailable,
    Other(String),
}

/// What a client's session may hold now.
#[derive(Clone, Debug)]
struct Possible {
    crash: Crash,
    values: BTreeSet<Option<String>>,
    /// How high the counter is at least and at most; a counter that is not there counts nothing.
    least: u64,
    most: u64,
    /// Writes that nobody acknowledged, and that may still arrive: a server that stood still finds them in its buffers.
    /// The next write that is acknowledged moves the version, and what has not arrived by then never will.
    late: Late,
    /// A login or logout was not acknowledged: the cookie may be worth nothing.
    may_be_lost: bool,
}

#[derive(Clone, Debug, Default)]
struct Late {
    values: BTreeSet<String>,
    additions: u64,
}

impl Possible {
    fn nothing(crash: Crash) -> Self {
        let may_be_lost = crash == Crash::LosesEverything;
        Self { crash, values: [None].into(), least: 0, most: 0, late: Late::default(), may_be_lost }
    }

    /// A write is acknowledged: what was late has arrived before it, or never will.
    fn settle(&mut self) {
        let late = std::mem::take(&mut self.late);
        self.values.extend(late.values.into_iter().map(Some));
        self.most += late.additions;
    }

    /// How high the counter can be when it is read.
    fn highest(&self) -> u64 {
        self.most + self.late.additions
    }

    /// This is how high it is; what it had of those that were late cannot arrive again.
    fn count(&mut self, sum: u64) {
        self.late.additions -= sum.saturating_sub(self.most);
        (self.least, self.most) = (sum, sum);
    }

    /// What is lost is not found again.
    fn lose(&mut self) {
        if self.crash == Crash::LosesEverything {
            *self = Self::nothing(self.crash);
        }
    }

    fn least(&self) -> u64 {
        if self.crash == Crash::LosesEverything { 0 } else { self.least }
    }
}

/// Checks the events of each client, in their order; returns what no true store can have answered.
///
/// - What was acknowledged is there afterwards; what was not may be or not, and may come until the next write that is.
/// - A value is one that this client wrote.
/// - The counter is at least as high as the acknowledged additions, and at most as high as all.
/// - A session ends by a logout only, or with a server that keeps nothing, and then stays dead.
/// - Nothing takes longer than `deadline`.
pub(crate) fn check(history: &[Event], crash: Crash, deadline: Duration) -> Vec<String> {
    let clients: BTreeSet<usize> = history.iter().map(|event| event.client).collect();
    let mut findings = Vec::new();
    for client in clients {
        let mut possible = Possible::nothing(crash);
        for event in history.iter().filter(|event| event.client == client) {
            if let Some(problem) = step(&mut possible, event) {
                findings.push(format!("client {client}: {problem}"));
            }
            if event.took > deadline {
                findings.push(format!("client {client}: {:?} took {:?}", event.act, event.took));
            }
        }
    }
    findings
}

fn step(possible: &mut Possible, event: &Event) -> Option<String> {
    let wrong = || Some(format!("{:?} was answered {:?}, while {possible:?}", event.act, event.answer));
    match (&event.act, &event.answer) {
        (Act::Anew, _) => *possible = Possible::nothing(possible.crash),
        (Act::ReadWithDeadCookie, Answer::Absent | Answer::Unavailable)
        | (Act::AddParked, Answer::Found(_) | Answer::Ended | Answer::Unavailable) => {}
        (Act::ReadWithDeadCookie | Act::AddParked, _) => return wrong(),
        (_, Answer::Ended) if possible.may_be_lost => {}
        (_, Answer::Other(_) | Answer::Ended) => return wrong(),
        (Act::Set(value), Answer::Done) => {
            possible.settle();
            possible.values = [Some(value.clone())].into();
        }
        (Act::Set(value), Answer::Unavailable) => {
            possible.late.values.insert(value.clone());
        }
        (Act::Add, Answer::Found(sum)) => match sum.parse::<u64>() {
            Ok(sum) if (possible.least() + 1..=possible.highest() + 1).contains(&sum) => {
                possible.settle();
                (possible.least, possible.most) = (sum, sum);
            }
            _ => return wrong(),
        },
        (Act::Add, Answer::Unavailable) => possible.late.additions += 1,
        (Act::ReadValue, Answer::Found(value)) => {
            let found = Some(value.clone());
            if !possible.values.contains(&found) && !possible.late.values.contains(value) {
                return wrong();
            }
            possible.late.values.remove(value);
            possible.values = [found].into();
        }
        (Act::ReadValue, Answer::Absent) => {
            if !possible.values.contains(&None) {
                if !possible.may_be_lost {
                    return wrong();
                }
                possible.lose();
            }
        }
        (Act::ReadCounter, Answer::Found(sum)) => match sum.parse::<u64>() {
            Ok(sum) if (possible.least()..=possible.highest()).contains(&sum) => possible.count(sum),
            _ => return wrong(),
        },
        (Act::ReadCounter, Answer::Absent) => {
            if possible.least > 0 {
                if !possible.may_be_lost {
                    return wrong();
                }
                possible.lose();
            } else {
                possible.count(0);
            }
        }
        (Act::ReadValue | Act::ReadCounter, Answer::Unavailable) | (Act::Logout, Answer::Done) => {}
        (Act::Login, Answer::Done) => possible.settle(),
        (Act::Login | Act::Logout, Answer::Unavailable) => possible.may_be_lost = true,
        _ => return wrong(),
    }
    None
}

#[test]
fn doctored_histories_are_objected_to() {
    let event = |act, answer| Event { client: 0, act, answer, took: Duration::from_millis(1) };
    let found = |text: &str| Answer::Found(text.to_owned());
    let set = |text: &str| Act::Set(text.to_owned());
    let limit = Duration::from_secs(1);
    let good = [
        event(set("a"), Answer::Done),
        event(Act::ReadValue, found("a")),
        event(set("b"), Answer::Unavailable),
        event(Act::ReadValue, found("b")),
        event(Act::Add, found("1")),
        event(Act::Add, Answer::Unavailable),
        event(Act::Add, found("3")),
        event(Act::ReadCounter, found("3")),
        event(Act::Login, Answer::Done),
        event(Act::Logout, Answer::Done),
        event(Act::ReadWithDeadCookie, Answer::Absent),
        event(Act::Anew, Answer::Done),
        event(Act::ReadValue, Answer::Absent),
    ];
    assert_eq!(check(&good, Crash::KeepsEverything, limit), [""; 0]);
    let doctored = |at: usize, answer: Answer| {
        let mut history = good.to_vec();
        history[at].answer = answer;
        check(&history, Crash::KeepsEverything, limit).len()
    };
    assert!(doctored(1, Answer::Absent) > 0, "a lost acknowledged value");
    assert!(doctored(1, found("x")) > 0, "a foreign value");
    assert!(doctored(1, Answer::Ended) > 0, "a session that ended by itself");
    assert!(doctored(3, found("c")) > 0, "a value that nobody wrote");
    assert!(doctored(6, found("1")) > 0, "a counter that lost an addition");
    assert!(doctored(6, found("4")) > 0, "a counter that counted twice");
    assert!(doctored(7, found("2")) > 0, "a counter that went back");
    assert!(doctored(7, Answer::Absent) > 0, "a counter that is gone");
    assert!(doctored(8, Answer::Other("500".to_owned())) > 0, "another error than unavailability");
    assert!(doctored(10, found("b")) > 0, "a session that came back");
    assert!(doctored(12, found("b")) > 0, "a stranger who sees a value");
    let unsaid = [
        event(set("a"), Answer::Done),
        event(set("b"), Answer::Unavailable),
        event(Act::Add, Answer::Unavailable),
        event(Act::ReadValue, found("a")),
        event(Act::ReadCounter, Answer::Absent),
    ];
    let then = |events: &[(Act, Answer)]| {
        let events = events.iter().map(|(act, answer)| event(act.clone(), answer.clone()));
        let history: Vec<Event> = unsaid.iter().cloned().chain(events).collect();
        check(&history, Crash::KeepsEverything, limit).len()
    };
    let (value, counter) = (|text| (Act::ReadValue, found(text)), |text| (Act::ReadCounter, found(text)));
    assert_eq!(then(&[value("b"), counter("1")]), 0, "writes that arrive after their answers");
    assert_eq!(
        then(&[(set("c"), Answer::Done), counter("1"), value("c")]),
        0,
        "one that arrives just in time"
    );
    assert_eq!(then(&[value("b"), value("a")]), 1, "a value that goes back");
    assert_eq!(then(&[counter("2")]), 1, "an addition that arrives twice");
    assert_eq!(then(&[counter("1"), counter("2")]), 1, "an addition that arrives again");
    assert_eq!(then(&[(set("c"), Answer::Done), value("b")]), 1, "a value from before what was acknowledged");
    let added = (Act::Add, found("1"));
    assert_eq!(then(&[added.clone(), value("b"), counter("1")]), 0, "a value from before an addition");
    assert_eq!(then(&[added, counter("2")]), 1, "an addition from before what was acknowledged");
    let forgetful = |history: &[Event]| check(history, Crash::LosesEverything, limit).len();
    let mut lost = good.to_vec();
    lost[1].answer = Answer::Absent;
    assert_eq!(forgetful(&good) + forgetful(&lost[..3]), 0, "a session that was lost with its server");
    lost[2] = event(Act::ReadValue, found("a"));
    assert!(forgetful(&lost) > 0, "a lost session that came back");
    let mut late = good.to_vec();
    late[0].took = limit + Duration::from_millis(1);
    assert_eq!(check(&late, Crash::KeepsEverything, limit).len(), 1, "an answer that came too late");
}
