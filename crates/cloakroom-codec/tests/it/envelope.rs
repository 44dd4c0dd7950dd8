//! Envelopes: what was sealed comes back to whom it was sealed for.

use cloakroom_codec::{ENVELOPE_OVERHEAD, ErrorKind, Keys, MAX_PLAINTEXT_LEN, Purpose};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{keys, keys_of};

proptest! {
    #[test]
    fn what_was_sealed_comes_back(context in vec(any::<u8>(), 0..60), text in vec(any::<u8>(), 0..2000)) {
        let keys = keys();
        for purpose in [Purpose::Record, Purpose::Cookie] {
            let envelope = keys.seal(purpose, &context, &text).unwrap();
            prop_assert_eq!(envelope.len(), text.len() + ENVELOPE_OVERHEAD);
            prop_assert_eq!(&*keys.open(purpose, &context, &envelope).unwrap(), &text);
            prop_assert_eq!(&*keys.open_owned(purpose, &context, envelope.clone()).unwrap(), &text);
            let again = keys.seal(purpose, &context, &text).unwrap();
            prop_assert_ne!(&envelope, &again, "the nonce is fresh");
            if text.len() >= 8 {
                prop_assert!(!envelope.windows(text.len()).any(|window| window == text));
            }
        }
    }

    #[test]
    fn another_context_does_not_open(
        context in vec(any::<u8>(), 0..60),
        other in vec(any::<u8>(), 0..60),
    ) {
        let keys = keys_of(&[1], "shop");
        let envelope = keys.seal(Purpose::Record, &context, b"payload").unwrap();
        let opened = keys.open(Purpose::Record, &other, &envelope);
        prop_assert_eq!(opened.is_ok(), context == other);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_bytes_are_refused(bytes in vec(any::<u8>(), 0..200)) {
        let keys = keys_of(&[1], "shop");
        prop_assert!(keys.open(Purpose::Record, b"", &bytes).is_err());
        prop_assert!(keys.open(Purpose::Record, b"", &[&[1, 1], &bytes[..]].concat()).is_err());
    }
}

#[test]
fn another_purpose_or_namespace_does_not_open() {
    let keys = keys_of(&[1], "shop");
    let envelope = keys.seal(Purpose::Record, b"context", b"payload").unwrap();
    let refused = keys.open(Purpose::Cookie, b"context", &envelope).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BadSeal);
    // Nor does it with the purpose written over.
    let mut renamed = envelope.clone();
    renamed[1] = 2;
    assert_eq!(keys.open(Purpose::Cookie, b"context", &renamed).unwrap_err().kind(), ErrorKind::BadSeal);
    // Nor under the key of another namespace, with the key id written over.
    let others = keys_of(&[1], "admin");
    let theirs = others.seal(Purpose::Record, b"context", b"payload").unwrap();
    let mut renamed = envelope;
    renamed[2..6].copy_from_slice(&theirs[2..6]);
    assert_eq!(others.open(Purpose::Record, b"context", &renamed).unwrap_err().kind(), ErrorKind::BadSeal);
}

#[test]
fn a_flipped_bit_or_another_length_is_refused() {
    let keys = keys();
    for text in [&b""[..], b"p", b"a payload of more than one block of the cipher"] {
        let envelope = keys.seal(Purpose::Record, b"context", text).unwrap();
        let opens = |bytes: &[u8]| {
            let copied = keys.open(Purpose::Record, b"context", bytes).is_ok();
            assert_eq!(keys.open_owned(Purpose::Record, b"context", bytes.to_vec()).is_ok(), copied);
            copied
        };
        assert!(opens(&envelope));
        for bit in 0..envelope.len() * 8 {
            let mut bytes = envelope.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(&bytes), "bit {bit}");
        }
        for len in 0..envelope.len() {
            assert!(!opens(&envelope[..len]), "{len} bytes");
            assert!(!opens(&envelope[envelope.len() - len..]), "the last {len} bytes");
        }
        assert!(!opens(&[&envelope[..], &[0]].concat()));
    }
}

#[test]
fn size_is_limited() {
    let keys = keys();
    let largest = vec![7; MAX_PLAINTEXT_LEN];
    let envelope = keys.seal(Purpose::Record, b"", &largest).unwrap();
    assert!(keys.open(Purpose::Record, b"", &envelope).is_ok());
    let beyond = vec![7; MAX_PLAINTEXT_LEN + 1];
    assert_eq!(keys.seal(Purpose::Record, b"", &beyond).unwrap_err().kind(), ErrorKind::TooLarge);
    for len in [0, ENVELOPE_OVERHEAD - 1, MAX_PLAINTEXT_LEN + ENVELOPE_OVERHEAD + 1, 1 << 26] {
        let refused = keys.open(Purpose::Record, b"", &vec![1; len]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Malformed, "{len} bytes");
    }
}

#[test]
fn a_mark_is_the_beginning_of_the_nonce() {
    let keys = keys();
    let envelope = keys.seal(Purpose::Record, b"context", b"payload").unwrap();
    assert_eq!(Keys::mark(&envelope).unwrap(), envelope[6..14]);
    assert_ne!(
        Keys::mark(&envelope),
        Keys::mark(&keys.seal(Purpose::Record, b"context", b"payload").unwrap())
    );
    assert!(Keys::mark(&envelope[..14]).is_some());
    for len in 0..14 {
        assert_eq!(Keys::mark(&envelope[..len]), None, "{len} bytes");
    }
}
