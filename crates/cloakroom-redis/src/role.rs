//! Whether the server at the one place of a URL is a primary.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom_core::StoreErrorKind;
use redis::{FromRedisValue as _, Value};
use tokio::time::timeout;

use crate::dial::broken;
use crate::error::Failure;
use crate::form;
use crate::request::Packed;
use crate::wire::Wire;

#[cfg(test)]
mod tests;

/// What is known of the server at a place. A clone knows the same.
#[derive(Clone, Default)]
pub(crate) struct Role {
    /// Whether it was a primary when it was dialled, at least once.
    was_primary: Arc<AtomicBool>,
}

/// What a server says that it is.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Primary,
    /// A replica. What it would be asked for may be old, and what it may be told to take is gone when it next hears
    /// all from its primary.
    Replica,
    /// It does not say.
    Nothing,
}

impl Role {
    /// Asks the server at the other end of a new connection, and wants no replica.
    pub(crate) async fn ask(&self, wire: &Wire, patience: Duration) -> Result<(), Failure> {
        let question = Arc::new(Packed::one(form::text, ["INFO", "replication"].map(Into::into)));
        let reply = timeout(patience, wire.ask(&question)).await;
        let mut replies = reply
            .map_err(|_| Failure::Unreached(broken(io::ErrorKind::TimedOut)))?
            .map_err(Failure::before_any_request)?;
        match Told::read(replies.pop().unwrap_or_default()) {
            Told::Primary => self.was_primary.store(true, Ordering::Relaxed),
            Told::Replica => return Err(self.is_replica()),
            Told::Nothing => {}
        }
        Ok(())
    }

    /// Whether it was a primary once.
    pub(crate) fn was_primary(&self) -> bool {
        self.was_primary.load(Ordering::Relaxed)
    }

    /// What it means that it is a replica: that it was replaced, if it was a primary once.
    fn is_replica(&self) -> Failure {
        if self.was_primary() {
            return replaced();
        }
        let why = "the server is a replica; connect to the primary";
        Failure::Nobody { kind: StoreErrorKind::Misconfigured, why }
    }
}

/// What it means that a primary has become a replica: whoever moves the address, or names the primary, is not done yet.
pub(crate) const fn replaced() -> Failure {
    let why = "the server was a primary and is a replica now";
    Failure::Nobody { kind: StoreErrorKind::Unavailable, why }
}

impl Told {
    fn read(reply: Value) -> Self {
        // Who may not ask, or asks what is none, goes on without.
        let text = String::from_redis_value(reply).unwrap_or_default();
        let says = |line: &str| text.lines().any(|said| said.trim_end() == line);
        if says("role:master") {
            Self::Primary
        } else if says("role:slave") {
            Self::Replica
        } else {
            Self::Nothing
        }
    }
}
