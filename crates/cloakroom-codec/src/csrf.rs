//! The token that a session's forms carry, and what it is bound to.

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

/// What the tokens of a session's forms are bound to: the session, and which login or rotation of it. `Debug`
/// hides it.
///
/// ```
/// use cloakroom_codec::CsrfBinding;
///
/// let binding = CsrfBinding::new([7; 16], 2);
/// assert_eq!(format!("{binding:?}"), "CsrfBinding(..)");
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct CsrfBinding {
    session: [u8; 16],
    generation: [u8; 8],
}

impl CsrfBinding {
    /// Binds to a session, by 16 bytes that no other session of this generation has, such as its handle.
    #[must_use]
    pub const fn new(session: [u8; 16], generation: u64) -> Self {
        Self { session, generation: generation.to_be_bytes() }
    }
}

impl fmt::Debug for CsrfBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfBinding(..)")
    }
}

pub(crate) fn write(key: &Subkeys, namespace: &str, binding: &CsrfBinding) -> Result<String, Error> {
    Ok(write_with_nonce(key, namespace, binding, &random_array()?))
}

/// The nonce makes two tokens of one session differ, so that a page's compressed length tells nothing (BREACH).
pub(crate) fn write_with_nonce(
    key: &Subkeys,
    namespace: &str,
    binding: &CsrfBinding,
    nonce: &[u8; NONCE_LEN],
) -> String {
    let mut bytes = Vec::with_capacity(BYTES_LEN);
    bytes.push(VERSION);
    bytes.extend_from_slice(&key.id);
    bytes.extend_from_slice(nonce);
    let mac = mac(key, namespace, binding, &bytes).finalize().into_bytes();
    bytes.extend(mac.into_iter().take(MAC_LEN));
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn check(
    keys: &[Subkeys],
    namespace: &str,
    binding: &CsrfBinding,
    text: &[u8],
) -> Result<(), Error> {
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
    mac(key, namespace, binding, parts.signed)
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

fn mac(key: &Subkeys, namespace: &str, binding: &CsrfBinding, signed: &[u8]) -> HmacSha256 {
    mac_of(&key.csrf, &[LABEL, namespace.as_bytes(), &binding.session, &binding.generation, signed])
}
