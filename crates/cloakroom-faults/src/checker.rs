//! Whether one true store can have answered so.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use cloakroom_core::StoreKey;

use crate::history::{Act, Answer, End, Event};
use crate::model::{Call, Model};
use crate::order::{Found, Placed, search};
use crate::rules::{Resending, Rules};

/// The longest history of one key that is looked at.
const LONGEST: usize = 48;

/// What a history was found to be.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// How many keys it is about.
    pub keys: usize,
    /// How many calls.
    pub calls: usize,
    /// How many of them may or may not have taken effect.
    pub open: usize,
    /// Keys whose history only a verb that was sent twice explains.
    pub explained_by_resending: usize,
    /// Keys with a history too long to be looked at, or with too many orders.
    pub too_long: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Something wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// What it breaks.
    pub law: Law,
    /// Where, and how.
    pub text: String,
}

/// What a store must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Law {
    /// Each verb takes effect at one moment between its call and its return.
    Linearizable,
    /// After an acknowledged `delete` nobody sees, replaces or touches the record.
    NoResurrection,
    /// Every verb ends by its deadline.
    Deadline,
}

impl Verdict {
    /// Whether everything was looked at, and nothing found.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.too_long == 0
    }

    /// How many findings there are against a law.
    #[must_use]
    pub fn against(&self, law: Law) -> usize {
        self.findings.iter().filter(|finding| finding.law == law).count()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keys, calls, open, explained_by_resending, too_long, findings } = self;
        write!(f, "{calls} calls of {keys} keys, {open} open: ")?;
        match findings.len() {
            0 => f.write_str("linearizable, nothing came back, nothing late")?,
            count => write!(f, "{count} findings")?,
        }
        if *explained_by_resending > 0 {
            write!(f, "; {explained_by_resending} keys only because verbs are sent twice")?;
        }
        if *too_long > 0 {
            write!(f, "; {too_long} histories are too long to be looked at")?;
        }
        for finding in findings.iter().take(3) {
            write!(f, "\n  {:?}: {}", finding.law, finding.text)?;
        }
        Ok(())
    }
}

/// Judges a history, key by key.
#[must_use]
pub fn check(events: &[Event], rules: &Rules) -> Verdict {
    let mut keys: BTreeMap<StoreKey, Vec<Event>> = BTreeMap::new();
    for event in events {
        keys.entry(event.key).or_default().push(*event);
    }
    let open = events.iter().filter(|event| event.act.is_write() && event.end.is_open()).count();
    let (keys_len, calls) = (keys.len(), events.len());
    let mut verdict =
        Verdict { keys: keys_len, calls, open, explained_by_resending: 0, too_long: 0, findings: Vec::new() };
    for events in keys.values() {
        verdict.findings.extend(late(events, rules));
        verdict.findings.extend(resurrection(events));
        order(events, rules, &mut verdict);
    }
    verdict
}

/// What took too long.
fn late<'a>(events: &'a [Event], rules: &'a Rules) -> impl Iterator<Item = Finding> + 'a {
    let late = events.iter().filter(|event| event.end == End::Hung || event.overrun > rules.slack);
    late.map(|event| Finding {
        law: Law::Deadline,
        text: format!("{:?} missed its deadline by {:?}", event.act, event.overrun),
    })
}

/// What came back after it was deleted.
fn resurrection(events: &[Event]) -> Option<Finding> {
    let acknowledged = events.iter().filter(|event| {
        event.act == Act::Delete && matches!(event.end, End::Answered(Answer::Deleted | Answer::Missing))
    });
    for delete in acknowledged {
        let Some(gone) = delete.ended else { continue };
        let seen = events.iter().filter(|event| event.invoked > gone).find(|event| {
            matches!(event.end, End::Answered(Answer::Found(_) | Answer::Replaced | Answer::Touched))
        });
        if let Some(seen) = seen
            && !events.iter().any(|event| explains(event, delete, events))
        {
            let text = format!("{:?} after an acknowledged delete; {}", seen.end, told(events));
            return Some(Finding { law: Law::NoResurrection, text });
        }
    }
    None
}

/// Whether this is a `create` that may have come after the delete, by right.
fn explains(create: &Event, delete: &Event, events: &[Event]) -> bool {
    let Act::Create(record) = create.act else { return false };
    match create.end {
        End::Answered(Answer::Created) => create.ended > Some(delete.invoked),
        // One that was sent again and acknowledged before the delete has had its turn.
        End::Unknown(_) | End::Dropped | End::Hung => !events.iter().any(|other| {
            matches!(other.act, Act::Create(again) if again.version == record.version)
                && other.end == End::Answered(Answer::Created)
                && other.ended < Some(delete.invoked)
        }),
        _ => false,
    }
}

/// Whether there is an order in which a true store answers so.
fn order(events: &[Event], rules: &Rules, verdict: &mut Verdict) {
    let told_something: Vec<&Event> = events.iter().filter(|event| tells(event)).collect();
    if told_something.len() > LONGEST {
        verdict.too_long += 1;
        return;
    }
    let mut found = look_for_order(&told_something, rules.with_resending(Resending::Never));
    if found == Found::Nothing && rules.resending == Resending::AfterALostReply {
        found = look_for_order(&told_something, *rules);
        verdict.explained_by_resending += usize::from(found == Found::Order);
    }
    match found {
        Found::Order => {}
        Found::Nothing => verdict.findings.push(Finding { law: Law::Linearizable, text: told(events) }),
        Found::TooMuch => verdict.too_long += 1,
    }
}

/// Whether it matters: a call without effect does not, nor does a look that saw nothing.
fn tells(event: &Event) -> bool {
    match event.end {
        End::Answered(_) => true,
        End::Refused(_) => false,
        End::Unknown(_) | End::Dropped | End::Hung => event.act.is_write(),
    }
}

fn look_for_order(events: &[&Event], rules: Rules) -> Found {
    let mut calls = Vec::with_capacity(events.len());
    for event in events {
        let ended = event.ended.filter(|_| !event.end.is_open());
        let call = Call { act: event.act, invoked: event.invoked.at, returned: ended.map(|ended| ended.at) };
        let returned = match (event.end, ended) {
            (End::Answered(answer), Some(ended)) => Some((ended.order, answer)),
            _ => None,
        };
        let invoked = event.invoked.order;
        calls.push(Placed { call, invoked, returned });
        if rules.resending == Resending::AfterALostReply && may_follow_its_own_write(event) {
            // A first try that took effect and was not heard of.
            let first = Call { returned: None, ..call };
            calls.push(Placed { call: first, invoked, returned: None });
        }
    }
    search(&calls, Model::new(rules))
}

fn may_follow_its_own_write(event: &Event) -> bool {
    let missing = event.end == End::Answered(Answer::Missing);
    let conflict = event.end == End::Answered(Answer::Conflict);
    match event.act {
        Act::Replace { .. } => missing,
        Act::Touch { .. } => missing || conflict,
        _ => false,
    }
}

/// A history in short: versions become letters, in the order in which they appear.
fn told(events: &[Event]) -> String {
    let mut names = Vec::new();
    let mut name = |version: u64| {
        let at = names.iter().position(|known| *known == version).unwrap_or_else(|| {
            names.push(version);
            names.len() - 1
        });
        format!("v{at}")
    };
    let mut text = String::new();
    for event in events {
        let act = match event.act {
            Act::Load => "load".to_owned(),
            Act::Create(record) => format!("create {}", name(record.version.get())),
            Act::Replace { expected, record } => {
                format!("replace {} by {}", name(expected.get()), name(record.version.get()))
            }
            Act::Touch { expected, .. } => format!("touch {}", name(expected.get())),
            Act::Delete => "delete".to_owned(),
        };
        let end = match event.end {
            End::Answered(Answer::Found(found)) => format!("found {}", name(found.version.get())),
            End::Answered(answer) => format!("{answer:?}"),
            end => format!("{end:?}"),
        };
        let ended = event.ended.map(|ended| ended.order.to_string()).unwrap_or_default();
        let _ = write!(text, "[{}..{ended}] {act} -> {end}; ", event.invoked.order);
    }
    text
}

#[cfg(test)]
mod tests;
