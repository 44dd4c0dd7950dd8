//! The store that all instances share.

use crate::load::Tabs;

/// The URL of a store that several processes can share.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedStore(String);

impl SharedStore {
    /// Takes the URL of a store, unless each instance would have sessions of its own there.
    ///
    /// ```
    /// use fleet::SharedStore;
    ///
    /// assert!(SharedStore::parse("redis://127.0.0.1:6379").is_ok());
    /// assert!(SharedStore::parse("memory:").is_err());
    /// # Ok::<(), fleet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A sentence, for `memory:` and for SQLite without a file.
    pub fn parse(url: &str) -> Result<Self, String> {
        let lonely =
            ["memory:", "sqlite::memory:", "sqlite://:memory:"].iter().any(|own| url.starts_with(own))
                || (url.starts_with("sqlite:") && url.contains("mode=memory"));
        if lonely {
            return Err(
                "each instance would have sessions of its own in its memory; a fleet needs a store that they share"
                    .to_owned(),
            );
        }
        Ok(Self(url.to_owned()))
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0
    }

    /// How many things at once a visitor can do there without a loss: where the client carries the session, one of two
    /// changes at the same time is lost, and the store's page says so.
    #[must_use]
    pub fn tabs(&self) -> Tabs {
        if self.0.starts_with("cookie:") { Tabs::One } else { Tabs::Two }
    }
}

impl std::fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The rest may hold a password.
        let scheme = self.0.split(':').next().unwrap_or_default();
        f.debug_tuple("SharedStore").field(&scheme).finish()
    }
}
