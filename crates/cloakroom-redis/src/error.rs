//! What a failure of Redis means for a session: the only place that decides it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use cloakroom_core::{Error, StoreError, StoreErrorKind};
use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind};

/// Why there is no reply.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// There is no connection: nothing was sent.
    Unreached(RedisError),
    /// The connection broke, perhaps after the request had gone out.
    Lost(RedisError),
    /// The deadline passed before the reply.
    Late,
    /// Nobody was found who could be asked: nothing was sent.
    Nobody { kind: StoreErrorKind, why: &'static str },
}

/// Whether a request leaves something behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only looks.
    Read,
    /// It may change the record.
    Write,
}

/// Whether an earlier try of the same request may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// There was none, or it certainly did not.
    None,
    /// Its reply was lost.
    EarlierTry,
}

impl Failure {
    /// Whether asking again at once is of no use: the server was reached and refuses us.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Unreached(error) => dial_kind(error) == StoreErrorKind::Misconfigured,
            Self::Nobody { kind, .. } => *kind == StoreErrorKind::Misconfigured,
            Self::Lost(_) | Self::Late => false,
        }
    }

    /// The same, where nothing was asked yet but how the server is.
    pub(crate) fn before_any_request(self) -> Self {
        match self {
            Self::Lost(error) => Self::Unreached(error),
            other => other,
        }
    }

    /// What a verb answers that ended like this.
    pub(crate) fn into_store_error(self, effect: Effect, doubt: Doubt) -> StoreError {
        let in_doubt = doubt == Doubt::EarlierTry;
        match self {
            Self::Late => failed(StoreErrorKind::Timeout, None),
            Self::Lost(error) if in_doubt || effect == Effect::Write => {
                failed(StoreErrorKind::Ambiguous, Some(Cause::of(&error)))
            }
            Self::Lost(error) => failed(StoreErrorKind::Unavailable, Some(Cause::of(&error))),
            Self::Unreached(error) if in_doubt => failed(StoreErrorKind::Ambiguous, Some(Cause::of(&error))),
            Self::Unreached(error) => failed(dial_kind(&error), Some(Cause::of(&error))),
            Self::Nobody { why, .. } if in_doubt => {
                failed(StoreErrorKind::Ambiguous, Some(Cause::words(why)))
            }
            Self::Nobody { kind, why } => failed(kind, Some(Cause::words(why))),
        }
    }
}

/// What a verb answers when the server replied with an error.
pub(crate) fn refused(error: &ServerError, doubt: Doubt) -> StoreError {
    let kind = match doubt {
        Doubt::None => reply_kind(error),
        Doubt::EarlierTry => StoreErrorKind::Ambiguous,
    };
    failed(kind, Some(Cause::of_reply(error)))
}

/// What a verb answers that is asked where nothing can be waited for.
pub(crate) fn outside_of_a_runtime() -> StoreError {
    let why = "it was asked outside of a Tokio runtime, where nothing can be waited for";
    failed(StoreErrorKind::Misconfigured, Some(Cause::words(why)))
}

/// What a verb answers that needs a random number and gets none: nothing was sent.
pub(crate) fn no_randomness() -> StoreError {
    failed(StoreErrorKind::Unavailable, Some(Cause::words("the operating system gave no random bytes")))
}

/// What a write answers whose record could not be read again: nothing was sent.
pub(crate) fn too_large() -> StoreError {
    failed(StoreErrorKind::TooLarge, None)
}

/// What a write answers that is in place at the primary, and perhaps nowhere else.
pub(crate) fn too_few_replicas() -> StoreError {
    let why = "the write is in place at the primary, but fewer replicas than `wait` asks for acknowledged it";
    failed(StoreErrorKind::Ambiguous, Some(Cause::words(why)))
}

/// What a write answers that is in place at the primary, which refused to wait for its replicas.
pub(crate) fn not_waited(error: &ServerError) -> StoreError {
    failed(StoreErrorKind::Ambiguous, Some(Cause::of_reply(error)))
}

/// What it means that a server replied with an error before anything was asked of it.
pub(crate) fn unwelcome(error: ServerError) -> Failure {
    Failure::Unreached(error.into())
}

/// Why a connection ends on which something came that is no reply to the command: whatever follows belongs to somebody
/// else.
pub(crate) fn out_of_step() -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, "nonsense"))
}

/// What it means that what came back is no reply to the command. What was asked may have been done.
pub(crate) fn nonsense() -> Failure {
    Failure::Lost(out_of_step())
}

/// What a verb answers when what lies under the key is not one of ours. What is no reply at all is
/// [`nonsense`]: that there is no session, it does not say.
pub(crate) fn corrupt(what: &'static str) -> StoreError {
    failed(StoreErrorKind::Corrupt, Some(Cause::words(what)))
}

/// What a verb answers when its outcome cannot be known: an earlier try may have taken effect, and
/// somebody else's record is there now.
pub(crate) fn ambiguous() -> StoreError {
    failed(StoreErrorKind::Ambiguous, None)
}

/// The error of a start that failed: what no waiting mends is a configuration to correct.
pub(crate) fn at_start(error: StoreError) -> Error {
    if error.kind() != StoreErrorKind::Misconfigured {
        return error.into();
    }
    match error.source() {
        Some(cause) => Error::misconfigured(format!("redis: {cause}")),
        None => Error::misconfigured(error.to_string()),
    }
}

/// Whether this reply says that another connection may do better: the server behind this one was demoted,
/// or has forgotten who we are. The request was not executed.
pub(crate) fn turned_away(error: &ServerError) -> bool {
    error.kind() == Some(ServerErrorKind::ReadOnly) || error.code() == "NOAUTH"
}

fn failed(kind: StoreErrorKind, cause: Option<Cause>) -> StoreError {
    let error = StoreError::new(kind, "redis");
    match cause {
        Some(cause) => error.with_source(cause),
        None => error,
    }
}

/// What an error reply means.
fn reply_kind(error: &ServerError) -> StoreErrorKind {
    match error.kind() {
        Some(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::TryAgain,
        ) => StoreErrorKind::Unavailable,
        Some(
            ServerErrorKind::ReadOnly
            | ServerErrorKind::NoPerm
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::CrossSlot,
        ) => StoreErrorKind::Misconfigured,
        Some(_) => StoreErrorKind::Other,
        // The library has no kind for these.
        None => match error.code() {
            "OOM" => StoreErrorKind::Full,
            "NOAUTH" | "WRONGPASS" | "DENIED" => StoreErrorKind::Misconfigured,
            "BUSY" | "UNKILLABLE" | "NOREPLICAS" | "MISCONF" => StoreErrorKind::Unavailable,
            "WRONGTYPE" => StoreErrorKind::Corrupt,
            _ => StoreErrorKind::Other,
        },
    }
}

/// What it means that no connection came about.
fn dial_kind(error: &RedisError) -> StoreErrorKind {
    match error.kind() {
        // A certificate that is not trusted, or a socket that may not be opened.
        ErrorKind::Io => match io_kind(error) {
            Some(io::ErrorKind::InvalidData | io::ErrorKind::PermissionDenied) => {
                StoreErrorKind::Misconfigured
            }
            _ => StoreErrorKind::Unavailable,
        },
        // Too many clients, loading: what the server itself said to the greeting. Anything else of this
        // kind is the refusal of the database number.
        ErrorKind::Server(_) | ErrorKind::Extension => match ServerError::try_from(error.clone()) {
            Ok(reply) if reply.kind() == Some(ServerErrorKind::ResponseError) => StoreErrorKind::Unavailable,
            Ok(reply) => reply_kind(&reply),
            Err(_) => StoreErrorKind::Misconfigured,
        },
        // It went out of step before it was used.
        ErrorKind::UnexpectedReturnType => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Misconfigured,
    }
}

fn io_kind(error: &RedisError) -> Option<io::ErrorKind> {
    let cause = error.source()?.downcast_ref::<Arc<dyn StdError + Send + Sync>>()?;
    Some(cause.downcast_ref::<io::Error>()?.kind())
}

/// The cause of a failure, in words of our own: a server's text may quote keys and arguments.
struct Cause {
    what: String,
}

impl Cause {
    fn words(what: &str) -> Self {
        Self { what: what.to_owned() }
    }

    fn of(error: &RedisError) -> Self {
        if let Ok(reply) = ServerError::try_from(error.clone()) {
            return Self::of_reply(&reply);
        }
        let what = match error.kind() {
            ErrorKind::Io => match io_kind(error) {
                Some(io::ErrorKind::InvalidData) => format!(
                    "{error}; check the certificate of the server, and give a private authority as `ca=/path.pem`"
                ),
                Some(io::ErrorKind::PermissionDenied) => {
                    format!("{error}; this process may not open the socket")
                }
                _ => error.to_string(),
            },
            ErrorKind::RESP3NotSupported => "the server is older than Redis 6 and speaks no RESP3".to_owned(),
            ErrorKind::AuthenticationFailed => advice("WRONGPASS").to_owned(),
            ErrorKind::UnexpectedReturnType => "what came back is no reply to what was asked".to_owned(),
            ErrorKind::Parse => "what answered does not speak the protocol of Redis".to_owned(),
            ErrorKind::Server(ServerErrorKind::ResponseError) => {
                "the server refuses the number of the database".to_owned()
            }
            _ => error.category().to_owned(),
        };
        Self { what }
    }

    fn of_reply(error: &ServerError) -> Self {
        let code = error.code();
        let printable = code.len() <= 20 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let what = match advice(code) {
            "" if printable => format!("the server answered {code}"),
            "" => "the server answered with an error".to_owned(),
            advice => format!("{advice} ({code})"),
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

/// What to do about an error reply, where that is known.
fn advice(code: &str) -> &'static str {
    match code {
        "WRONGPASS" => "the server refuses the user or the password; check both, percent-encoded, in the URL",
        "NOAUTH" => "the server wants a password; give it in the URL",
        "NOPERM" => "the user lacks a right; grant the commands and keys that the documentation names",
        "DENIED" => "the server is in protected mode; give it a password or bind it to the right address",
        "READONLY" => "the server is a replica; connect to the primary",
        "MOVED" | "ASK" | "CROSSSLOT" => {
            "the server is a node of a cluster; the URL of a cluster begins with redis+cluster://"
        }
        "CLUSTERDOWN" => "a part of the cluster has no primary now",
        "OOM" => "the server is at its `maxmemory`",
        "MISCONF" => "the server cannot write to its disk and refuses changes",
        "NOREPLICAS" => "the server has fewer replicas than `min-replicas-to-write`",
        "LOADING" => "the server is still loading its data",
        "BUSY" => "the server is busy with a script",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
