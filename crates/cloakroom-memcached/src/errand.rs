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

    /// A try failed, and another one follows.
    pub(crate) fn remember(&mut self, failure: &Failure, effect: Effect) {
        if effect != Effect::Look && matches!(failure, Failure::Lost(_)) {
            self.doubt = Doubt::EarlierTry;
        }
    }

    /// What the verb answers when a look at the key ended in this error.
    pub(crate) fn looked(&self, error: StoreError) -> StoreError {
        match self.doubt {
            Doubt::None => error,
            Doubt::EarlierTry => error::ambiguous().with_source(error),
        }
    }

    /// What the verb answers when its last try failed.
    pub(crate) fn failed(&self, failure: Failure, effect: Effect) -> StoreError {
        failure.into_store_error(effect, self.doubt)
    }
}
