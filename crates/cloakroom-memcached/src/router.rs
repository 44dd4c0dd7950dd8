//! Which server keeps a key: rendezvous hashing, the same in every process, release and build.
//!
//! Each server gives each key a score, and the one that gives the highest keeps it. The score is `mix(k ^ mix(f))`:
//!
//! - `k`, the first 8 bytes of the [`StoreKey`], big-endian. They are a digest, and so spread evenly.
//! - `f`, the 64-bit FNV-1a of the server's name as the URL gives it, `host:port`.
//! - `mix`, the finalizer of `MurmurHash3` for 64 bits.
//!
//! So the order of the servers does not matter, and one that comes or goes moves only its own share. None of
//! this may change: it would move every session. A golden test holds it.

use cloakroom_core::StoreKey;

use crate::address::Address;

/// What a server's name adds to its scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn of(address: &Address) -> Self {
        Self(mix(fnv(address.to_string().as_bytes())))
    }

    /// The score that the server gives a key.
    pub(crate) fn score(self, key: &StoreKey) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
        let key = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        mix(key ^ self.0)
    }
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

const fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests;
