//! Why bytes could not be made or read.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// Why bytes could not be made or read.
///
/// Neither `Display` nor `Debug` nor a source shows a secret, a handle or what a session holds.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync + 'static>>,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind) -> Self {
        Self { kind, message: Cow::Borrowed(kind.sentence()), source: None }
    }

    pub(crate) fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
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

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
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

impl ErrorKind {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Malformed => "these bytes are not of this format",
            Self::UnknownKey => "the key ring has no key of this id",
            Self::BadSeal => "the seal does not fit",
            Self::Unsupported => "a newer release wrote this",
            Self::Value => "the value cannot be encoded or decoded",
            Self::TooLarge => "larger than a limit",
            Self::Config => "the key ring is refused",
            Self::Random => "the operating system gave no random bytes",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::error::Error as _;

    use super::{Error, ErrorKind};

    #[test]
    fn each_kind_says_what_it_is() {
        let kinds = [
            ErrorKind::Malformed,
            ErrorKind::UnknownKey,
            ErrorKind::BadSeal,
            ErrorKind::Unsupported,
            ErrorKind::Value,
            ErrorKind::TooLarge,
            ErrorKind::Config,
            ErrorKind::Random,
        ];
        let sentences: BTreeSet<String> = kinds.map(|kind| Error::from(kind).to_string()).into();
        assert_eq!(sentences.len(), kinds.len());
        assert!(sentences.iter().all(|sentence| sentence.split(' ').count() > 2), "{sentences:?}");
    }

    #[test]
    fn source_is_what_it_was_made_with() {
        assert!(Error::from(ErrorKind::Value).source().is_none());
        let error = Error::from(ErrorKind::Value).with_source("a value of type u8");
        assert_eq!(error.source().unwrap().to_string(), "a value of type u8");
    }
}
