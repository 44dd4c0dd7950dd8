//! Sealed sessions as text: what a client keeps of its session, and nobody else can make or read.

use cloakroom_codec::{ErrorKind, MAX_SEALED_TEXT_LEN, Purpose, TokenKey, sealed_text_len};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{keys, keys_of};

proptest! {
    #[test]
    fn what_was_sealed_comes_back(plaintext in vec(any::<u8>(), 0..2900)) {
        let keys = keys();
        let text = keys.write_sealed("id", &plaintext).unwrap();
        prop_assert_eq!(text.len(), sealed_text_len(plaintext.len()));
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        let (opened, key) = keys.read_sealed("id", text.as_bytes()).unwrap();
        prop_assert_eq!(&*opened, &plaintext);
        prop_assert_eq!(key, TokenKey::Writing);
        prop_assert!(keys.read_sealed("ID", text.as_bytes()).is_err());
    }

    #[test]
    fn any_text_is_refused(text in vec(any::<u8>(), 0..5000)) {
        prop_assert!(keys_of(&[1], "shop").read_sealed("id", &text).is_err());
    }
}

#[test]
fn every_changed_character_is_noticed() {
    let keys = keys_of(&[1], "shop");
    for length in 30..33 {
        let text = keys.write_sealed("id", &vec![7; length]).unwrap().into_bytes();
        for at in 0..text.len() {
            for other in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \"" {
                let mut changed = text.clone();
                changed[at] = *other;
                assert_eq!(keys.read_sealed("id", &changed).is_ok(), changed == text, "{at}");
            }
            assert!(keys.read_sealed("id", &text[..at]).is_err(), "cut at {at}");
        }
    }
}

#[test]
fn only_the_ring_opens_and_tells_which_key_it_was() {
    let old = keys_of(&[1], "shop");
    let text = old.write_sealed("id", b"state").unwrap();
    let rotated = keys_of(&[2, 1], "shop");
    assert_eq!(rotated.read_sealed("id", text.as_bytes()).unwrap().1, TokenKey::Old);
    let kind = |keys: cloakroom_codec::Keys| keys.read_sealed("id", text.as_bytes()).unwrap_err().kind();
    assert_eq!(kind(keys_of(&[2], "shop")), ErrorKind::UnknownKey);
    assert_eq!(kind(keys_of(&[1], "admin")), ErrorKind::UnknownKey);
}

#[test]
fn a_record_is_no_cookie() {
    use base64::Engine as _;
    let keys = keys_of(&[1], "shop");
    let record = keys.seal(Purpose::Record, b"id", b"state").unwrap();
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(record);
    assert_eq!(keys.read_sealed("id", text.as_bytes()).unwrap_err().kind(), ErrorKind::BadSeal);
}

#[test]
fn what_no_browser_keeps_is_too_large() {
    let keys = keys();
    let most = (0..4096).rev().find(|len| sealed_text_len(*len) <= MAX_SEALED_TEXT_LEN).unwrap();
    assert_eq!(most, 2994);
    let longest = keys.write_sealed("id", &vec![0; most]).unwrap();
    assert_eq!(longest.len(), MAX_SEALED_TEXT_LEN);
    assert_eq!(keys.read_sealed("id", longest.as_bytes()).unwrap().0.len(), most);
    let refused = keys.write_sealed("id", &vec![0; most + 1]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert_eq!(keys.read_sealed("id", &[b'A'; 4097]).unwrap_err().kind(), ErrorKind::Malformed);
}
