//! What the codec promises, through its public face.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics when a promise is broken"
)]

mod csrf;
mod envelope;
mod key_ring;
mod primitives;
mod sealed_text;
mod speed;
mod token;
mod value;
mod values;

use cloakroom_codec::{KeyRing, Keys};

/// Keys of a fresh ring.
fn keys() -> Keys {
    KeyRing::generate().bind("shop").unwrap()
}

/// A secret that no documentation prints.
fn secret(byte: u8) -> [u8; 32] {
    let mut secret = [byte; 32];
    secret[0] = !byte;
    secret
}

/// Keys of a ring of such secrets, the first of which writes.
fn keys_of(bytes: &[u8], namespace: &str) -> Keys {
    KeyRing::from_secrets(bytes.iter().copied().map(secret)).unwrap().bind(namespace).unwrap()
}
