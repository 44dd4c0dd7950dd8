//! A cookie as the browser keeps it.

use serde::Deserialize;

/// What the browser keeps of one `Set-Cookie` line.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host that gets it; a leading dot says that all below do too.
    pub domain: String,
    /// The path below which it is sent.
    pub path: String,
    /// How long its name and value are together, in bytes.
    pub size: usize,
    /// Whether scripts do not see it.
    pub http_only: bool,
    /// Whether it stays off connections that can be listened to.
    pub secure: bool,
    /// Whether it goes when the browser ends.
    pub session: bool,
    /// Which requests of other sites take it along; none where the server did not say.
    #[serde(default)]
    pub same_site: Option<SameSite>,
}

/// Which requests of other sites take a cookie along.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
pub enum SameSite {
    /// None.
    Strict,
    /// Links that the user follows.
    Lax,
    /// All.
    None,
}
