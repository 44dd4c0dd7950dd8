//! Why something that a session was asked for did not happen.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::store_error::{StoreError, StoreErrorKind};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something that a session was asked for did not happen.
///
/// Cheap to clone. `Display` says only its own part; the cause is in [`source`](StdError::source). Neither
/// holds a session id, a value or a secret.
///
/// ```
/// use cloakroom_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Ended);
/// assert_eq!(error.status(), 409);
/// assert_eq!(error.public_message(), "session ended");
/// ```
#[derive(Clone, Debug)]
pub struct Error(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    detail: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync + 'static>>,
}

impl Error {
    /// An error of this kind.
    #[must_use]
    pub fn new(kind: ErrorKind) -> Self {
        Self(Arc::new(Inner { kind, detail: None, source: None }))
    }

    /// An error of this kind whose message is `detail`, which holds no secret.
    pub(crate) fn with_detail(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, detail: Some(detail.into()), source: None }))
    }

    /// A configuration that is refused, in a sentence that says what to do.
    #[must_use]
    pub fn misconfigured(what_to_do: impl Into<String>) -> Self {
        Self::with_detail(ErrorKind::Misconfigured, what_to_do)
    }

    fn with_source(kind: ErrorKind, source: impl Into<Box<dyn StdError + Send + Sync + 'static>>) -> Self {
        Self(Arc::new(Inner { kind, detail: None, source: Some(source.into()) }))
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Contention | ErrorKind::OutcomeUnknown
        )
    }

    /// The HTTP status that tells a client.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.0.kind {
            ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::Contention
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Full => 503,
            ErrorKind::CrossSite | ErrorKind::StaleForm => 403,
            ErrorKind::Ended | ErrorKind::LimitReached => 409,
            ErrorKind::Malformed => 400,
            ErrorKind::TooLarge => 413,
            ErrorKind::Unsupported => 501,
            ErrorKind::Committed
            | ErrorKind::LoggedOut
            | ErrorKind::Detached
            | ErrorKind::Value
            | ErrorKind::Misconfigured
            | ErrorKind::Other => 500,
        }
    }

    /// The text that tells a client: fixed for each kind, with no detail.
    #[must_use]
    pub fn public_message(&self) -> &'static str {
        match self.status() {
            409 if self.0.kind == ErrorKind::LimitReached => "too many sessions",
            503 => "session store unavailable",
            403 if self.0.kind == ErrorKind::StaleForm => "form out of date: load the page again",
            403 => "cross-site request refused",
            409 => "session ended",
            400 => "not a session handle",
            413 => "session too large",
            501 => "not supported by the session store",
            _ => "internal server error",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(detail) = &self.0.detail {
            return f.write_str(detail);
        }
        f.write_str(match self.0.kind {
            ErrorKind::Unavailable => "the session store cannot be used now",
            ErrorKind::Timeout => "the deadline of the session passed",
            ErrorKind::Contention => "too many requests change this session at once",
            ErrorKind::OutcomeUnknown => "the change may or may not have been stored",
            ErrorKind::Ended => "the session has ended or was rotated by another request",
            ErrorKind::Committed => {
                "the session of this request is already committed; use `detached()` in long-lived handlers"
            }
            ErrorKind::LoggedOut => "the session was logged out in this request",
            ErrorKind::Detached => "a detached session cannot be created, rotated or authenticated",
            ErrorKind::Value => "the value cannot be encoded or does not have this type",
            ErrorKind::TooLarge => "the session or one of its values is too large",
            ErrorKind::Full => "the session store has no room for a new session",
            ErrorKind::LimitReached => "the principal has as many sessions as there may be",
            ErrorKind::CrossSite => "the request does not come from a page of the application",
            ErrorKind::StaleForm => "the token of the form is not one of this session now",
            ErrorKind::Unsupported => "the session store cannot do this",
            ErrorKind::Malformed => "the text is not a session handle",
            ErrorKind::Misconfigured => "the sessions are misconfigured",
            ErrorKind::Other => "the session failed",
        })
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match error.kind() {
            StoreErrorKind::Unavailable => ErrorKind::Unavailable,
            StoreErrorKind::Timeout => ErrorKind::Timeout,
            StoreErrorKind::Ambiguous => ErrorKind::OutcomeUnknown,
            StoreErrorKind::TooLarge => ErrorKind::TooLarge,
            StoreErrorKind::Full => ErrorKind::Full,
            StoreErrorKind::Corrupt | StoreErrorKind::Misconfigured | StoreErrorKind::Other => {
                ErrorKind::Unavailable
            }
        };
        Self::with_source(kind, error)
    }
}

impl From<cloakroom_codec::Error> for Error {
    fn from(error: cloakroom_codec::Error) -> Self {
        let kind = match error.kind() {
            cloakroom_codec::ErrorKind::Value => ErrorKind::Value,
            cloakroom_codec::ErrorKind::TooLarge => ErrorKind::TooLarge,
            cloakroom_codec::ErrorKind::Config => ErrorKind::Misconfigured,
            _ => ErrorKind::Other,
        };
        Self::with_source(kind, error)
    }
}

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store cannot be reached or refuses to serve. Never "no such session".
    Unavailable,
    /// The deadline of a load or a commit passed.
    Timeout,
    /// Other requests kept changing the session until the deadline.
    Contention,
    /// A reply was lost, and the change may or may not be stored.
    OutcomeUnknown,
    /// The session was logged out, revoked or rotated while this request ran; nothing was written.
    Ended,
    /// A write after the response began.
    Committed,
    /// A write after the session ended in the same request: by `logout()`, `end()` or `verify_fingerprint()`.
    LoggedOut,
    /// Something that a detached session cannot do.
    Detached,
    /// A value that cannot be encoded, is nested too deeply, or does not have the type asked for.
    Value,
    /// A key, a value or the whole session is larger than its limit; nothing was stored.
    TooLarge,
    /// The store has no room for a new session.
    Full,
    /// The principal has as many sessions as there may be (`SessionLimit::Refuse`); the login was not stored.
    LimitReached,
    /// A request that another site may have made (`CsrfPolicy`); nothing was done.
    CrossSite,
    /// A form without a token of its session: from before a login or a logout in another tab, or forged; nothing
    /// was done.
    StaleForm,
    /// The store has no index of principals, or another ability that was asked for.
    Unsupported,
    /// A text that is not a public handle.
    Malformed,
    /// A configuration that contradicts itself.
    Misconfigured,
    /// Anything else.
    Other,
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::{Error, ErrorKind};
    use crate::store_error::{StoreError, StoreErrorKind};

    #[test]
    fn clients_learn_a_status_and_its_text() {
        for (kind, status, text) in [
            (ErrorKind::Timeout, 503, "session store unavailable"),
            (ErrorKind::Ended, 409, "session ended"),
            (ErrorKind::LimitReached, 409, "too many sessions"),
            (ErrorKind::CrossSite, 403, "cross-site request refused"),
            (ErrorKind::StaleForm, 403, "form out of date: load the page again"),
            (ErrorKind::TooLarge, 413, "session too large"),
            (ErrorKind::Malformed, 400, "not a session handle"),
            (ErrorKind::Unsupported, 501, "not supported by the session store"),
            (ErrorKind::Value, 500, "internal server error"),
        ] {
            let error = Error::new(kind);
            assert_eq!((error.status(), error.public_message()), (status, text), "{kind:?}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_transient() {
        assert!(Error::new(ErrorKind::Contention).is_transient());
        for kind in [ErrorKind::Ended, ErrorKind::Full, ErrorKind::Value, ErrorKind::Misconfigured] {
            assert!(!Error::new(kind).is_transient(), "{kind:?}");
        }
    }

    #[test]
    fn error_of_a_store_is_the_source() {
        let error = Error::from(StoreError::new(StoreErrorKind::Timeout, "attic"));
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.source().unwrap().to_string().starts_with("attic: "));
        assert!(Error::new(ErrorKind::Timeout).source().is_none());
    }

    #[test]
    fn codec_says_what_is_too_large_and_what_is_no_value() {
        let too_large = cloakroom_codec::Value::encode(&"x".repeat(2 << 20)).unwrap_err();
        assert_eq!(Error::from(too_large).kind(), ErrorKind::TooLarge);
        let other = cloakroom_codec::Value::encode(&1).unwrap().decode::<String>().unwrap_err();
        assert_eq!(Error::from(other).kind(), ErrorKind::Value);
    }
}
