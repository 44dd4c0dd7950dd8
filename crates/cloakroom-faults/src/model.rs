//! One record as a true store keeps it: what the answers are compared with.

use std::time::Duration;

use cloakroom_core::Version;

use crate::history::{Act, Answer, Written};
use crate::rules::{Keeping, Resending, Rules};

/// A call, and the time in which it took effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) act: Act,
    pub(crate) invoked: Duration,
    /// `None`: any time later.
    pub(crate) returned: Option<Duration>,
}

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    rules: Rules,
    state: State,
}

/// What is kept between two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Absent,
    Live(Live),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Live {
    version: Version,
    digest: u64,
    /// Before this it lives.
    earliest_end: Duration,
    /// After this it is gone; `None` where nobody knows when it was written.
    latest_end: Option<Duration>,
}

impl Model {
    pub(crate) const fn new(rules: Rules) -> Self {
        Self { rules, state: State::Absent }
    }

    /// What the calls so far have left.
    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// The record as this call can have found it present.
    fn present(&self, call: &Call) -> Option<Live> {
        let State::Live(live) = self.state else { return None };
        let gone = live.latest_end.is_some_and(|end| call.invoked > end + self.rules.tolerance);
        (!gone).then_some(live)
    }

    /// Whether this call can have found nothing: there is nothing, it may have expired, or it may be forgotten.
    fn may_be_absent(&self, call: &Call) -> bool {
        let State::Live(live) = self.state else { return true };
        let expired =
            call.returned.is_none_or(|returned| returned + self.rules.tolerance >= live.earliest_end);
        expired || self.rules.keeping == Keeping::MayForget
    }

    const fn put(&mut self, call: &Call, record: &Written) {
        self.state = State::Live(Live {
            version: record.version,
            digest: record.digest,
            earliest_end: call.invoked.saturating_add(record.ttl),
            latest_end: latest_end(call, record.ttl),
        });
    }

    fn extend(&mut self, call: &Call, mut live: Live, ttl: Duration) {
        live.earliest_end = live.earliest_end.max(call.invoked.saturating_add(ttl));
        live.latest_end = live.latest_end.zip(latest_end(call, ttl)).map(|(one, other)| one.max(other));
        self.state = State::Live(live);
    }

    /// Takes the record away if this call can have found nothing.
    fn absent(&mut self, call: &Call) -> bool {
        let absent = self.may_be_absent(call);
        if absent {
            self.state = State::Absent;
        }
        absent
    }

    /// Does what a call does whose answer is unknown: all that it can. That it did nothing is always possible too.
    pub(crate) fn take(&mut self, call: &Call) {
        let present = self.present(call);
        match (call.act, present) {
            (Act::Create(record), _) if self.may_be_absent(call) => self.put(call, &record),
            (Act::Replace { expected, record }, Some(live)) if live.version == expected => {
                self.put(call, &record);
            }
            (Act::Touch { expected, ttl }, Some(live)) if live.version == expected => {
                self.extend(call, live, ttl);
            }
            (Act::Delete, _) => self.state = State::Absent,
            _ => {}
        }
    }

    /// Takes a call with its answer, and says whether a true store can have given it.
    pub(crate) fn agrees(&mut self, call: &Call, answer: &Answer) -> bool {
        let present = self.present(call);
        match (call.act, answer, present) {
            (Act::Load, Answer::Found(found), Some(live)) => {
                (live.version, live.digest) == (found.version, found.digest)
            }
            (Act::Create(record), Answer::Created, Some(live)) if live.version == record.version => {
                if self.may_be_absent(call) {
                    // It may have gone, and have been put there anew.
                    let end = latest_end(call, record.ttl);
                    let latest_end = live.latest_end.zip(end).map(|(one, other)| one.max(other));
                    self.state = State::Live(Live { latest_end, ..live });
                }
                true
            }
            (Act::Create(record), Answer::Created, _) if self.may_be_absent(call) => {
                self.put(call, &record);
                true
            }
            (Act::Create(record), Answer::Occupied, Some(live)) => live.version != record.version,
            (Act::Replace { record, .. }, Answer::Replaced, Some(live)) if live.version == record.version => {
                true
            }
            (Act::Replace { expected, record }, Answer::Replaced, Some(live)) if live.version == expected => {
                self.put(call, &record);
                true
            }
            (Act::Replace { expected, record }, Answer::Conflict, Some(live)) => {
                live.version != expected && live.version != record.version
            }
            (Act::Touch { expected, ttl }, Answer::Touched, Some(live)) if live.version == expected => {
                self.extend(call, live, ttl);
                true
            }
            (Act::Touch { expected, .. }, Answer::Conflict, Some(live)) => live.version != expected,
            (Act::Delete, Answer::Deleted, Some(_)) => {
                self.state = State::Absent;
                true
            }
            (Act::Delete, Answer::Deleted, None) => self.rules.resending == Resending::AfterALostReply,
            (Act::Load, Answer::Absent, _)
            | (Act::Replace { .. } | Act::Touch { .. } | Act::Delete, Answer::Missing, _) => {
                self.absent(call)
            }
            _ => false,
        }
    }
}

const fn latest_end(call: &Call, ttl: Duration) -> Option<Duration> {
    match call.returned {
        Some(returned) => returned.checked_add(ttl),
        None => None,
    }
}
