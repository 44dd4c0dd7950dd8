//! What a session learns when somebody logs in.

use std::fmt;

/// Who logs in, and what the session should remember of it.
///
/// ```
/// use cloakroom_core::Login;
///
/// let login = Login::new("ada").with_fingerprint("v7 of her password hash").with_label("device", "laptop");
/// assert_eq!(login.principal(), "ada");
/// ```
#[derive(Clone)]
pub struct Login {
    pub(crate) principal: String,
    pub(crate) fingerprint: Option<Vec<u8>>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) visitor_values: VisitorValues,
}

/// What becomes of the values that an anonymous visitor collected before logging in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VisitorValues {
    /// They stay: a basket survives the login.
    #[default]
    Keep,
    /// They are cleared.
    Discard,
}

impl Login {
    /// A login of this principal: the name or number by which the application knows the account, at most
    /// 1024 bytes.
    #[must_use]
    pub fn new(principal: impl Into<String>) -> Self {
        Self {
            principal: principal.into(),
            fingerprint: None,
            labels: Vec::new(),
            visitor_values: VisitorValues::Keep,
        }
    }

    /// Remembers a digest of something that changes with the account's credentials, such as its password hash,
    /// for [`verify_fingerprint`](crate::Session::verify_fingerprint) to compare.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: impl Into<Vec<u8>>) -> Self {
        self.fingerprint = Some(fingerprint.into());
        self
    }

    /// Adds a label for listings, such as the browser's name; at most 16, each up to 64 and 256 bytes.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Says what becomes of the values of the anonymous visitor.
    #[must_use]
    pub const fn with_visitor_values(mut self, values: VisitorValues) -> Self {
        self.visitor_values = values;
        self
    }

    /// The principal.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }
}

impl From<&str> for Login {
    fn from(principal: &str) -> Self {
        Self::new(principal)
    }
}

impl From<String> for Login {
    fn from(principal: String) -> Self {
        Self::new(principal)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("labels", &self.labels.len()).finish_non_exhaustive()
    }
}
