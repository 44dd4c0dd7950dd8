//! Key rings as the command line of an instance takes them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Error, Result};

/// The secrets of an instance, the writing one first. What they are is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Ring(String);

impl Ring {
    /// One secret that nobody else has.
    ///
    /// # Errors
    ///
    /// There is no randomness.
    pub fn made_up() -> Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::trouble(format!("there is no randomness: {error}")))?;
        Ok(Self(STANDARD.encode(bytes)))
    }

    /// Secrets as they are typed: base64, separated by commas. The instances judge them.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// This ring goes on writing, and the other one is read as well.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(format!("{},{}", self.0, other.0))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").finish_non_exhaustive()
    }
}
