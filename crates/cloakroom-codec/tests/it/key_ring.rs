//! What a key ring takes, refuses and shows.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use cloakroom_codec::{ErrorKind, Handle, KeyRing, Purpose, Secret, TokenKey};
use proptest::prelude::*;

use crate::{keys_of, secret};

/// The sentence with which a ring is refused.
fn refusal(ring: Result<KeyRing, cloakroom_codec::Error>) -> String {
    let error = ring.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(std::error::Error::source(&error).is_none());
    error.to_string()
}

#[test]
fn every_spelling_of_base64_is_one_secret() {
    // Bytes whose base64 differs between the two alphabets.
    let secret = [0xfb; 31].iter().chain(&[0x3e, 0xff]).copied().collect::<Vec<u8>>();
    let tags = |ring: KeyRing| ring.bind("shop").unwrap().principal_tags("ada");
    let expected = tags(KeyRing::from_secrets([&secret]).unwrap());
    for text in [STANDARD.encode(&secret), URL_SAFE.encode(&secret), URL_SAFE_NO_PAD.encode(&secret)] {
        let unpadded = text.trim_end_matches('=');
        for text in [text.clone(), unpadded.to_owned(), format!(" \t{text}\n")] {
            assert_eq!(tags(KeyRing::parse(&text).unwrap()), expected, "{text:?}");
        }
    }
}

#[test]
fn the_first_secret_writes_and_all_read() {
    let text = |bytes: &[u8]| {
        bytes.iter().map(|&byte| STANDARD.encode(secret(byte))).collect::<Vec<_>>().join(" , ")
    };
    let bound = |bytes: &[u8]| KeyRing::parse(&text(bytes)).unwrap().bind("shop").unwrap();
    let (handle, owner) = (Handle::random().unwrap(), Secret::random().unwrap());
    assert_eq!(bound(&[1]).namespace(), "shop");
    let (old, mixed, new) = (bound(&[1]), bound(&[2, 1]), bound(&[2]));

    let token = old.write_token("id", &handle, &owner);
    let envelope = old.seal(Purpose::Record, b"key", b"payload").unwrap();
    assert_eq!(mixed.read_token("id", token.as_bytes()).unwrap().key, TokenKey::Old);
    assert_eq!(&*mixed.open(Purpose::Record, b"key", &envelope).unwrap(), b"payload");
    assert!(old.is_current(&envelope) && !mixed.is_current(&envelope), "it is sealed again when written");
    assert!(!old.is_current(&envelope[..5]) && !old.is_current(b""));
    assert_eq!(new.read_token("id", token.as_bytes()).unwrap_err().kind(), ErrorKind::UnknownKey);
    assert_eq!(new.open(Purpose::Record, b"key", &envelope).unwrap_err().kind(), ErrorKind::UnknownKey);

    let token = mixed.write_token("id", &handle, &owner);
    let envelope = mixed.seal(Purpose::Record, b"key", b"payload").unwrap();
    assert_eq!(new.read_token("id", token.as_bytes()).unwrap().key, TokenKey::Writing);
    assert!(new.open(Purpose::Record, b"key", &envelope).is_ok());
    assert_eq!(old.read_token("id", token.as_bytes()).unwrap_err().kind(), ErrorKind::UnknownKey);
    // The order that publishes a secret before it writes: it is known second everywhere first.
    assert_eq!(bound(&[1, 2]).read_token("id", token.as_bytes()).unwrap().key, TokenKey::Old);
}

#[test]
fn unfit_secrets_are_refused_with_advice() {
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let good = base64(&secret(1));
    let many = |n: u8| (0..n).map(|byte| base64(&secret(byte))).collect::<Vec<_>>().join(",");
    for (text, advice) in [
        (String::new(), "at least one"),
        (" \n".to_owned(), "at least one"),
        (format!("{good},"), "shorter than 32"),
        (format!(",{good}"), "shorter than 32"),
        (base64(&secret(1)[..31]), "shorter than 32"),
        (base64(&[&[1; 1024][..], &[2]].concat()), "longer than 1024"),
        ("A".repeat(1 << 20), "longer than 1024"),
        ("not base64!".to_owned(), "not base64"),
        (format!("{good} {good}"), "not base64"),
        (format!("{}+_", &good[..41]), "not base64"),
        (format!("{good},{good}"), "twice"),
        (format!("{good},{}", good.trim_end_matches('=')), "twice"),
        (many(9), "more than 8"),
        (base64(&[0; 32]), "repeats one byte"),
        (base64(&[0xff; 64]), "repeats one byte"),
        (base64(&(0..32).collect::<Vec<u8>>()), "documentation"),
        (base64(&(32..64).collect::<Vec<u8>>()), "documentation"),
    ] {
        let sentence = refusal(KeyRing::parse(&text));
        assert!(sentence.contains(advice), "{sentence:?} does not contain {advice:?}");
    }
    assert!(KeyRing::parse(&many(8)).is_ok());
    assert!(KeyRing::parse(&base64(&[&[1; 1023][..], &[2]].concat())).is_ok());

    assert!(refusal(KeyRing::from_secrets::<&[u8]>([])).contains("at least one"));
    assert!(refusal(KeyRing::from_secrets((0..9).map(secret))).contains("more than 8"));
    assert!(KeyRing::from_secrets((0..8).map(secret)).is_ok());
}

#[test]
fn a_namespace_has_keys_of_its_own() {
    let (handle, owner) = (Handle::random().unwrap(), Secret::random().unwrap());
    let (shop, admin) = (keys_of(&[1], "shop"), keys_of(&[1], "admin"));
    let text = shop.write_token("id", &handle, &owner);
    assert_eq!(admin.read_token("id", text.as_bytes()).unwrap_err().kind(), ErrorKind::UnknownKey);
    assert_ne!(shop.store_key(&handle), admin.store_key(&handle));
    assert!(!shop.secret_hash(&handle, &owner).matches(&admin.secret_hash(&handle, &owner)));
    assert_ne!(shop.principal_tags("ada"), admin.principal_tags("ada"));
    assert_ne!(shop.fingerprint_hash(b"x"), admin.fingerprint_hash(b"x"));

    let ring = KeyRing::generate();
    for namespace in [String::new(), "n".repeat(129)] {
        assert_eq!(ring.bind(&namespace).unwrap_err().kind(), ErrorKind::Config);
    }
    assert!(ring.bind(&"n".repeat(128)).is_ok());
}

#[test]
fn store_keys_and_hashes_outlive_the_secrets() {
    let (handle, owner) = (Handle::random().unwrap(), Secret::random().unwrap());
    let (old, new) = (keys_of(&[1], "shop"), keys_of(&[2], "shop"));
    assert_eq!(old.store_key(&handle), new.store_key(&handle));
    assert!(old.secret_hash(&handle, &owner).matches(&new.secret_hash(&handle, &owner)));
    assert_eq!(old.fingerprint_hash(b"x"), new.fingerprint_hash(b"x"));
    // A principal has a tag for each key, that of the writing key first.
    let both = keys_of(&[2, 1], "shop").principal_tags("ada");
    assert_eq!(both, [new.principal_tags("ada"), old.principal_tags("ada")].concat());
    assert_ne!(both[0], both[1]);
}

#[test]
fn renewals_agree_across_a_change_of_keys() {
    let (handle, owner) = (Handle::random().unwrap(), Secret::random().unwrap());
    let (before, after) = (keys_of(&[1, 2], "shop"), keys_of(&[2, 1], "shop"));
    let hash = |secret: &Secret| before.secret_hash(&handle, secret);
    let renewed = before.renew(&handle, &owner);
    assert!(hash(&renewed).matches(&hash(&before.renew(&handle, &owner))), "two that run in parallel");
    assert!(!hash(&renewed).matches(&hash(&owner)));
    assert!(!hash(&renewed).matches(&hash(&after.renew(&handle, &owner))), "each writes under its own");
    let again = after.renew_matching(&handle, &owner, &hash(&renewed)).unwrap();
    assert!(hash(&again).matches(&hash(&renewed)), "and finds the other's");
    assert!(keys_of(&[2], "shop").renew_matching(&handle, &owner, &hash(&renewed)).is_none());
    let stranger = Handle::random().unwrap();
    assert!(before.renew_matching(&stranger, &owner, &hash(&renewed)).is_none());
}

#[test]
fn debug_does_not_leak_secrets() {
    let text = STANDARD.encode(secret(0xca));
    let ring = KeyRing::parse(&text).unwrap();
    assert_eq!(format!("{ring:?}"), "KeyRing { .. }");
    let keys = ring.bind("shop").unwrap();
    assert_eq!(format!("{keys:?}"), r#"Keys { namespace: "shop", keys: 1, .. }"#);
    for refused in [format!("{text},{text}"), format!("{text}*"), text[..40].to_owned()] {
        let error = KeyRing::parse(&refused).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("ysrK") && !shown.contains("202"), "{shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_text_is_a_ring_or_an_error(text in "[ -~]{0,80}|[A-Za-z0-9+/_=, -]{0,200}|\\PC{0,20}") {
        if let Err(error) = KeyRing::parse(&text) {
            prop_assert_eq!(error.kind(), ErrorKind::Config);
        }
    }
}
