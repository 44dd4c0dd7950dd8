//! Hostile bytes never open, and nothing panics; what was sealed opens, and one changed byte does not.
#![no_main]

use std::sync::LazyLock;

use cloakroom_codec::{KeyRing, Keys, Purpose};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let secret: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 7 % 251).unwrap());
    KeyRing::from_secrets([secret]).unwrap().bind("fuzz").unwrap()
});

fuzz_target!(|input: (Vec<u8>, Vec<u8>, usize, u8)| {
    let (context, bytes, at, change) = input;
    assert!(KEYS.open(Purpose::Record, &context, &bytes).is_err());

    let mut envelope = KEYS.seal(Purpose::Cookie, &context, &bytes).unwrap();
    // The header that is needed to get beyond the key id.
    let forged = [&envelope[..6], &bytes].concat();
    assert!(KEYS.open(Purpose::Cookie, &context, &forged).is_err());

    let at = at % envelope.len();
    envelope[at] ^= change;
    let opened = KEYS.open(Purpose::Cookie, &context, &envelope);
    assert_eq!(opened.is_ok(), change == 0);
});
