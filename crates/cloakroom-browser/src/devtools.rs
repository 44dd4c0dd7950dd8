//! What WebDriver has no words for: commands of the browser's own protocol.

use fantoccini::wd::WebDriverCompatibleCommand;
use serde_json::{Value, json};

/// One command of the Chrome DevTools Protocol, on its way through ChromeDriver.
#[derive(Debug)]
pub(crate) struct Devtools {
    pub(crate) command: &'static str,
    pub(crate) parameters: Value,
}

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        (http::Method::POST, Some(body.to_string()))
    }
}

/// How wide a screen is, in CSS pixels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Width {
    /// A phone: 390.
    Phone,
    /// A desk: 1280.
    Desk,
}

impl Width {
    /// In pixels.
    #[must_use]
    pub const fn pixels(self) -> u32 {
        match self {
            Self::Phone => 390,
            Self::Desk => 1280,
        }
    }

    /// A height that goes with it.
    pub(crate) const fn height(self) -> u32 {
        match self {
            Self::Phone => 844,
            Self::Desk => 800,
        }
    }
}

/// Which colours the user's system prefers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Colours {
    /// Dark letters on a light ground.
    Light,
    /// The other way round.
    Dark,
}

impl Colours {
    /// The word of style sheets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}
