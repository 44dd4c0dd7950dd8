//! What a browser says that it is, in a few words.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

/// A device as its owner knows it, such as `Firefox on Linux`.
///
/// The words are ours, whatever the header says. Anybody can send any header: this helps people to tell their devices apart
/// and proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device(String);

/// The label of a login that holds it.
pub(crate) const LABEL: &str = "device";

impl Device {
    fn of(user_agent: &str) -> Self {
        let find = |words: &[(&str, &'static str)]| {
            words.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, word)| *word)
        };
        Self(match (find(&BROWSERS), find(&SYSTEMS)) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(browser), None) => browser.to_owned(),
            (None, Some(system)) => format!("A browser on {system}"),
            (None, None) => "An unknown browser".to_owned(),
        })
    }

    /// The words.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Browsers name those that they want to be taken for, too: the first sign counts.
const BROWSERS: [(&str, &str); 10] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux", "Linux"),
];

impl<S: Send + Sync> FromRequestParts<S> for Device {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let said = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self::of(said.unwrap_or_default()))
    }
}

#[test]
fn browsers_are_told_by_what_they_add_to_the_others() {
    const WEBKIT: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";
    for (user_agent, words) in [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(), "Firefox on Linux"),
        (format!("Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/142.0.0.0 Safari/537.36"), "Chrome on Linux"),
        (format!("Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/142.0 Safari/537.36 Edg/142.0"), "Edge on Windows"),
        (format!("Mozilla/5.0 (Linux; Android 15) {WEBKIT} Chrome/142.0 Mobile Safari/537.36"), "Chrome on Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/18.5 Mobile/15E148 Safari/604.1"
                .to_owned(),
            "Safari on iPhone",
        ),
        ("curl/8.14.1".to_owned(), "curl"),
        ("Something (Windows)".to_owned(), "A browser on Windows"),
        ("<script>alert(1)</script>".to_owned(), "An unknown browser"),
        (String::new(), "An unknown browser"),
    ] {
        assert_eq!(Device::of(&user_agent).as_str(), words, "{user_agent}");
    }
}
