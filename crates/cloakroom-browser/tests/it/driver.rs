//! A driver, and browsers from it.

use std::path::PathBuf;

use cloakroom_browser::Browser;
use xtask::server::ChromedriverServer;

/// A driver that ends with this value, with its browsers and their profiles.
#[derive(Debug)]
pub(crate) struct Driver(ChromedriverServer);

impl Driver {
    pub(crate) fn start() -> Self {
        Self(ChromedriverServer::start().expect("chromedriver starts"))
    }

    /// A browser that was never used before.
    pub(crate) async fn browser(&self) -> Browser {
        self.browser_of("anybody").await
    }

    /// The browser of a person, who finds it as she left it.
    pub(crate) async fn browser_of(&self, person: &str) -> Browser {
        Browser::open(&self.0.url(), &self.directory(person)).await
    }

    /// One that freezes no pages for its back button, but loads them again.
    pub(crate) async fn browser_without_frozen_pages(&self) -> Browser {
        let arguments = ["--disable-features=BackForwardCache"];
        Browser::open_with(&self.0.url(), &self.directory("forgetful"), &arguments).await
    }

    /// A directory that goes with this value.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.0.directory().join(name)
    }

    /// How many processes browsers consist of at this moment.
    pub(crate) fn processes(&self) -> usize {
        self.0.processes()
    }
}
