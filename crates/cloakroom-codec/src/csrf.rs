//! The token that a session's forms carry, and the seed that it is bound to.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;

use crate::cursor::{Broken, Cursor};
use crate::derive::{HmacSha256, KeyId, Subkeys, mac_of};
use crate::error::{Error, ErrorKind};
use crate::random::random_array;

/// The length of a form's token in characters; every one has it.
pub const CSRF_TOKEN_LEN: usize = 50;

const VERSION: u8 = 1;
const NONCE_LEN: usize = 16;
const SIGNED_LEN: usize = 21;
const MAC_LEN: usize = 16;
const BYTES_LEN: usize = SIGNED_LEN + MAC_LEN;
const LABEL: &[u8] = b"cloakroom/v1/csrf-token";

/// What the tokens of a session's forms are bound to; the record keeps it, and nobody else learns it. `Debug`
/// hides it.
///
/// ```
/// use cloakroom_codec::CsrfSeed;
///
/// let seed = CsrfSeed::random()?;
/// assert_eq!(format!("{seed:?}"), "CsrfSeed(..)");
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct CsrfSeed([u8; 16]);

impl CsrfSeed {
    /// Draws a fresh seed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Random`]: the operating system gave no random bytes.
    pub fn random() -> Result<Self, Error> {
        random_array().map(Self)
    }

    /// Takes 16 bytes as a seed.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for CsrfSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfSeed(..)")
    }
}

pub(crate) fn write(key: &Subkeys, namespace: &str, seed: &CsrfSeed) -> Result<String, Error> {
    Ok(write_with_nonce(key, namespace, seed, &random_array()?))
}

/// The nonce makes two tokens of one seed differ, so that a page's compressed length tells nothing (BREACH).
pub(crate) fn write_with_nonce(
    key: &Subkeys,
    namespace: &str,
    seed: &CsrfSeed,
    nonce: &[u8; NONCE_LEN],
) -> String {
    let mut bytes = Vec::with_capacity(BYTES_LEN);
    bytes.push(VERSION);
    bytes.extend_from_slice(&key.id);
    bytes.extend_from_slice(nonce);
    let mac = mac(key, namespace, seed, &bytes).finalize().into_bytes();
    bytes.extend(mac.into_iter().take(MAC_LEN));
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn check(keys: &[Subkeys], namespace: &str, seed: &CsrfSeed, text: &[u8]) -> Result<(), Error> {
    if text.len() != CSRF_TOKEN_LEN {
        return Err(ErrorKind::Malformed.into());
    }
    let mut buffer = [0; CSRF_TOKEN_LEN.div_ceil(4) * 3];
    let len = URL_SAFE_NO_PAD.decode_slice(text, &mut buffer).map_err(|_| ErrorKind::Malformed)?;
    let parts = Parts::split(buffer.get(..len).ok_or(ErrorKind::Malformed)?)?;
    if parts.version != VERSION {
        return Err(ErrorKind::Unsupported.into());
    }
    let key = keys.iter().find(|key| key.id == parts.key_id).ok_or(ErrorKind::UnknownKey)?;
    mac(key, namespace, seed, parts.signed)
        .verify_truncated_left(&parts.mac)
        .map_err(|_| ErrorKind::BadSeal.into())
}

struct Parts<'a> {
    version: u8,
    key_id: KeyId,
    signed: &'a [u8],
    mac: [u8; MAC_LEN],
}

impl<'a> Parts<'a> {
    fn split(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut cursor = Cursor::new(bytes);
        let version = cursor.byte()?;
        let key_id = cursor.array()?;
        let _: [u8; NONCE_LEN] = cursor.array()?;
        let parts = Self { version, key_id, signed: cursor.read(), mac: cursor.array()? };
        cursor.end()?;
        Ok(parts)
    }
}

fn mac(key: &Subkeys, namespace: &str, seed: &CsrfSeed, signed: &[u8]) -> HmacSha256 {
    mac_of(&key.csrf, &[LABEL, namespace.as_bytes(), &seed.0, signed])
}
