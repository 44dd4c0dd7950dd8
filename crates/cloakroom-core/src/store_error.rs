//! Why a store could not answer.

use std::error::Error as StdError;
use std::fmt;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// Why a store could not answer.
///
/// It never stands for "no such session": that is an answer. `Display` says only its own part; the cause
/// is in [`source`](StdError::source). Neither holds keys, payloads or passwords.
///
/// ```
/// use cloakroom_core::{StoreError, StoreErrorKind};
///
/// let error = StoreError::new(StoreErrorKind::Unavailable, "redis");
/// assert!(error.is_transient());
/// assert_eq!(error.to_string(), "redis: the session store cannot be reached");
/// ```
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    store: &'static str,
    source: Option<Source>,
}

impl StoreError {
    /// An error of the store called `store`, such as `"redis"`.
    #[must_use]
    pub const fn new(kind: StoreErrorKind, store: &'static str) -> Self {
        Self { kind, store, source: None }
    }

    /// The same error with its cause. The cause must hold no key, payload or password.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The name of the store that failed.
    #[must_use]
    pub const fn store(&self) -> &'static str {
        self.store
    }

    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Unavailable | StoreErrorKind::Timeout | StoreErrorKind::Ambiguous)
    }

    /// Whether the call may have taken effect although it failed.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Timeout | StoreErrorKind::Ambiguous | StoreErrorKind::Other)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            StoreErrorKind::Unavailable => "the session store cannot be reached",
            StoreErrorKind::Timeout => "the session store did not answer in time",
            StoreErrorKind::Ambiguous => "the request was sent, and its outcome is unknown",
            StoreErrorKind::Corrupt => "a stored record is not one of ours",
            StoreErrorKind::TooLarge => "the record is larger than the session store takes",
            StoreErrorKind::Full => "the session store is full",
            StoreErrorKind::Misconfigured => "the session store refuses how it is used",
            StoreErrorKind::Other => "the session store failed",
        };
        write!(f, "{}: {what}", self.store)
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What kind of failure a [`StoreError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The backend cannot be reached or does not serve now; the call took no effect.
    Unavailable,
    /// The deadline passed; the call may have taken effect.
    Timeout,
    /// The request went out, and no reply or not every confirmation came back; the call may have taken effect.
    Ambiguous,
    /// What lies under the key is not a record.
    Corrupt,
    /// The record is larger than the backend takes; the old one is in place.
    TooLarge,
    /// The backend has no room for the record, which was not stored. The old one is in place, except in a Memcached
    /// that was started with `-M`: it removes what it finds no successor's room for, so that the session is over.
    Full,
    /// The backend refuses: wrong password, missing right, read-only, wrong kind of server.
    Misconfigured,
    /// Anything else; the call may have taken effect.
    Other,
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::{StoreError, StoreErrorKind};

    #[test]
    fn it_says_which_store_failed_why_and_whether_to_try_again() {
        use StoreErrorKind::{
            Ambiguous, Corrupt, Full, Misconfigured, Other, Timeout, TooLarge, Unavailable,
        };
        for (kind, is_transient, is_ambiguous) in [
            (Unavailable, true, false),
            (Timeout, true, true),
            (Ambiguous, true, true),
            (Other, false, true),
            (Corrupt, false, false),
            (TooLarge, false, false),
            (Full, false, false),
            (Misconfigured, false, false),
        ] {
            let error = StoreError::new(kind, "attic").with_source("a moth");
            assert_eq!((error.kind(), error.store()), (kind, "attic"));
            assert_eq!(
                (error.is_transient(), error.is_ambiguous()),
                (is_transient, is_ambiguous),
                "{kind:?}"
            );
            assert_eq!(error.source().unwrap().to_string(), "a moth");
            assert!(error.to_string().starts_with("attic: "));
        }
        assert!(StoreError::new(Other, "attic").source().is_none());
    }
}
