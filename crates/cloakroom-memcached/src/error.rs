//! What a failure of Memcached means for a session: the only place that decides it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use cloakroom_core::{Error, StoreError, StoreErrorKind};
use memcache::exp::Error as ClientError;

/// Why there is no reply that counts.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The request did not go out whole: the server has not executed it.
    Unreached(Cause),
    /// The request went out, and what came back is no reply to it.
    Lost(Cause),
    /// The request went out, and the deadline passed before the reply.
    Late,
    /// The server answered with an error.
    Refused(Refusal),
    /// The server cannot be used as it is; nothing that changes anything was sent.
    Unfit(Cause),
}

/// What a server said instead of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no memory for the item; what lay under its key was removed.
    Full,
    /// The item is larger than the server takes; what lay under its key was removed.
    TooLarge,
    /// It failed inside, or a proxy did not reach it.
    Internal,
    /// It takes nobody without a user and a password.
    Unauthenticated,
    /// It does not understand the request.
    Rejected,
    /// It has too many connections, or does not know the command; it cannot be told which.
    Unknown,
}

/// What a request leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it only looks.
    Look,
    /// A record where there was none.
    Create,
    /// Another record in place of the one there is, or none.
    Change,
}

/// Whether an earlier try of the same verb may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// There was none, or it certainly did not.
    None,
    /// Its reply was lost.
    EarlierTry,
}

impl Refusal {
    /// Reads what the client library made of an error line; `None` for anything else.
    pub(crate) fn of(error: &ClientError) -> Option<Self> {
        match error {
            ClientError::Server(text) => Some(Self::of_server(text)),
            ClientError::Rejected(text) => Some(Self::of_rejected(text)),
            _ => None,
        }
    }

    fn of_server(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        if text.starts_with("out of memory") {
            Self::Full
        } else if text.contains("too large") {
            Self::TooLarge
        } else {
            Self::Internal
        }
    }

    fn of_rejected(text: &str) -> Self {
        match text.to_ascii_lowercase() {
            text if text.contains("authenticat") => Self::Unauthenticated,
            // The library leaves nothing else of a line that begins with it.
            text if text == "error" => Self::Unknown,
            _ => Self::Rejected,
        }
    }

    const fn kind(self, effect: Effect) -> StoreErrorKind {
        match (self, effect) {
            (Self::Full, Effect::Create | Effect::Change) => StoreErrorKind::Full,
            (Self::TooLarge, Effect::Create) => StoreErrorKind::TooLarge,
            // The old record is gone, which `TooLarge` denies.
            (Self::TooLarge, Effect::Change) => StoreErrorKind::Other,
            (Self::Internal, Effect::Create | Effect::Change) => StoreErrorKind::Ambiguous,
            (Self::Full | Self::TooLarge | Self::Internal, Effect::Look) | (Self::Unknown, _) => {
                StoreErrorKind::Unavailable
            }
            (Self::Unauthenticated | Self::Rejected, _) => StoreErrorKind::Misconfigured,
        }
    }

    /// In words of our own: those of a server may quote keys.
    pub(crate) const fn cause(self) -> Cause {
        Cause::said(match self {
            Self::Full => "the server has no memory for the item, and has removed what lay under its key",
            Self::TooLarge => {
                "the server takes smaller items than it told, and has removed what lay under the key; give it the same -I at every start"
            }
            Self::Internal => "the server answered SERVER_ERROR",
            Self::Unauthenticated => {
                "the server wants a user and a password, which the client library cannot give; let only this service reach it instead"
            }
            Self::Rejected => "the server answered CLIENT_ERROR",
            Self::Unknown => "the server has too many connections, or is older than Memcached 1.6.18",
        })
    }
}

impl Failure {
    /// What a verb answers that ended like this.
    pub(crate) fn into_store_error(self, effect: Effect, doubt: Doubt) -> StoreError {
        let in_doubt = doubt == Doubt::EarlierTry;
        let writes = effect != Effect::Look;
        match self {
            Self::Late => failed(StoreErrorKind::Timeout, None),
            Self::Unreached(cause) | Self::Unfit(cause) if in_doubt => {
                failed(StoreErrorKind::Ambiguous, Some(cause))
            }
            Self::Unreached(cause) => failed(StoreErrorKind::Unavailable, Some(cause)),
            Self::Unfit(cause) => failed(StoreErrorKind::Misconfigured, Some(cause)),
            Self::Lost(cause) if in_doubt || writes => failed(StoreErrorKind::Ambiguous, Some(cause)),
            Self::Lost(cause) => failed(StoreErrorKind::Unavailable, Some(cause)),
            Self::Refused(refusal) if in_doubt => failed(StoreErrorKind::Ambiguous, Some(refusal.cause())),
            Self::Refused(refusal) => failed(refusal.kind(effect), Some(refusal.cause())),
        }
    }
}

/// What a verb answers when a look at the key brought a reply that says nothing. Whether there is a record is not
/// known, so this must not be read as if there were none.
pub(crate) fn unanswered(what: &'static str) -> StoreError {
    failed(StoreErrorKind::Unavailable, Some(Cause::said(what)))
}

/// What a verb answers when what lies under the key has not the form that it must have.
pub(crate) fn corrupt(what: &'static str) -> StoreError {
    failed(StoreErrorKind::Corrupt, Some(Cause::said(what)))
}

/// What a verb answers when it may have written, and what came back does not tell.
pub(crate) fn untold(what: &'static str) -> StoreError {
    failed(StoreErrorKind::Ambiguous, Some(Cause::said(what)))
}

/// What a verb answers when its outcome cannot be known: an earlier try may have taken effect, and
/// somebody else's record is there now.
pub(crate) fn ambiguous() -> StoreError {
    failed(StoreErrorKind::Ambiguous, None)
}

/// What a verb answers before anything is sent that would not fit.
pub(crate) fn too_large() -> StoreError {
    failed(StoreErrorKind::TooLarge, None)
}

/// What a verb answers that is asked where nothing can be waited for.
pub(crate) fn outside_of_a_runtime() -> StoreError {
    let why = "it was asked outside of a Tokio runtime, where nothing can be waited for";
    failed(StoreErrorKind::Misconfigured, Some(Cause::said(why)))
}

/// What a verb answers when the server compares no versions.
pub(crate) fn no_cas() -> StoreError {
    failed(StoreErrorKind::Misconfigured, Some(NO_CAS))
}

/// What a verb answers to a request that the client library does not send.
pub(crate) fn unusable(_: ClientError) -> StoreError {
    failed(StoreErrorKind::Other, Some(Cause::said("the client library refuses the request")))
}

/// The error of a start that failed: what no waiting mends is a configuration to correct.
pub(crate) fn at_start(error: StoreError) -> Error {
    if error.kind() != StoreErrorKind::Misconfigured {
        return error.into();
    }
    match error.source() {
        Some(cause) => Error::misconfigured(format!("memcached: {cause}")),
        None => Error::misconfigured(error.to_string()),
    }
}

fn failed(kind: StoreErrorKind, cause: Option<Cause>) -> StoreError {
    let error = StoreError::new(kind, "memcached");
    match cause {
        Some(cause) => error.with_source(cause),
        None => error,
    }
}

pub(crate) const NO_CAS: Cause = Cause::said(
    "the server was started with -C, which takes away compare-and-set; start it without, or sessions would overwrite each other",
);

/// The cause of a failure, in words that hold no key.
#[derive(Clone)]
pub(crate) enum Cause {
    /// What the system says of a connection.
    Io(io::ErrorKind),
    /// A sentence of ours.
    Said(&'static str),
}

impl Cause {
    pub(crate) const fn said(what: &'static str) -> Self {
        Self::Said(what)
    }

    /// The cause that the client library tells, without the key that its own words hold.
    pub(crate) fn of(error: &ClientError) -> Self {
        match error {
            ClientError::Io(error) => Self::Io(error.kind()),
            ClientError::Protocol(_) => {
                Self::said("what answered does not speak the meta protocol of Memcached")
            }
            _ => Self::said("the client library failed"),
        }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "{kind}"),
            Self::Said(what) => f.write_str(what),
        }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Cause {}

#[cfg(test)]
mod tests;
