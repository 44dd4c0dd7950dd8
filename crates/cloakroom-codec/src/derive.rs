//! From one secret to one key per purpose: HKDF-SHA256.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::frame::Frame;
use crate::pae;
use crate::seal::{Binding, Purpose};
use crate::xaes::Xaes256Gcm;

/// HMAC-SHA256 in its keyed state; a clone of it saves hashing the key again.
pub(crate) type HmacSha256 = Hmac<Sha256>;

/// Which key of a ring something was made with; public.
pub(crate) type KeyId = [u8; 4];

/// What a secret is reduced to before any namespace is known.
pub(crate) type Prk = Zeroizing<[u8; 32]>;

const EXTRACT_SALT: &[u8] = b"cloakroom/v1/extract";
const KEY_ID: &[u8] = b"cloakroom/v1/key-id";
pub(crate) const PAYLOAD_AEAD: &[u8] = b"cloakroom/v1/payload-aead";
pub(crate) const PAYLOAD_MAC: &[u8] = b"cloakroom/v1/payload-mac";
pub(crate) const TOKEN: &[u8] = b"cloakroom/v1/token";
pub(crate) const RENEWAL: &[u8] = b"cloakroom/v1/renewal";
pub(crate) const PRINCIPAL_INDEX: &[u8] = b"cloakroom/v1/principal-index";
pub(crate) const CSRF: &[u8] = b"cloakroom/v1/csrf";

/// The keys of one secret within one namespace, scheduled once.
pub(crate) struct Subkeys {
    pub(crate) id: KeyId,
    pub(crate) payload_aead: Xaes256Gcm,
    pub(crate) payload_mac: HmacSha256,
    /// Of records under store keys.
    pub(crate) record_frame: Frame,
    pub(crate) token: HmacSha256,
    pub(crate) renewal: HmacSha256,
    pub(crate) principal_index: HmacSha256,
    pub(crate) csrf: HmacSha256,
}

impl Subkeys {
    pub(crate) fn derive(prk: &Prk, namespace: &str) -> Self {
        let id = key_id(prk, namespace);
        let payload_mac = keyed(&expand(prk, PAYLOAD_MAC, namespace));
        let record = Binding { namespace, purpose: Purpose::Record, context: &[0; 32] };
        Self {
            id,
            payload_aead: Xaes256Gcm::new(&expand(prk, PAYLOAD_AEAD, namespace)),
            record_frame: Frame::new(&payload_mac, &id, record),
            payload_mac,
            token: keyed(&expand(prk, TOKEN, namespace)),
            renewal: keyed(&expand(prk, RENEWAL, namespace)),
            principal_index: keyed(&expand(prk, PRINCIPAL_INDEX, namespace)),
            csrf: keyed(&expand(prk, CSRF, namespace)),
        }
    }
}

/// HKDF-Extract under the salt of this format.
pub(crate) fn extract(secret: &[u8]) -> Prk {
    let (mut output, _) = Hkdf::<Sha256>::extract(Some(EXTRACT_SALT), secret);
    let prk = Zeroizing::new(output.into());
    output.as_mut_slice().zeroize();
    prk
}

/// The public name of a secret within a namespace.
pub(crate) fn key_id(prk: &Prk, namespace: &str) -> KeyId {
    *expand(prk, KEY_ID, namespace)
}

/// HKDF-Expand for one purpose.
#[expect(clippy::expect_used, reason = "32 bytes are a key for HMAC-SHA256, and 32 a length that HKDF gives")]
pub(crate) fn expand<const N: usize>(prk: &Prk, label: &[u8], namespace: &str) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 32) };
    let mut key = Zeroizing::new([0; N]);
    let hkdf = Hkdf::<Sha256>::from_prk(prk.as_slice()).expect("a key of 32 bytes");
    hkdf.expand(&pae::encode(&[label, namespace.as_bytes()]), key.as_mut_slice())
        .expect("a length of at most 32 bytes");
    key
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(key: &[u8; 32]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("a key of 32 bytes")
}

/// HMAC-SHA256 of a list of byte strings.
pub(crate) fn mac_of(key: &HmacSha256, pieces: &[&[u8]]) -> HmacSha256 {
    let mut mac = key.clone();
    pae::feed(pieces, |part| mac.update(part));
    mac
}

/// SHA-256 of a list of byte strings.
pub(crate) fn digest_of(pieces: &[&[u8]]) -> [u8; 32] {
    use sha2::Digest as _;
    let mut digest = Sha256::new();
    pae::feed(pieces, |part| digest.update(part));
    digest.finalize().into()
}

/// SHA-256 of lists of byte strings that begin alike: what they have in common is digested once.
pub(crate) struct Digests(Sha256);

impl Digests {
    /// Of the lists that begin with `first` and go on with `more` pieces, of which the next is `next` bytes long.
    pub(crate) fn begin(first: &[&[u8]], more: usize, next: usize) -> Self {
        use sha2::Digest as _;
        let mut begun = Sha256::new();
        pae::begin(first, more, next, |part| begun.update(part));
        Self(begun)
    }

    /// Of the list that goes on with these pieces.
    pub(crate) fn of(&self, next: &[u8], rest: &[&[u8]]) -> [u8; 32] {
        use sha2::Digest as _;
        let mut digest = self.0.clone();
        pae::go_on(next, rest, |part| digest.update(part));
        digest.finalize().into()
    }
}
