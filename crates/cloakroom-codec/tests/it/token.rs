//! Tokens: one text for each, and no other is read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloakroom_codec::{ErrorKind, Handle, Secret, TOKEN_LEN, TokenKey, TokenText};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{keys, keys_of};

proptest! {
    #[test]
    fn a_token_comes_back(handle: [u8; 16], secret: [u8; 16]) {
        let keys = keys();
        let (handle, secret) = (Handle::from_bytes(handle), Secret::from_bytes(secret));
        let text = keys.write_token("id", &handle, &secret);
        prop_assert_eq!(text.len(), TOKEN_LEN);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        let token = keys.read_token("id", text.as_bytes()).unwrap();
        prop_assert_eq!((token.handle, token.key), (handle, TokenKey::Writing));
        prop_assert!(keys.secret_hash(&handle, &token.secret).matches(&keys.secret_hash(&handle, &secret)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_bytes_are_refused(bytes in vec(any::<u8>(), 0..200), letters in "[A-Za-z0-9_-]{71}") {
        let keys = keys_of(&[1], "shop");
        prop_assert!(keys.read_token("id", &bytes).is_err());
        prop_assert!(keys.read_token("id", letters.as_bytes()).is_err());
        prop_assert!(keys.read_token("id", &[b"A", &letters.as_bytes()[1..]].concat()).is_err());
    }
}

fn written(cookie_name: &str) -> (cloakroom_codec::Keys, String) {
    let keys = keys();
    let text = keys.write_token(cookie_name, &Handle::random().unwrap(), &Secret::random().unwrap());
    (keys, text)
}

#[test]
fn a_flipped_bit_is_refused() {
    let (keys, text) = written("id");
    let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let refused = keys.read_token("id", URL_SAFE_NO_PAD.encode(bytes).as_bytes()).unwrap_err();
            let expected = match at {
                0 => ErrorKind::Unsupported,
                1..5 => ErrorKind::UnknownKey,
                _ => ErrorKind::BadSeal,
            };
            assert_eq!(refused.kind(), expected, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn another_text_is_refused() {
    let (keys, text) = written("id");
    for at in 0..text.len() {
        for byte in 0..=255 {
            let mut other = text.clone().into_bytes();
            if other[at] != byte {
                other[at] = byte;
                assert!(keys.read_token("id", &other).is_err(), "byte {byte} at {at}");
            }
        }
    }
    for len in 0..text.len() {
        assert_eq!(keys.read_token("id", &text.as_bytes()[..len]).unwrap_err().kind(), ErrorKind::Malformed);
    }
    for other in [format!("{text}="), format!(" {text}"), format!("\"{text}\""), text.repeat(1000)] {
        assert_eq!(keys.read_token("id", other.as_bytes()).unwrap_err().kind(), ErrorKind::Malformed);
    }
}

#[test]
fn a_token_belongs_to_one_cookie_and_one_namespace() {
    let (handle, secret) = (Handle::random().unwrap(), Secret::random().unwrap());
    let keys = keys_of(&[1], "shop");
    let text = keys.write_token("id", &handle, &secret);
    for name in ["", "i", "ID", "id2", "__Host-id"] {
        assert_eq!(keys.read_token(name, text.as_bytes()).unwrap_err().kind(), ErrorKind::BadSeal);
    }
    let others = keys_of(&[1], "shop2");
    assert!(others.read_token("id", text.as_bytes()).is_err());
}

#[test]
fn debug_does_not_leak_tokens() {
    let (keys, text) = written("id");
    let token = keys.read_token("id", text.as_bytes()).unwrap();
    let hash = keys.secret_hash(&token.handle, &token.secret);
    assert_eq!(
        format!("{token:?} {hash:?}"),
        "Token { handle: Handle(..), secret: Secret(..), key: Writing } SecretHash(..)"
    );
    let error = keys.read_token("other", text.as_bytes()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&text[20..30]));
}

#[test]
fn a_text_is_kept_as_it_came_or_is_no_token() {
    let (_, text) = written("id");
    assert_eq!(TokenText::of(text.as_bytes()).unwrap().as_bytes(), text.as_bytes());
    // Whether it is one is for whoever reads it to say.
    assert_eq!(TokenText::of(&[0xff; TOKEN_LEN]).unwrap().as_bytes(), &[0xff; TOKEN_LEN]);
    for len in [0, TOKEN_LEN - 1, TOKEN_LEN + 1] {
        assert!(TokenText::of(&vec![b'A'; len]).is_none(), "{len} characters");
    }
}
