//! What goes wrong.

use std::fmt;

/// The result of a check, or of what it needs.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A sentence that says what happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A promise was broken: that is what the checks are there to find.
    Broken(String),
    /// The check could not be made.
    Trouble(String),
}

impl Error {
    pub(crate) fn broken<T>(what: impl Into<String>) -> Result<T> {
        Err(Self::Broken(what.into()))
    }

    pub(crate) fn trouble(what: impl Into<String>) -> Self {
        Self::Trouble(what.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Broken(what) | Self::Trouble(what)) = self;
        f.write_str(what)
    }
}

impl std::error::Error for Error {}

impl From<xtask::Error> for Error {
    fn from(error: xtask::Error) -> Self {
        use std::error::Error as _;
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::Trouble(format!("{error}{cause}"))
    }
}
