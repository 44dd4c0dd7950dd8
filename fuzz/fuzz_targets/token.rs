//! Hostile text is neither token nor sealed session, and nothing panics; one changed byte makes either none.
#![no_main]

use std::sync::LazyLock;

use cloakroom_codec::{Handle, KeyRing, Keys, Secret};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let secret: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 7 % 251).unwrap());
    KeyRing::from_secrets([secret]).unwrap().bind("fuzz").unwrap()
});

fuzz_target!(|input: (Vec<u8>, [u8; 16], [u8; 16], usize, u8)| {
    let (text, handle, secret, at, change) = input;
    assert!(KEYS.read_token("id", &text).is_err());
    assert!(KEYS.read_sealed("id", &text).is_err());

    let handle = Handle::from_bytes(handle);
    let mut token = KEYS.write_token("id", &handle, &Secret::from_bytes(secret)).into_bytes();
    let at = at % token.len();
    token[at] ^= change;
    let read = KEYS.read_token("id", &token);
    assert_eq!(read.is_ok(), change == 0);
    assert!(read.is_err() || read.unwrap().handle == handle);

    let Ok(sealed) = KEYS.write_sealed("id", &text) else { return };
    let mut sealed = sealed.into_bytes();
    let at = at % sealed.len();
    sealed[at] ^= change;
    assert_eq!(KEYS.read_sealed("id", &sealed).is_ok(), change == 0);
});
