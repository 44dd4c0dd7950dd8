//! Hostile bytes never open, and nothing panics; what was sealed opens, and one changed byte does not. What is opened in
//! its own memory is opened alike.
#![no_main]

use std::sync::LazyLock;

use cloakroom_codec::{KeyRing, Keys, Purpose};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let secret: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 7 % 251).unwrap());
    KeyRing::from_secrets([secret]).unwrap().bind("fuzz").unwrap()
});

/// What opens, whether it is copied or not.
fn open(purpose: Purpose, context: &[u8], envelope: &[u8]) -> Option<Vec<u8>> {
    let copied = KEYS.open(purpose, context, envelope);
    let owned = KEYS.open_owned(purpose, context, envelope.to_vec());
    match (copied, owned) {
        (Ok(copied), Ok(owned)) => {
            assert_eq!(copied[..], owned[..]);
            Some(owned.to_vec())
        }
        (Err(copied), Err(owned)) => {
            assert_eq!(copied.kind(), owned.kind());
            None
        }
        _ => panic!("one opens it, and the other does not"),
    }
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>, usize, u8)| {
    let (context, bytes, at, change) = input;
    assert_eq!(open(Purpose::Record, &context, &bytes), None);

    let mut envelope = KEYS.seal(Purpose::Cookie, &context, &bytes).unwrap();
    // The header that is needed to get beyond the key id.
    let forged = [&envelope[..6], &bytes].concat();
    assert_eq!(open(Purpose::Cookie, &context, &forged), None);

    let at = at % envelope.len();
    envelope[at] ^= change;
    assert_eq!(open(Purpose::Cookie, &context, &envelope), (change == 0).then_some(bytes));
});
