//! The envelope around a payload: who may read it, and that nobody changed it.
//!
//! `version ‖ purpose ‖ key id ‖ nonce ‖ ciphertext ‖ tag ‖ HMAC`. XAES-256-GCM gives confidentiality. The HMAC
//! is checked first: it commits to the key, it still holds after a nonce was used twice, and it keeps hostile
//! bytes away from AES and from MessagePack.

use std::ops::Range;

use hmac::Mac as _;
use zeroize::Zeroizing;

use crate::cursor::{Broken, Cursor};
use crate::derive::{HmacSha256, KeyId, Subkeys, mac_of};
use crate::error::{Error, ErrorKind};
use crate::pae::{self, Encoding};
use crate::plaintext::Plaintext;
use crate::random::random_array;
use crate::xaes::{NONCE_LEN, TAG_LEN};

/// What an envelope is for; one purpose's envelope does not open as another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// A record in a store; its context is the store key.
    Record,
    /// A sealed session that the client keeps; its context is the cookie's name.
    Cookie,
}

impl Purpose {
    const fn byte(self) -> u8 {
        match self {
            Self::Record => 0x01,
            Self::Cookie => 0x02,
        }
    }
}

/// By how many bytes an envelope is longer than what it seals.
pub const ENVELOPE_OVERHEAD: usize = HEADER_LEN + NONCE_LEN + TAG_LEN + MAC_LEN;

/// At most this many bytes are sealed in one envelope: 1 MiB.
pub const MAX_PLAINTEXT_LEN: usize = 1 << 20;

const VERSION: u8 = 1;
const HEADER_LEN: usize = 6;
const MAC_LEN: usize = 32;
const AAD_LABEL: &[u8] = b"cloakroom/v1/envelope-aad";
const MAC_LABEL: &[u8] = b"cloakroom/v1/envelope-mac";

/// What an envelope is bound to, besides its own bytes.
#[derive(Clone, Copy)]
pub(crate) struct Binding<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) purpose: Purpose,
    pub(crate) context: &'a [u8],
}

impl Binding<'_> {
    fn aad(&self, header: &[u8]) -> Encoding {
        pae::encode(&[AAD_LABEL, header, self.namespace.as_bytes(), self.context])
    }
}

pub(crate) fn seal(key: &Subkeys, binding: Binding<'_>, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    seal_with_nonce(key, binding, plaintext, &random_array()?)
}

/// The nonce must never have been used under this key.
pub(crate) fn seal_with_nonce(
    key: &Subkeys,
    binding: Binding<'_>,
    plaintext: &[u8],
    nonce: &[u8; NONCE_LEN],
) -> Result<Vec<u8>, Error> {
    if plaintext.len() > MAX_PLAINTEXT_LEN {
        return Err(ErrorKind::TooLarge.into());
    }
    let mut envelope = Vec::with_capacity(plaintext.len() + ENVELOPE_OVERHEAD);
    envelope.extend_from_slice(&[VERSION, binding.purpose.byte()]);
    envelope.extend_from_slice(&key.id);
    let aad = binding.aad(&envelope);
    envelope.extend_from_slice(nonce);
    let start = envelope.len();
    envelope.extend_from_slice(plaintext);
    let buffer = envelope.get_mut(start..).unwrap_or_default();
    let tag = key.payload_aead.seal(nonce, &aad, buffer).map_err(|_| ErrorKind::TooLarge)?;
    envelope.extend_from_slice(&tag);
    let mac = mac(key, &aad, &envelope).finalize().into_bytes();
    envelope.extend_from_slice(&mac);
    Ok(envelope)
}

/// Opens an envelope in the memory that it came in.
pub(crate) fn open(keys: &[Subkeys], binding: Binding<'_>, envelope: Vec<u8>) -> Result<Plaintext, Error> {
    let Verified { key, aad, nonce, tag, range } = verify(keys, binding, &envelope)?;
    let mut buffer = Zeroizing::new(envelope);
    let ciphertext = buffer.get_mut(range.clone()).unwrap_or_default();
    key.payload_aead.open(&nonce, &aad, ciphertext, &tag).map_err(|_| ErrorKind::BadSeal)?;
    Ok(Plaintext::within(buffer, range))
}

/// Splits an envelope and checks its MAC: nothing else may look at its bytes before.
fn verify<'k>(keys: &'k [Subkeys], binding: Binding<'_>, envelope: &[u8]) -> Result<Verified<'k>, Error> {
    let parts = Parts::split(envelope)?;
    if parts.version != VERSION {
        return Err(ErrorKind::Unsupported.into());
    }
    if parts.purpose != binding.purpose.byte() {
        return Err(ErrorKind::BadSeal.into());
    }
    let key = keys.iter().find(|key| key.id == parts.key_id).ok_or(ErrorKind::UnknownKey)?;
    let aad = binding.aad(parts.header);
    mac(key, &aad, parts.signed).verify_slice(&parts.mac).map_err(|_| ErrorKind::BadSeal)?;
    Ok(Verified { key, aad, nonce: parts.nonce, tag: parts.tag, range: parts.ciphertext })
}

/// What opens the ciphertext of an envelope whose MAC is good.
struct Verified<'k> {
    key: &'k Subkeys,
    aad: Encoding,
    nonce: [u8; NONCE_LEN],
    tag: [u8; TAG_LEN],
    /// Where the ciphertext stands.
    range: Range<usize>,
}

/// The id of the key that an envelope claims to be sealed under.
pub(crate) fn key_id(envelope: &[u8]) -> Option<&KeyId> {
    envelope.get(2..)?.first_chunk()
}

/// The first bytes of the nonce of an envelope.
pub(crate) fn mark(envelope: &[u8]) -> Option<[u8; 8]> {
    envelope.get(HEADER_LEN..)?.first_chunk().copied()
}

struct Parts<'a> {
    version: u8,
    purpose: u8,
    key_id: KeyId,
    header: &'a [u8],
    nonce: [u8; NONCE_LEN],
    /// Where it stands.
    ciphertext: Range<usize>,
    tag: [u8; TAG_LEN],
    signed: &'a [u8],
    mac: [u8; MAC_LEN],
}

impl<'a> Parts<'a> {
    fn split(envelope: &'a [u8]) -> Result<Self, Broken> {
        let ciphertext_len = envelope.len().checked_sub(ENVELOPE_OVERHEAD).ok_or(Broken)?;
        if ciphertext_len > MAX_PLAINTEXT_LEN {
            return Err(Broken);
        }
        let mut cursor = Cursor::new(envelope);
        Ok(Self {
            version: cursor.byte()?,
            purpose: cursor.byte()?,
            key_id: cursor.array()?,
            header: cursor.read(),
            nonce: cursor.array()?,
            ciphertext: {
                let start = cursor.position();
                cursor.take(ciphertext_len)?;
                start..cursor.position()
            },
            tag: cursor.array()?,
            signed: cursor.read(),
            mac: cursor.array()?,
        })
    }
}

fn mac(key: &Subkeys, aad: &[u8], signed: &[u8]) -> HmacSha256 {
    mac_of(&key.payload_mac, &[MAC_LABEL, aad, signed])
}

#[cfg(test)]
mod tests;
