//! A verb on its way: what all its statements and tries share.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use cloakroom_core::StoreError;
use tokio::time::Instant;

use crate::error::{Doubt, Effect, Failure, Remedy};

/// How often a statement is tried again on another connection.
const OTHER_CONNECTIONS: u32 = 3;

/// How often a statement is tried again that collided with another one.
const COLLISIONS: u32 = 12;

/// A verb on its way: one deadline and one doubt for all its statements and tries.
pub(crate) struct Errand {
    name: &'static str,
    deadline: Instant,
    effect: Effect,
    repeat: Repeat,
    doubt: Doubt,
    connections: u32,
    collisions: u32,
}

/// Whether a change whose answer was lost may be put again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Harmless,
    /// It would bring back what somebody has deleted since.
    BringsBack,
}

impl Errand {
    /// A verb that only looks, of the store called `name`.
    pub(crate) fn read(name: &'static str, timeout: Duration) -> Self {
        Self {
            name,
            deadline: Instant::now() + timeout,
            effect: Effect::Read,
            repeat: Repeat::Harmless,
            doubt: Doubt::None,
            connections: 0,
            collisions: 0,
        }
    }

    /// A verb that may change the record.
    pub(crate) fn write(name: &'static str, timeout: Duration) -> Self {
        Self { effect: Effect::Write, ..Self::read(name, timeout) }
    }

    /// A verb that makes the record, and had better not do so twice.
    pub(crate) fn creation(name: &'static str, timeout: Duration) -> Self {
        Self { repeat: Repeat::BringsBack, ..Self::write(name, timeout) }
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) const fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether an earlier try may have taken effect.
    pub(crate) const fn doubt(&self) -> Doubt {
        self.doubt
    }

    /// The next statement changes nothing. A doubt that there is already stays.
    pub(crate) const fn only_looks(&mut self) {
        self.effect = Effect::Read;
    }

    /// The next statement may change the record.
    pub(crate) const fn changes(&mut self) {
        self.effect = Effect::Write;
    }

    /// After a try that failed: how long to wait before the next one, or what the verb answers.
    pub(crate) fn after(&mut self, failure: Failure) -> Result<Duration, StoreError> {
        if self.effect == Effect::Write && failure.may_have_taken_effect() {
            self.doubt = Doubt::EarlierTry;
            if self.repeat == Repeat::BringsBack {
                return Err(self.failed(failure));
            }
        }
        let pause = match failure.remedy() {
            Remedy::None => return Err(self.failed(failure)),
            Remedy::OtherConnection if self.connections < OTHER_CONNECTIONS => {
                self.connections += 1;
                // At once at first: only this connection may be broken. Then the server is likely to come back.
                jittered(Duration::from_millis(25) * (self.connections - 1))
            }
            Remedy::SameAgain if self.collisions < COLLISIONS => {
                self.collisions += 1;
                jittered(Duration::from_millis(2) * 2_u32.pow(self.collisions.min(6)))
            }
            Remedy::OtherConnection | Remedy::SameAgain => return Err(self.failed(failure)),
        };
        if Instant::now() + pause >= self.deadline {
            return Err(self.failed(failure));
        }
        Ok(pause)
    }

    fn failed(&self, failure: Failure) -> StoreError {
        failure.into_store_error(self.name, self.effect, self.doubt)
    }
}

/// Somewhere between one half and one and a half of `time`, so that those who collided do not meet again.
pub(crate) fn jittered(time: Duration) -> Duration {
    // Each state is seeded anew; nothing here needs to be unguessable.
    let percent = RandomState::new().hash_one(0) % 100 + 50;
    time * u32::try_from(percent).unwrap_or(100) / 100
}

#[cfg(test)]
mod tests;
