use std::cell::Cell;

use proptest::prelude::*;
use shake::Shake128;
use shake::digest::{ExtendableOutput as _, Update as _, XofReader as _};
use xaes_256_gcm::aead::{Aead as _, KeyInit as _, Payload};

use super::*;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn count_call() {
    CALLS.set(CALLS.get() + 1);
}

/// How often this thread has encrypted or decrypted.
pub(crate) fn calls() -> u64 {
    CALLS.get()
}

/// The AES-256-GCM key and nonce that stand behind a key and a nonce of this cipher.
pub(crate) fn behind(cipher: &Xaes256Gcm, nonce: &[u8; NONCE_LEN]) -> ([u8; 32], [u8; 12]) {
    let (first, second) = nonce.split_at(12);
    (*cipher.derive(first.try_into().unwrap()), second.try_into().unwrap())
}

fn seal(key: &[u8; 32], nonce: &[u8; NONCE_LEN], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut bytes = plaintext.to_vec();
    let tag = Xaes256Gcm::new(key).seal(nonce, aad, &mut bytes).unwrap();
    bytes.extend_from_slice(&tag);
    bytes
}

fn open(key: &[u8; 32], nonce: &[u8; NONCE_LEN], aad: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let (ciphertext, tag) = bytes.split_last_chunk()?;
    let mut buffer = ciphertext.to_vec();
    Xaes256Gcm::new(key).open(nonce, aad, &mut buffer, tag).ok()?;
    Some(buffer)
}

#[test]
fn published_vectors_are_met() {
    let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
    for (key, aad, expected) in [
        ([1; 32], "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        ([3; 32], "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ] {
        let bytes = seal(&key, nonce, aad.as_bytes(), b"XAES-256-GCM");
        assert_eq!(hex(&bytes), expected);
        assert_eq!(open(&key, nonce, aad.as_bytes(), &bytes).unwrap(), b"XAES-256-GCM");
    }
}

#[test]
fn accumulated_vector_of_ten_thousand_is_met() {
    assert_eq!(accumulated(10_000), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

#[test]
#[ignore = "takes ten seconds: run `cargo xtask test`"]
fn accumulated_vector_of_a_million_is_met() {
    assert_eq!(accumulated(1_000_000), "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15");
}

proptest! {
    #[test]
    fn another_implementation_agrees(
        key: [u8; 32],
        nonce: [u8; NONCE_LEN],
        aad in proptest::collection::vec(any::<u8>(), 0..80),
        plaintext in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let other = xaes_256_gcm::Xaes256Gcm::new(&key.into());
        let theirs = other.encrypt(&nonce.into(), Payload { msg: &plaintext, aad: &aad }).unwrap();
        let ours = seal(&key, &nonce, &aad, &plaintext);
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(open(&key, &nonce, &aad, &theirs), Some(plaintext));
    }

    #[test]
    fn what_does_not_fit_stays_as_it_was(key: [u8; 32], nonce: [u8; NONCE_LEN], text: [u8; 20], tag: [u8; 16]) {
        let mut buffer = text;
        prop_assert!(Xaes256Gcm::new(&key).open(&nonce, b"", &mut buffer, &tag).is_err());
        prop_assert_eq!(buffer, text);
    }
}

/// The published way to condense many vectors into one: inputs from SHAKE128, outputs into another.
fn accumulated(iterations: u32) -> String {
    let mut source = Shake128::default().finalize_xof();
    let mut sink = Shake128::default();
    for _ in 0..iterations {
        let (mut key, mut nonce) = ([0; 32], [0; NONCE_LEN]);
        source.read(&mut key);
        source.read(&mut nonce);
        let mut bytes = || {
            let mut len = [0];
            source.read(&mut len);
            let mut bytes = vec![0; len[0].into()];
            source.read(&mut bytes);
            bytes
        };
        let (plaintext, aad) = (bytes(), bytes());
        let sealed = seal(&key, &nonce, &aad, &plaintext);
        assert_eq!(open(&key, &nonce, &aad, &sealed).as_ref(), Some(&plaintext));
        sink.update(&sealed);
    }
    let mut digest = [0; 32];
    sink.finalize_xof().read(&mut digest);
    hex(&digest)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
