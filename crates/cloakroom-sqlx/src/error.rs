//! What a failure of a database means for a session: the only place that decides it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use cloakroom_core::{Error, StoreError, StoreErrorKind};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no connection: nothing was sent.
    Unreached(Refusal),
    /// The connection broke, perhaps after the statement had gone out.
    Lost(Cause),
    /// The deadline passed before the answer.
    Late,
    /// The database answered that it does not do it. It took no effect.
    Refused(Refusal),
}

/// Whether a statement leaves something behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only looks.
    Read,
    /// It may change the record.
    Write,
}

/// Whether an earlier try of the same verb may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// There was none, or it certainly did not.
    None,
    /// Its answer was lost.
    EarlierTry,
}

/// What helps after a try that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing does.
    None,
    /// The same again: it collided with another statement.
    SameAgain,
    /// The same on another connection.
    OtherConnection,
}

/// What the database says, in words of ours.
#[derive(Debug)]
pub(crate) struct Refusal {
    kind: StoreErrorKind,
    remedy: Remedy,
    cause: Cause,
}

/// What an error code means.
#[allow(unnameable_types, reason = "a part of the seal of `Dialect`")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// This kind of error, and nothing helps.
    Is(StoreErrorKind),
    /// It collided with another statement, and was rolled back.
    Collided,
    /// The connection is about to end; the statement may have been executed.
    Ends,
    /// This connection is of no use, another one may be.
    NotHere(StoreErrorKind),
}

impl Failure {
    /// What the database answered with an error of this meaning.
    pub(crate) fn said(meaning: Meaning, code: &str, advice: &'static str) -> Self {
        let cause = Cause::of_code(code, advice);
        let (kind, remedy) = match meaning {
            Meaning::Is(kind) => (kind, Remedy::None),
            Meaning::Collided => (StoreErrorKind::Unavailable, Remedy::SameAgain),
            Meaning::NotHere(kind) => (kind, Remedy::OtherConnection),
            Meaning::Ends => return Self::Lost(cause),
        };
        Self::Refused(Refusal { kind, remedy, cause })
    }

    /// The same before any statement was sent.
    pub(crate) fn before_anything_was_sent(self) -> Self {
        match self {
            Self::Refused(refusal) => Self::Unreached(refusal),
            Self::Lost(cause) => Self::Unreached(Refusal {
                kind: StoreErrorKind::Unavailable,
                remedy: Remedy::OtherConnection,
                cause,
            }),
            other => other,
        }
    }

    /// No connection came about, for a reason that no server gave.
    pub(crate) fn unreached(error: &sqlx::Error) -> Self {
        use StoreErrorKind::{Misconfigured, Unavailable};
        let (kind, remedy, what) = match error {
            sqlx::Error::PoolTimedOut => (
                Unavailable,
                Remedy::None,
                "no connection in time: the server does not answer, or all connections are in use".to_owned(),
            ),
            sqlx::Error::PoolClosed => (Unavailable, Remedy::None, "the pool is closed".to_owned()),
            sqlx::Error::Tls(_) => (Misconfigured, Remedy::None, TLS.to_owned()),
            sqlx::Error::Configuration(_) => {
                (Misconfigured, Remedy::None, "the client library refuses the configuration".to_owned())
            }
            sqlx::Error::Io(error) => match error.kind() {
                // How rustls says that a certificate is not trusted.
                io::ErrorKind::InvalidData => (Misconfigured, Remedy::None, TLS.to_owned()),
                io::ErrorKind::PermissionDenied => (
                    Misconfigured,
                    Remedy::None,
                    "this process may not open the socket or the file".to_owned(),
                ),
                _ if has_no_descriptor_left(error) => {
                    (Unavailable, Remedy::OtherConnection, NO_DESCRIPTOR.to_owned())
                }
                kind => (Unavailable, Remedy::OtherConnection, kind.to_string()),
            },
            sqlx::Error::Protocol(_) => (
                Misconfigured,
                Remedy::None,
                "what answered does not speak the protocol, or wants a way to log in that there is not"
                    .to_owned(),
            ),
            _ => (Unavailable, Remedy::None, "the client library failed".to_owned()),
        };
        Self::Unreached(Refusal { kind, remedy, cause: Cause { what } })
    }

    /// The connection came about, and then an answer did not, for a reason that no server gave.
    pub(crate) fn broken(error: &sqlx::Error) -> Self {
        // Not `Corrupt`: that is a record of which nothing is left but itself, and this concerns all of them.
        let another_table = || {
            let cause = Cause { what: "a column has not the type of the schema".to_owned() };
            Self::Refused(Refusal { kind: StoreErrorKind::Misconfigured, remedy: Remedy::None, cause })
        };
        match error {
            sqlx::Error::Io(error) => Self::Lost(Cause { what: error.kind().to_string() }),
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::TypeNotFound { .. } => another_table(),
            _ => Self::Lost(Cause { what: "the connection is out of step".to_owned() }),
        }
    }

    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Unreached(refusal) | Self::Refused(refusal) => refusal.remedy,
            Self::Lost(_) => Remedy::OtherConnection,
            Self::Late => Remedy::None,
        }
    }

    pub(crate) const fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::Lost(_))
    }

    /// Whether the connection is not to be used again.
    pub(crate) fn spoils_the_connection(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.remedy == Remedy::OtherConnection,
            Self::Unreached(_) | Self::Lost(_) | Self::Late => true,
        }
    }

    /// What a verb answers that ended like this.
    pub(crate) fn into_store_error(self, store: &'static str, effect: Effect, doubt: Doubt) -> StoreError {
        let in_doubt = doubt == Doubt::EarlierTry;
        match self {
            Self::Late => StoreError::new(StoreErrorKind::Timeout, store),
            Self::Lost(cause) if in_doubt || effect == Effect::Write => {
                StoreError::new(StoreErrorKind::Ambiguous, store).with_source(cause)
            }
            Self::Lost(cause) => StoreError::new(StoreErrorKind::Unavailable, store).with_source(cause),
            Self::Unreached(refusal) | Self::Refused(refusal) => {
                let kind = if in_doubt { StoreErrorKind::Ambiguous } else { refusal.kind };
                StoreError::new(kind, store).with_source(refusal.cause)
            }
        }
    }
}

/// What a verb answers when what lies in a row is no record.
pub(crate) fn corrupt(store: &'static str, what: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, store).with_source(Cause { what: what.to_owned() })
}

/// What a verb answers when the list that it would have to write is too long.
pub(crate) fn too_large(store: &'static str, what: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::TooLarge, store).with_source(Cause { what: what.to_owned() })
}

/// What a verb answers when its outcome cannot be known: an earlier try may have taken effect, and
/// somebody else's record is there now.
pub(crate) fn ambiguous(store: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Ambiguous, store)
}

/// What a verb answers that is asked where nothing can be waited for.
pub(crate) fn outside_of_a_runtime(store: &'static str) -> StoreError {
    let what = "it was asked outside of a Tokio runtime, where nothing can be waited for".to_owned();
    StoreError::new(StoreErrorKind::Misconfigured, store).with_source(Cause { what })
}

/// The error of a start that failed: what no waiting mends is a configuration to correct.
pub(crate) fn at_start(error: StoreError) -> Error {
    if error.kind() != StoreErrorKind::Misconfigured {
        return error.into();
    }
    match error.source() {
        Some(cause) => Error::misconfigured(format!("{}: {cause}", error.store())),
        None => Error::misconfigured(error.to_string()),
    }
}

const TLS: &str = "the server speaks no TLS, or its certificate is not trusted; check it, and name a private authority in the URL";

pub(crate) const NO_DESCRIPTOR: &str = "this process may open no more files; raise its limit";

/// Whether a file could not be opened because there are too many, of this process or of the system.
pub(crate) fn has_no_descriptor_left(error: &io::Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    cfg!(unix) && matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// The cause of a failure, in words of our own: a server's text may quote keys and values.
pub(crate) struct Cause {
    what: String,
}

impl Cause {
    fn of_code(code: &str, advice: &'static str) -> Self {
        let printable =
            (1..=10).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let what = match advice {
            "" if printable => format!("the database answered with error {code}"),
            "" => "the database answered with an error".to_owned(),
            advice if printable => format!("{advice} (error {code})"),
            advice => advice.to_owned(),
        };
        Self { what }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Cause {}

#[cfg(test)]
mod tests;
