//! A verb on its way: what all its requests share.

use std::time::Duration;

use cloakroom_core::StoreError;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::error::{self, Doubt, Effect, Failure};

/// A verb on its way: one deadline and one doubt for all its requests and tries.
pub(crate) struct Errand {
    deadline: Instant,
    doubt: Doubt,
}

impl Errand {
    /// A verb that ends after `timeout`, if there is a runtime that can wait.
    pub(crate) fn new(timeout: Duration) -> Result<Self, StoreError> {
        if Handle::try_current().is_err() {
            return Err(error::outside_of_a_runtime());
        }
        Ok(Self { deadline: Instant::now() + timeout, doubt: Doubt::None })
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether an earlier try may have taken effect.
    pub(crate) const fn doubt(&self) -> Doubt {
        self.doubt
    }

    /// A try failed that another one may follow, unless this is what the verb answers: what may have been made is not made
    /// again, which would bring back what somebody has deleted since.
    pub(crate) fn again_after(&mut self, failure: Failure, effect: Effect) -> Result<(), StoreError> {
        let is_lost = self.doubts(&failure, effect);
        if is_lost && effect == Effect::Create { Err(self.failed(failure, effect)) } else { Ok(()) }
    }

    /// What the verb answers when its last try failed. A write that was lost may be looked for.
    pub(crate) fn given_up(&mut self, failure: Failure, effect: Effect) -> StoreError {
        self.doubts(&failure, effect);
        self.failed(failure, effect)
    }

    /// Whether a try that failed like that may have taken effect.
    fn doubts(&mut self, failure: &Failure, effect: Effect) -> bool {
        let is_lost = effect != Effect::Look && matches!(failure, Failure::Lost(_));
        if is_lost {
            self.doubt = Doubt::EarlierTry;
        }
        is_lost
    }

    /// What the verb answers when a look at the key ended in this error.
    pub(crate) fn looked(&self, error: StoreError) -> StoreError {
        match self.doubt {
            Doubt::None => error,
            Doubt::EarlierTry => error::ambiguous().with_source(error),
        }
    }

    /// What the verb answers when it failed like that.
    pub(crate) fn failed(&self, failure: Failure, effect: Effect) -> StoreError {
        failure.into_store_error(effect, self.doubt)
    }
}
