//! What a fault did to the calls, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::history::{Act, Answer, End, Event, Moment};

/// What a fault did to the calls.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Figures {
    /// Calls with an answer, over the whole history.
    pub answered: usize,
    /// Errors by kind, over the whole history.
    pub errors: BTreeMap<String, usize>,
    /// Calls under way when the fault struck.
    pub in_flight: usize,
    /// Of those: with an answer.
    pub done: usize,
    /// Of those: without effect.
    pub not_done: usize,
    /// Of those: nobody knows, from their end alone.
    pub unknown: usize,
    /// Of the writes that nobody knew about: seen in place later.
    pub seen_later: usize,
    /// From the return of the backend to the first answer to a call that was made after it.
    pub recovery: Option<Duration>,
    /// The longest call.
    pub longest: Duration,
    /// The longest time by which a call missed its deadline.
    pub overrun: Duration,
}

impl Figures {
    /// Counts what happened to a history when something struck and, later, was over.
    #[must_use]
    pub fn of(events: &[Event], struck: Moment, over: Moment) -> Self {
        let mut figures = Self::default();
        for event in events {
            match event.end {
                End::Answered(_) => figures.answered += 1,
                End::Refused(kind) => figures.count(&format!("{kind:?}")),
                End::Unknown(kind) => figures.count(&format!("{kind:?}")),
                End::Dropped => figures.count("Dropped"),
                End::Hung => figures.count("Hung"),
            }
            if event.invoked < struck && event.ended.is_none_or(|ended| ended > struck) {
                figures.in_flight += 1;
                match event.end {
                    End::Answered(_) => figures.done += 1,
                    End::Refused(_) => figures.not_done += 1,
                    _ => {
                        figures.unknown += 1;
                        figures.seen_later += usize::from(is_seen_later(event, events));
                    }
                }
            }
            if let Some(ended) = event.ended {
                figures.longest = figures.longest.max(ended.at.saturating_sub(event.invoked.at));
                let recovered = event.invoked > over && matches!(event.end, End::Answered(_));
                if recovered {
                    let time = ended.at.saturating_sub(over.at);
                    figures.recovery = Some(figures.recovery.map_or(time, |known| known.min(time)));
                }
            }
            figures.overrun = figures.overrun.max(event.overrun);
        }
        figures
    }

    fn count(&mut self, what: &str) {
        *self.errors.entry(what.to_owned()).or_default() += 1;
    }
}

/// Whether the version that it writes was found later.
fn is_seen_later(event: &Event, events: &[Event]) -> bool {
    let (Act::Create(record) | Act::Replace { record, .. }) = event.act else { return false };
    let later = events.iter().filter(|later| later.key == event.key && later.invoked > event.invoked);
    later.into_iter().any(
        |later| matches!(later.end, End::Answered(Answer::Found(found)) if found.version == record.version),
    )
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { in_flight, done, not_done, unknown, seen_later, answered, longest, overrun, .. } = self;
        write!(
            f,
            "{in_flight} calls under way when it struck: {done} answered, {not_done} without effect, {unknown} unknown \
             ({seen_later} seen in place later); {answered} answers in all, errors {:?}; longest call {longest:.1?}, \
             {overrun:.1?} past its deadline; ",
            self.errors
        )?;
        match self.recovery {
            Some(time) => write!(f, "first answer {time:.1?} after the return"),
            None => f.write_str("no answer after the return"),
        }
    }
}
