//! What is said to a server, and what it may answer.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use cloakroom_core::{StoreError, Version};
use memcache::exp::{
    DeleteOptions, Error as ClientError, GetOptions, MetaCommand, MetaCommandResult, ReturnCode, SetMode,
    SetOptions, build_delete, build_get, build_set,
};

use crate::error::{self, Cause, Effect, Failure, Refusal};

/// A command with an opaque token of its own, which the reply must bear.
///
/// Without it, a reply that something between here and the server sent twice would answer the next request.
#[derive(Debug)]
pub(crate) struct Request {
    command: MetaCommand,
    opaque: Vec<u8>,
    effect: Effect,
    explicit: bool,
}

/// What a server keeps beside the value.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) value: Vec<u8>,
    /// The number that the server compares.
    pub(crate) cas: NonZeroU64,
    /// How many ticks the item has left; negative where it does not expire.
    pub(crate) ticks: i64,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is in place, under this number if the server told it.
    Stored(Option<u64>),
    /// Another one is in place.
    Exists,
    /// There was none to replace.
    Absent,
    /// The server does not take the number that we chose. Nothing was written.
    ChoiceRefused,
}

/// A reply to this very request.
#[derive(Debug)]
pub(crate) enum Reply {
    Meta(Box<MetaCommandResult>),
    /// The request chose a number, and the server rejects that.
    ChoiceRefused,
}

impl Request {
    /// Reads value, number and ticks.
    pub(crate) fn look(name: &str) -> Result<Self, StoreError> {
        let opaque = next_opaque();
        let mut options = GetOptions::default();
        options.value = true;
        options.return_cas = true;
        options.return_ttl = true;
        options.opaque = Some(opaque.clone());
        let command = build_get(name, &options).map_err(error::unusable)?;
        Ok(Self { command, opaque, effect: Effect::Look, explicit: false })
    }

    /// Stores a value where there is none.
    pub(crate) fn add(
        name: &str,
        value: Vec<u8>,
        expiry: u32,
        choice: Option<Version>,
    ) -> Result<Self, StoreError> {
        let mut options = SetOptions::default();
        options.mode = SetMode::Add;
        Self::store(name, value, expiry, choice, options, Effect::Create)
    }

    /// Stores a value in place of the one with the number `cas`.
    pub(crate) fn swap(
        name: &str,
        cas: NonZeroU64,
        value: Vec<u8>,
        expiry: u32,
        choice: Option<Version>,
    ) -> Result<Self, StoreError> {
        let mut options = SetOptions::default();
        options.compare_cas = Some(cas.get());
        Self::store(name, value, expiry, choice, options, Effect::Change)
    }

    fn store(
        name: &str,
        value: Vec<u8>,
        expiry: u32,
        choice: Option<Version>,
        mut options: SetOptions,
        effect: Effect,
    ) -> Result<Self, StoreError> {
        let opaque = next_opaque();
        options.ttl = Some(expiry);
        options.new_cas = choice.map(Version::get);
        options.return_cas = choice.is_some();
        options.opaque = Some(opaque.clone());
        let command = build_set(name, value, &options).map_err(error::unusable)?;
        Ok(Self { command, opaque, effect, explicit: choice.is_some() })
    }

    /// Removes whatever lies there.
    pub(crate) fn delete(name: &str) -> Result<Self, StoreError> {
        let opaque = next_opaque();
        let mut options = DeleteOptions::default();
        options.opaque = Some(opaque.clone());
        let command = build_delete(name, &options).map_err(error::unusable)?;
        Ok(Self { command, opaque, effect: Effect::Change, explicit: false })
    }

    pub(crate) const fn command(&self) -> &MetaCommand {
        &self.command
    }

    pub(crate) const fn effect(&self) -> Effect {
        self.effect
    }

    /// The reply that was received, if it is one to this request.
    pub(crate) fn reply(&self, received: Result<MetaCommandResult, ClientError>) -> Result<Reply, Failure> {
        match received {
            Ok(reply) if reply.opaque.as_ref() == Some(&self.opaque) => Ok(Reply::Meta(Box::new(reply))),
            Ok(_) => Err(Failure::Lost(Cause::said("what answered is no reply to what was asked"))),
            Err(error) => match Refusal::of(&error) {
                Some(Refusal::Rejected) if self.explicit => Ok(Reply::ChoiceRefused),
                Some(refusal) => Err(Failure::Refused(refusal)),
                None => Err(Failure::Lost(Cause::of(&error))),
            },
        }
    }
}

impl Reply {
    /// The answer to [`Request::look`].
    pub(crate) fn found(self) -> Result<Option<Found>, StoreError> {
        match self {
            Self::Meta(reply) if reply.rc == ReturnCode::En => Ok(None),
            Self::Meta(reply) if reply.rc == ReturnCode::Va => match (reply.value, reply.cas, reply.ttl) {
                (Some(value), Some(cas), Some(ticks)) => match NonZeroU64::new(cas) {
                    Some(cas) => Ok(Some(Found { value, cas, ticks })),
                    // A server that is told to compare nothing overwrites.
                    None => Err(error::no_cas()),
                },
                _ => Err(error::unanswered("the reply to mg lacks what was asked for")),
            },
            _ => Err(error::unanswered("the reply to mg is neither a value nor a miss")),
        }
    }

    /// The answer to [`Request::add`] and [`Request::swap`].
    pub(crate) fn written(self) -> Result<Written, StoreError> {
        match self {
            Self::ChoiceRefused => Ok(Written::ChoiceRefused),
            Self::Meta(reply) => match reply.rc {
                ReturnCode::Hd => Ok(Written::Stored(reply.cas)),
                ReturnCode::Ns | ReturnCode::Ex => Ok(Written::Exists),
                ReturnCode::Nf => Ok(Written::Absent),
                _ => Err(error::untold("the reply to ms says nothing of what was stored")),
            },
        }
    }

    /// The answer to [`Request::delete`]: whether there was something.
    pub(crate) fn deleted(self) -> Result<bool, StoreError> {
        match self {
            Self::Meta(reply) if reply.rc == ReturnCode::Hd => Ok(true),
            Self::Meta(reply) if reply.rc == ReturnCode::Nf => Ok(false),
            _ => Err(error::untold("the reply to md says nothing of what was deleted")),
        }
    }
}

/// A token that no other request of this process bears.
fn next_opaque() -> Vec<u8> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string().into_bytes()
}

#[cfg(test)]
mod tests;
