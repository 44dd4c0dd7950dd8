//! A sealed session as the text that a client keeps: an envelope in base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::derive::Subkeys;
use crate::error::{Error, ErrorKind};
use crate::plaintext::Plaintext;
use crate::seal::{self, Binding, ENVELOPE_OVERHEAD, Purpose};
use crate::token::TokenKey;

/// The longest text of a sealed session, in characters: browsers drop cookies of more than 4096 bytes.
pub const MAX_SEALED_TEXT_LEN: usize = 4096;

/// How many characters seal `plaintext_len` bytes.
///
/// ```
/// assert_eq!(cloakroom_codec::sealed_text_len(0), 104);
/// assert_eq!(cloakroom_codec::sealed_text_len(2048), 2835);
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[must_use]
pub const fn sealed_text_len(plaintext_len: usize) -> usize {
    plaintext_len.saturating_add(ENVELOPE_OVERHEAD).saturating_mul(4).div_ceil(3)
}

pub(crate) fn write(
    key: &Subkeys,
    namespace: &str,
    cookie_name: &str,
    plaintext: &[u8],
) -> Result<String, Error> {
    if sealed_text_len(plaintext.len()) > MAX_SEALED_TEXT_LEN {
        return Err(ErrorKind::TooLarge.into());
    }
    seal::seal(key, binding(namespace, cookie_name), plaintext)
        .map(|envelope| URL_SAFE_NO_PAD.encode(envelope))
}

pub(crate) fn read(
    keys: &[Subkeys],
    namespace: &str,
    cookie_name: &str,
    text: &[u8],
) -> Result<(Plaintext, TokenKey), Error> {
    if text.len() > MAX_SEALED_TEXT_LEN {
        return Err(ErrorKind::Malformed.into());
    }
    let envelope = URL_SAFE_NO_PAD.decode(text).map_err(|_| ErrorKind::Malformed)?;
    let is_current = keys.first().is_some_and(|writing| seal::key_id(&envelope) == Some(&writing.id));
    let plaintext = seal::open(keys, binding(namespace, cookie_name), envelope)?;
    Ok((plaintext, if is_current { TokenKey::Writing } else { TokenKey::Old }))
}

const fn binding<'a>(namespace: &'a str, cookie_name: &'a str) -> Binding<'a> {
    Binding { namespace, purpose: Purpose::Cookie, context: cookie_name.as_bytes() }
}
