//! How many replicas must have a write before it counts.

use std::time::Duration;

use cloakroom_core::StoreError;
use redis::Value;

use crate::error::{self, Doubt, Effect};
use crate::word::Word;

/// How many replicas must have a write before it counts, and how long they are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quorum {
    replicas: u8,
    patience: Duration,
}

impl Quorum {
    /// `None` for no replicas: nothing is waited for.
    pub(crate) fn new(replicas: u8, patience: Duration) -> Option<Self> {
        (replicas > 0).then_some(Self { replicas, patience })
    }

    /// Waits until enough replicas have everything that this connection wrote. Zero would wait for ever.
    pub(crate) fn command(self) -> [Word<'static>; 3] {
        let millis = u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX).max(1);
        ["WAIT".into(), u64::from(self.replicas).into(), millis.into()]
    }

    /// Counts the replicas that have everything already.
    pub(crate) fn question() -> [Word<'static>; 3] {
        ["WAIT", "0", "1"].map(Into::into)
    }

    /// Whether the write that was waited behind has reached enough replicas.
    pub(crate) fn judge(self, waited: Option<Value>) -> Result<(), StoreError> {
        match waited {
            Some(Value::Int(count)) if count >= i64::from(self.replicas) => Ok(()),
            Some(Value::Int(_)) => Err(error::too_few_replicas()),
            Some(Value::ServerError(refusal)) => Err(error::not_waited(&refusal)),
            // The write itself was answered.
            _ => Err(error::ambiguous()),
        }
    }

    /// Tells at the start what would fail at every write.
    pub(crate) fn check(self, waited: Value) -> Result<(), StoreError> {
        match waited {
            Value::Int(count) if count < i64::from(self.replicas) => {
                tracing::warn!(
                    target: "cloakroom::redis",
                    replicas = count,
                    wait = self.replicas,
                    "the server has fewer replicas than `wait` asks for: until they are there, \
                     every write fails as one whose outcome is unknown"
                );
                Ok(())
            }
            Value::Int(_) => Ok(()),
            Value::ServerError(refusal) => Err(error::refused(&refusal, Doubt::None)),
            _ => Err(error::nonsense().into_store_error(Effect::Read, Doubt::None)),
        }
    }
}
