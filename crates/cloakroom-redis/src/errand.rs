//! A verb on its way: what all its requests share.

use std::time::Duration;

use cloakroom_core::StoreError;
use redis::Value;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::error::{self, Doubt, Effect, Failure};

/// A verb on its way: one deadline and one doubt for all its requests and tries.
pub(crate) struct Errand {
    deadline: Instant,
    effect: Effect,
    repeat: Repeat,
    doubt: Doubt,
}

/// Whether a verb whose reply was lost may be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Harmless,
    /// It would bring back what somebody has deleted since.
    BringsBack,
}

impl Errand {
    /// A verb that only looks.
    pub(crate) fn read(timeout: Duration) -> Result<Self, StoreError> {
        Self::new(timeout, Effect::Read)
    }

    /// A verb that may change the record.
    pub(crate) fn write(timeout: Duration) -> Result<Self, StoreError> {
        Self::new(timeout, Effect::Write)
    }

    /// A verb that makes the record, and had better not do so twice.
    pub(crate) fn creation(timeout: Duration) -> Result<Self, StoreError> {
        Ok(Self { repeat: Repeat::BringsBack, ..Self::write(timeout)? })
    }

    /// A verb that ends after `timeout`, if there is a runtime that can wait.
    fn new(timeout: Duration, effect: Effect) -> Result<Self, StoreError> {
        if Handle::try_current().is_err() {
            return Err(error::outside_of_a_runtime());
        }
        let deadline = Instant::now() + timeout;
        Ok(Self { deadline, effect, repeat: Repeat::Harmless, doubt: Doubt::None })
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the deadline passes within this time.
    pub(crate) fn ends_within(&self, time: Duration) -> bool {
        Instant::now() + time >= self.deadline
    }

    /// Whether an earlier try may have taken effect.
    pub(crate) const fn doubt(&self) -> Doubt {
        self.doubt
    }

    /// What is asked from here on changes nothing. A doubt that there is already stays.
    pub(crate) const fn only_looks(&mut self) {
        (self.effect, self.repeat) = (Effect::Read, Repeat::Harmless);
    }

    /// The write was found in place: whatever fails from here on, it may have taken effect.
    pub(crate) const fn found_own(&mut self) {
        self.doubt = Doubt::EarlierTry;
    }

    /// A try failed that another one may follow, unless this is what the verb answers.
    pub(crate) fn again_after(&mut self, failure: Failure) -> Result<(), StoreError> {
        let is_lost = self.doubts(&failure);
        if is_lost && self.repeat == Repeat::BringsBack { Err(self.failed(failure)) } else { Ok(()) }
    }

    /// What the verb answers when its last try failed. A write that was lost may be looked for.
    pub(crate) fn given_up(&mut self, failure: Failure) -> StoreError {
        self.doubts(&failure);
        self.failed(failure)
    }

    /// Whether a try that failed like that may have taken effect.
    fn doubts(&mut self, failure: &Failure) -> bool {
        let is_lost = self.effect == Effect::Write && matches!(failure, Failure::Lost(_));
        if is_lost {
            self.doubt = Doubt::EarlierTry;
        }
        is_lost
    }

    /// What the verb answers when it failed like that.
    pub(crate) fn failed(&self, failure: Failure) -> StoreError {
        failure.into_store_error(self.effect, self.doubt)
    }

    /// What the verb answers to a reply that is none to its command, as if there were no reply.
    pub(crate) fn nonsense(&self) -> StoreError {
        self.failed(error::nonsense())
    }

    /// The replies, if there are as many as commands were sent and none is an error.
    pub(crate) fn replies<const N: usize>(&self, all: Vec<Value>) -> Result<[Value; N], StoreError> {
        for reply in &all {
            if let Value::ServerError(error) = reply {
                return Err(error::refused(error, self.doubt));
            }
        }
        all.try_into().map_err(|_| self.nonsense())
    }
}
