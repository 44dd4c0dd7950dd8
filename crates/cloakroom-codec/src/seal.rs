//! The envelope around a payload: who may read it, and that nobody changed it.
//!
//! `version ‖ purpose ‖ key id ‖ nonce ‖ ciphertext ‖ tag ‖ HMAC`. XAES-256-GCM gives confidentiality. The HMAC
//! is checked first: it commits to the key, it still holds after a nonce was used twice, and it keeps hostile
//! bytes away from AES and from MessagePack.

use std::borrow::Cow;
use std::ops::Range;

use hmac::Mac as _;
use zeroize::Zeroizing;

use crate::cursor::{Broken, Cursor};
use crate::derive::{KeyId, Subkeys};
use crate::error::{Error, ErrorKind};
use crate::frame::Frame;
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
    pub(crate) const fn byte(self) -> u8 {
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

pub(crate) const VERSION: u8 = 1;
const HEADER_LEN: usize = 6;
const MAC_LEN: usize = 32;

/// What an envelope is bound to, besides its own bytes.
#[derive(Clone, Copy)]
pub(crate) struct Binding<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) purpose: Purpose,
    pub(crate) context: &'a [u8],
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
    let frame = frame(key, binding);
    let bound = frame.bytes(binding.context, plaintext.len() + ENVELOPE_OVERHEAD - MAC_LEN);
    let mut envelope = Vec::with_capacity(plaintext.len() + ENVELOPE_OVERHEAD);
    envelope.extend_from_slice(&[VERSION, binding.purpose.byte()]);
    envelope.extend_from_slice(&key.id);
    envelope.extend_from_slice(nonce);
    let start = envelope.len();
    envelope.extend_from_slice(plaintext);
    let buffer = envelope.get_mut(start..).unwrap_or_default();
    let tag = key.payload_aead.seal(nonce, frame.aad(&bound), buffer).map_err(|_| ErrorKind::TooLarge)?;
    envelope.extend_from_slice(&tag);
    let mac = frame.mac(&bound, &envelope).finalize().into_bytes();
    envelope.extend_from_slice(&mac);
    Ok(envelope)
}

/// Opens an envelope, in the memory that it came in if that is given away. No other function may look at its bytes before
/// its MAC is checked, and what is lent is copied only then.
pub(crate) fn open<E: AsRef<[u8]> + Into<Vec<u8>>>(
    keys: &[Subkeys],
    binding: Binding<'_>,
    envelope: E,
) -> Result<Plaintext, Error> {
    let parts = Parts::split(envelope.as_ref())?;
    if parts.version != VERSION {
        return Err(ErrorKind::Unsupported.into());
    }
    if parts.purpose != binding.purpose.byte() {
        return Err(ErrorKind::BadSeal.into());
    }
    let key = keys.iter().find(|key| key.id == parts.key_id).ok_or(ErrorKind::UnknownKey)?;
    let frame = frame(key, binding);
    let bound = frame.bytes(binding.context, parts.signed.len());
    frame.mac(&bound, parts.signed).verify_slice(&parts.mac).map_err(|_| ErrorKind::BadSeal)?;

    let Parts { nonce, ciphertext: range, tag, .. } = parts;
    let mut buffer = Zeroizing::new(envelope.into());
    let ciphertext = buffer.get_mut(range.clone()).unwrap_or_default();
    key.payload_aead.open(&nonce, frame.aad(&bound), ciphertext, &tag).map_err(|_| ErrorKind::BadSeal)?;
    Ok(Plaintext::within(buffer, range))
}

/// The frame of such an envelope: that of records is at hand.
fn frame<'k>(key: &'k Subkeys, binding: Binding<'_>) -> Cow<'k, Frame> {
    if key.record_frame.fits(binding) {
        Cow::Borrowed(&key.record_frame)
    } else {
        Cow::Owned(Frame::new(&key.payload_mac, &key.id, binding))
    }
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

#[cfg(test)]
mod tests;
