//! What goes wrong in the tools.

use std::{fmt, io};

/// The result of a tool.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what could not be done, for a developer to read.
///
/// ```
/// let error = xtask::Error::new("no free port");
/// assert_eq!(error.to_string(), "no free port");
/// ```
#[derive(Debug)]
pub struct Error {
    what: String,
    source: Option<io::Error>,
}

impl Error {
    /// An error without a cause below it.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// An error of the operating system, and what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self { what, source: Some(source) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
