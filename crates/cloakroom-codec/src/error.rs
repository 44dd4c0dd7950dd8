//! Why bytes could not be made or read.

use std::error::Error as StdError;
use std::fmt;

/// Why bytes could not be made or read.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    source: Option<Box<dyn StdError + Send + Sync + 'static>>,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("codec")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not of our format.
    Malformed,
    /// Sealed under a key that is not in the ring.
    UnknownKey,
    /// MAC or tag do not fit.
    BadSeal,
    /// A format, or a critical extension, that this release does not know.
    Unsupported,
    /// A value cannot be encoded, is nested too deeply, or does not have the type asked for.
    Value,
    /// Larger than a limit.
    TooLarge,
    /// A key ring that is refused.
    Config,
    /// The operating system gave no random bytes.
    Random,
}
