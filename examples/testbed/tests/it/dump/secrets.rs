//! What must not be found in a dump, in each way of writing it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use md5::Md5;
use memchr::memmem;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// How many bytes a token has, and where its handle and its secret are.
pub(super) const TOKEN_BYTES: usize = 53;
const HANDLE: std::ops::Range<usize> = 5..21;
const SECRET: std::ops::Range<usize> = 21..37;

/// Texts that stand nowhere else.
pub(super) const PRINCIPAL: &str = "canary-principal-4711";
pub(super) const KEY: &str = "canary-key-4711";
pub(super) const VALUE: &str = "canary-value-4711";
pub(super) const MESSAGE: &str = "canary-message-4711";

/// As much of a digest as a short one has, so that one that was cut is found, too.
const DIGEST_BYTES: usize = 16;

/// Byte strings, each with what it is.
pub(super) struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    /// The texts, digests of the principal that anybody can compute, and the parts of these tokens.
    pub(super) fn of(tokens: &[String]) -> Self {
        let mut secrets = Vec::new();
        for text in [PRINCIPAL, KEY, VALUE, MESSAGE] {
            secrets.extend(written(text, text.as_bytes()));
        }
        for (name, digest) in digests() {
            secrets.extend(written(&format!("the {name} of the principal"), &digest[..DIGEST_BYTES]));
        }
        for (number, token) in tokens.iter().enumerate() {
            let bytes = URL_SAFE_NO_PAD.decode(token).expect("a token is base64url");
            assert_eq!(bytes.len(), TOKEN_BYTES);
            secrets.push((format!("token {number}"), token.clone().into_bytes()));
            secrets.extend(written(&format!("handle {number}"), &bytes[HANDLE]));
            secrets.extend(written(&format!("secret {number}"), &bytes[SECRET]));
        }
        Self(secrets)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// What of it stands there.
    pub(super) fn shown_by(&self, bytes: &[u8]) -> Vec<&str> {
        let shown = self.0.iter().filter(|(_, needle)| memmem::find(bytes, needle).is_some());
        shown.map(|(what, _)| what.as_str()).collect()
    }

    /// Wants that the search finds each of them in bytes that do show it.
    pub(super) fn are_found_in_the_midst_of(&self, bytes: &[u8]) {
        let (before, after) = bytes.split_at(bytes.len() / 2);
        let tail = &after[..after.len().min(4096)];
        let head = &before[before.len().saturating_sub(4096)..];
        for (what, needle) in &self.0 {
            let planted = [head, needle, tail].concat();
            assert!(self.shown_by(&planted).contains(&what.as_str()), "{what} is not found where it is");
        }
    }
}

/// The digests of the principal that need no key.
pub(super) fn digests() -> [(&'static str, Vec<u8>); 3] {
    [
        ("MD5", Md5::digest(PRINCIPAL).to_vec()),
        ("SHA-1", Sha1::digest(PRINCIPAL).to_vec()),
        ("SHA-256", Sha256::digest(PRINCIPAL).to_vec()),
    ]
}

/// Bytes as they are, in hexadecimal, and in base64 at each of its three alignments.
fn written(what: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut ways = vec![
        (what.to_owned(), bytes.to_vec()),
        (format!("{what} in hexadecimal"), hex.clone().into_bytes()),
        (format!("{what} in capital hexadecimal"), hex.to_uppercase().into_bytes()),
    ];
    for shift in 0..3 {
        let shifted = [&[0; 3][..shift], bytes].concat();
        for encoded in [URL_SAFE_NO_PAD.encode(&shifted), STANDARD_NO_PAD.encode(&shifted)] {
            // The first and last characters depend on the neighbours, too.
            let inside = &encoded.as_bytes()[[0, 2, 3][shift]..encoded.len() - 1];
            ways.push((format!("{what} in base64"), inside.to_vec()));
        }
    }
    ways
}
