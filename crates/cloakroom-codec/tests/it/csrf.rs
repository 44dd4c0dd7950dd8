//! Tokens of forms: of one session, of one ring, and no other text is read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloakroom_codec::{CSRF_TOKEN_LEN, CsrfBinding, ErrorKind, Handle, Keys, Secret, random_array};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{keys, keys_of};

fn written() -> (Keys, CsrfBinding, String) {
    let (keys, binding) = (keys(), CsrfBinding::new(random_array().unwrap(), 3));
    let text = keys.write_csrf_token(&binding).unwrap();
    (keys, binding, text)
}

proptest! {
    #[test]
    fn a_csrf_token_is_good_for_one_generation_of_one_session(
        session: [u8; 16],
        other: [u8; 16],
        generation: u64,
        later: u64,
    ) {
        let keys = keys_of(&[1], "shop");
        let text = keys.write_csrf_token(&CsrfBinding::new(session, generation)).unwrap();
        prop_assert_eq!(text.len(), CSRF_TOKEN_LEN);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        let is_good = |session, generation| {
            keys.check_csrf_token(&CsrfBinding::new(session, generation), text.as_bytes()).is_ok()
        };
        prop_assert!(is_good(session, generation));
        prop_assert_eq!(is_good(other, generation), other == session);
        prop_assert_eq!(is_good(session, later), later == generation);
        prop_assert!(!is_good(session, generation.wrapping_add(1)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_bytes_are_no_csrf_token(bytes in vec(any::<u8>(), 0..200), letters in "[A-Za-z0-9_-]{50}") {
        let (keys, binding) = (keys_of(&[1], "shop"), CsrfBinding::new([7; 16], 1));
        prop_assert!(keys.check_csrf_token(&binding, &bytes).is_err());
        prop_assert!(keys.check_csrf_token(&binding, letters.as_bytes()).is_err());
        prop_assert!(keys.check_csrf_token(&binding, &[b"A", &letters.as_bytes()[1..]].concat()).is_err());
    }
}

#[test]
fn a_flipped_bit_of_a_csrf_token_is_refused() {
    let (keys, binding, text) = written();
    let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let text = URL_SAFE_NO_PAD.encode(bytes);
            let expected = match at {
                0 => ErrorKind::Unsupported,
                1..5 => ErrorKind::UnknownKey,
                _ => ErrorKind::BadSeal,
            };
            let refused = keys.check_csrf_token(&binding, text.as_bytes()).unwrap_err();
            assert_eq!(refused.kind(), expected, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn another_text_is_no_csrf_token() {
    let (keys, binding, text) = written();
    for at in 0..text.len() {
        for byte in 0..=255 {
            let mut other = text.clone().into_bytes();
            if other[at] != byte {
                other[at] = byte;
                assert!(keys.check_csrf_token(&binding, &other).is_err(), "byte {byte} at {at}");
            }
        }
    }
    let short = (0..text.len()).map(|len| text[..len].to_owned());
    let long = [format!("{text}="), format!(" {text}"), format!("{text}A"), text.repeat(1000)];
    for other in short.chain(long) {
        let refused = keys.check_csrf_token(&binding, other.as_bytes()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Malformed);
    }
}

#[test]
fn no_two_csrf_tokens_of_a_session_are_alike() {
    let (keys, binding, first) = written();
    let second = keys.write_csrf_token(&binding).unwrap();
    // Version and key id are those of the ring.
    let alike = first.bytes().zip(second.bytes()).skip(7).filter(|(a, b)| a == b).count();
    assert!(alike < 15, "{alike} of 43 characters are the same");
    assert!(keys.check_csrf_token(&binding, second.as_bytes()).is_ok());
}

#[test]
fn a_csrf_token_belongs_to_one_namespace_and_to_the_keys_of_the_ring() {
    let binding = CsrfBinding::new([7; 16], 1);
    let text = keys_of(&[1], "shop").write_csrf_token(&binding).unwrap();
    assert!(keys_of(&[2, 1], "shop").check_csrf_token(&binding, text.as_bytes()).is_ok());
    let gone = keys_of(&[2], "shop").check_csrf_token(&binding, text.as_bytes()).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::UnknownKey);
    assert!(keys_of(&[1], "admin").check_csrf_token(&binding, text.as_bytes()).is_err());
}

#[test]
fn no_text_stands_for_another_purpose() {
    let (keys, binding, text) = written();
    let handle = Handle::from_bytes([7; 16]);
    let token = keys.write_token("id", &handle, &Secret::from_bytes([7; 16]));
    assert!(keys.check_csrf_token(&binding, token.as_bytes()).is_err());
    assert!(keys.check_csrf_token(&binding, &token.as_bytes()[..CSRF_TOKEN_LEN]).is_err());
    assert!(keys.read_token("id", text.as_bytes()).is_err());
    assert!(keys.read_sealed("id", text.as_bytes()).is_err());
}
