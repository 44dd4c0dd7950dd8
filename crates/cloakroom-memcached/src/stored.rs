//! What lies under a key: the version in 8 bytes, the lifetime in milliseconds in 8 bytes, both big-endian; then
//! the payload.
//!
//! The server counts seconds. The lifetime is what they were rounded up from.

use cloakroom_core::Version;

use crate::lifetime::Lifetime;

/// A value that was taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) version: Version,
    pub(crate) lifetime: Lifetime,
    pub(crate) payload: Vec<u8>,
}

const VERSION_LEN: usize = 8;
const HEADER_LEN: usize = 16;

/// The value that stands for such a record.
pub(crate) fn value(version: Version, lifetime: Lifetime, payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER_LEN + payload.len());
    value.extend_from_slice(&version.to_be_bytes());
    value.extend_from_slice(&lifetime.to_be_bytes());
    value.extend_from_slice(payload);
    value
}

/// The record that this value stands for; `None` where it is not one of ours.
pub(crate) fn parse(mut value: Vec<u8>) -> Option<Stored> {
    let header = value.first_chunk::<HEADER_LEN>()?;
    let version = Version::from_be_bytes(*header.first_chunk::<VERSION_LEN>()?)?;
    let lifetime = Lifetime::from_be_bytes(*header.last_chunk::<8>()?)?;
    // In its place: it is a few hundred bytes as a rule.
    value.drain(..HEADER_LEN);
    Some(Stored { version, lifetime, payload: value })
}

#[cfg(test)]
mod tests;
