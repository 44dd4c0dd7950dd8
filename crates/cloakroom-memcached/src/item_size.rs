//! How large an item may be.

use std::str::FromStr;

use cloakroom_core::Error;

/// What an item needs besides its payload: 85 bytes of key, 16 of our header, and what the server keeps with it.
const OVERHEAD: usize = 1024;

/// The largest `-I` that a server takes is 1 GiB; more than this is no session.
pub(crate) const LARGEST: usize = 128 << 20;

/// The size of the largest item in bytes, as the server's `-I` counts it: 2 KiB to 128 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ItemSize(usize);

impl ItemSize {
    /// The size of so many bytes.
    pub(crate) fn new(bytes: usize) -> Result<Self, Error> {
        if (2 << 10..=LARGEST).contains(&bytes) {
            Ok(Self(bytes))
        } else {
            Err(Error::misconfigured("`max_item_size` of the Memcached store must be between 2k and 128m"))
        }
    }

    /// What a server says of itself, which may be anything.
    pub(crate) const fn told(bytes: usize) -> Self {
        Self(bytes)
    }

    /// The largest payload that goes into such an item.
    pub(crate) const fn payload(self) -> usize {
        self.0.saturating_sub(OVERHEAD)
    }

    pub(crate) const fn bytes(self) -> usize {
        self.0
    }
}

impl Default for ItemSize {
    /// Memcached's own default.
    fn default() -> Self {
        Self(1 << 20)
    }
}

impl FromStr for ItemSize {
    type Err = Error;

    /// Reads `1048576`, `512k` or `1m`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, unit) = match text.strip_suffix(['k', 'K']) {
            Some(digits) => (digits, 1 << 10),
            None => text.strip_suffix(['m', 'M']).map_or((text, 1), |digits| (digits, 1 << 20)),
        };
        let number =
            digits.parse::<usize>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        match number.and_then(|number| number.checked_mul(unit)) {
            Some(bytes) => Self::new(bytes),
            None => Err(Error::misconfigured(
                "`max_item_size` of the Memcached URL is written as the server's -I: `512k`, `1m` or bytes",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
