//! What was asked of a store, and what it answered.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cloakroom_core::{StoreErrorKind, StoreKey, Version};

/// A point of a history: its place in the order of all calls and returns, and the time since the history began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each field is explained above")]
pub struct Moment {
    pub order: u64,
    pub at: Duration,
}

/// A record as a history knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The version.
    pub version: Version,
    /// A digest of the payload.
    pub digest: u64,
    /// How long it shall live, or how long it has left.
    pub ttl: Duration,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is named by its verb")]
pub enum Act {
    Load,
    Create(Written),
    Replace { expected: Version, record: Written },
    Touch { expected: Version, ttl: Duration },
    Delete,
}

impl Act {
    /// Whether it may leave something behind.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        !matches!(self, Self::Load)
    }
}

/// What a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is named as the answer is")]
pub enum Answer {
    Found(Written),
    Absent,
    Created,
    Occupied,
    Replaced,
    Touched,
    Conflict,
    Missing,
    Deleted,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// With an answer.
    Answered(Answer),
    /// With an error that says: no effect.
    Refused(StoreErrorKind),
    /// With an error that leaves it open.
    Unknown(StoreErrorKind),
    /// It was dropped, or its process is gone.
    Dropped,
    /// Long after its deadline there was no end, and nobody waits any more.
    Hung,
}

impl End {
    /// Whether the call may have taken effect, or may still do so.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Dropped | Self::Hung)
    }
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The record that it is about.
    pub key: StoreKey,
    /// What was asked.
    pub act: Act,
    /// When it was asked.
    pub invoked: Moment,
    /// When it ended; `None` while it is under way, and when it was dropped.
    pub ended: Option<Moment>,
    /// How.
    pub end: End,
    /// By how much it missed its deadline, measured with a timer that ran beside it.
    pub overrun: Duration,
}

impl Event {
    /// An event of a history that was made up, in which each call ends before the next one begins.
    #[must_use]
    pub fn made_up(key: StoreKey, number: u64, act: Act, end: End) -> Self {
        let at = |order: u64| Moment { order, at: Duration::from_millis(order) };
        let ended = if end.is_open() { None } else { Some(at(2 * number + 1)) };
        Self { key, act, invoked: at(2 * number), ended, end, overrun: Duration::ZERO }
    }

    /// The same call with another end, for histories that are doctored.
    #[must_use]
    pub const fn with_end(mut self, end: End) -> Self {
        self.end = end;
        if end.is_open() {
            self.ended = None;
        }
        self
    }
}

/// What was asked and answered so far. A clone is the same history.
#[derive(Clone, Debug)]
pub struct History(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Instant,
    order: AtomicU64,
    under_way: AtomicUsize,
    events: Mutex<Vec<Event>>,
}

impl History {
    /// One that begins now.
    #[must_use]
    pub fn new() -> Self {
        let (order, under_way, events) = (AtomicU64::new(0), AtomicUsize::new(0), Mutex::default());
        Self(Arc::new(Inner { origin: Instant::now(), order, under_way, events }))
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        let order = self.0.order.fetch_add(1, Ordering::SeqCst);
        Moment { order, at: self.0.origin.elapsed() }
    }

    /// Everything so far, in the order of the calls. Calls under way are [`End::Dropped`].
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// How many calls are under way, those included that were dropped.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.0.under_way.load(Ordering::SeqCst)
    }

    /// Now, if calls are under way now: they began before this moment and end after it.
    #[must_use]
    pub fn busy(&self) -> Option<Moment> {
        // A call that ends is no longer under way a moment before it is counted out: not under the lock.
        let _events = self.lock();
        (self.under_way() > 0).then(|| self.now())
    }

    /// How many calls there were so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Notes a call; the number is for [`end`](Self::end).
    pub(crate) fn begin(&self, key: StoreKey, act: Act) -> usize {
        let mut events = self.lock();
        let (invoked, number) = (self.now(), events.len());
        self.0.under_way.fetch_add(1, Ordering::SeqCst);
        let (end, overrun) = (End::Dropped, Duration::ZERO);
        events.push(Event { key, act, invoked, ended: None, end, overrun });
        number
    }

    pub(crate) fn end(&self, number: usize, end: End, overrun: Duration) {
        let mut events = self.lock();
        let ended = Some(self.now());
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        if let Some(event) = events.get_mut(number) {
            *event = Event { ended, end, overrun, ..*event };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
