//! What the keys of one application begin with.

use std::str::FromStr;

use cloakroom_core::{Error, StoreKey};

/// A checked prefix: 1 to 40 characters of `A-Z a-z 0-9 _ . -`.
///
/// No colon, so that no prefix and key read as another prefix and key. With the 44 characters that follow, a
/// name stays far below the 250 that Memcached takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix(String);

impl Prefix {
    /// The name of the record's key in Memcached: the prefix, a colon, 43 characters of base64url.
    pub(crate) fn name(&self, key: &StoreKey) -> String {
        format!("{}:{}", self.0, key.public_handle().as_str())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("cloakroom".to_owned())
    }
}

impl FromStr for Prefix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if (1..=40).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::misconfigured(
                "the prefix of the Memcached keys must be 1 to 40 characters of A-Z, a-z, 0-9, `_`, `.` and `-`",
            ))
        }
    }
}

#[cfg(test)]
mod tests;
