//! What the machine itself was late by, in a history.

use std::time::{Duration, Instant};

use cloakroom_faults::Event;
use cloakroom_testkit::Lateness;

/// Notes when nothing ran that should have, from the beginning of a history on: no store is to blame for that.
pub(crate) struct Late {
    lateness: Lateness,
    origin: Instant,
}

impl Late {
    /// For a history that begins now.
    pub(crate) fn watch() -> Self {
        Self { lateness: Lateness::watch(), origin: Instant::now() }
    }

    /// How long something took that began then, without what the machine was late by.
    pub(crate) fn took(&self, start: Instant) -> Duration {
        start.elapsed().saturating_sub(self.lateness.since(start))
    }

    /// How long the machine held up everything in this part of the history.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> Duration {
        self.lateness.between(self.origin + from, self.origin + to)
    }

    /// The longest time for which nothing ran that should have.
    pub(crate) fn worst(&self) -> Duration {
        self.lateness.worst()
    }

    /// Whether the machine stood still for so much of a call that nobody can be blamed for its end.
    pub(crate) fn excuses(&self, event: &Event, deadline: Duration) -> bool {
        event.ended.is_some_and(|ended| self.between(event.invoked.at, ended.at) > deadline / 2)
    }

    /// A history without what the machine was late by when a call missed its deadline. One thread that waits for a
    /// processor has the call in its hands, while others run.
    pub(crate) fn forgives(&self, mut events: Vec<Event>) -> Vec<Event> {
        for event in events.iter_mut().filter(|event| !event.overrun.is_zero()) {
            if let Some(ended) = event.ended {
                let (from, to) =
                    (self.origin + ended.at.saturating_sub(event.overrun), self.origin + ended.at);
                let late = self.lateness.between(from, to).max(self.lateness.of_one_thread(from, to));
                event.overrun = event.overrun.saturating_sub(late);
            }
        }
        events
    }
}
