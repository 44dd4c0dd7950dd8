//! What the keys of one application begin with.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloakroom_core::{Error, PrincipalTag, StoreKey};

/// A checked prefix: 1 to 40 characters of `A-Z a-z 0-9 _ . -`.
///
/// Neither a colon, so that no prefix and key read as another prefix and key, nor a brace, so that a
/// cluster spreads the keys over all slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix(String);

impl Prefix {
    /// The name of the record's key in Redis: the prefix, a colon, 43 characters of base64url.
    pub(crate) fn name(&self, key: &StoreKey) -> String {
        self.join(":", key.as_bytes())
    }

    /// The name of the principal's index in Redis: the prefix, `:of:`, 43 characters of base64url.
    pub(crate) fn index(&self, tag: &PrincipalTag) -> String {
        self.join(":of:", tag.as_bytes())
    }

    fn join(&self, between: &str, name: &[u8]) -> String {
        let mut joined = String::with_capacity(self.0.len() + between.len() + name.len().div_ceil(3) * 4);
        joined.push_str(&self.0);
        joined.push_str(between);
        URL_SAFE_NO_PAD.encode_string(name, &mut joined);
        joined
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
                "the prefix of the Redis keys must be 1 to 40 characters of A-Z, a-z, 0-9, `_`, `.` and `-`",
            ))
        }
    }
}

#[cfg(test)]
mod tests;
