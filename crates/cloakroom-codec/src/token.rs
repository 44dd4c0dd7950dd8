//! The token that the client keeps, and its parts.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::cursor::{Broken, Cursor};
use crate::derive::{HmacSha256, KeyId, Subkeys, mac_of};
use crate::error::{Error, ErrorKind};
use crate::random::random_array;

/// The length of a token in characters; every token has it.
pub const TOKEN_LEN: usize = 71;

const VERSION: u8 = 1;
const SIGNED_LEN: usize = 37;
const MAC_LEN: usize = 16;
const BYTES_LEN: usize = SIGNED_LEN + MAC_LEN;
const LABEL: &[u8] = b"cloakroom/v1/token-mac";

/// Selects a session's record; never changes while the session lives. `Debug` hides it.
///
/// ```
/// use cloakroom_codec::Handle;
///
/// let handle = Handle::random()?;
/// assert_eq!(format!("{handle:?}"), "Handle(..)");
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handle([u8; 16]);

impl Handle {
    /// Draws a fresh handle.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Random`]: the operating system gave no random bytes.
    pub fn random() -> Result<Self, Error> {
        random_array().map(Self)
    }

    /// Takes 16 bytes as a handle.
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

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(..)")
    }
}

/// Proves that a client owns a session; rotates. `Debug` hides it, and its memory is wiped on drop.
///
/// Secrets are compared by their hashes, in constant time: [`SecretHash::matches`].
///
/// ```
/// use cloakroom_codec::Secret;
///
/// let secret = Secret::random()?;
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 16]>);

impl Secret {
    /// Draws a fresh secret.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Random`]: the operating system gave no random bytes.
    pub fn random() -> Result<Self, Error> {
        random_array().map(Self::from_bytes)
    }

    /// Takes 16 bytes as a secret.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A handle and a secret for a new session, drawn at once.
///
/// ```
/// let (handle, secret) = cloakroom_codec::random_identity()?;
/// let keys = cloakroom_codec::KeyRing::generate().bind("shop")?;
/// assert_eq!(keys.read_token("id", keys.write_token("id", &handle, &secret).as_bytes())?.handle, handle);
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Random`]: the operating system gave no random bytes.
pub fn random_identity() -> Result<(Handle, Secret), Error> {
    let drawn: Zeroizing<[u8; 32]> = Zeroizing::new(random_array()?);
    let (mut handle, mut secret) = ([0; 16], Zeroizing::new([0; 16]));
    let (first, second) = drawn.split_at(16);
    handle.copy_from_slice(first);
    secret.copy_from_slice(second);
    Ok((Handle(handle), Secret(secret)))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What the record keeps of a [`Secret`]: SHA-256 of namespace, handle and secret. `Debug` hides it.
///
/// ```
/// use cloakroom_codec::{Handle, KeyRing, Secret};
///
/// let keys = KeyRing::generate().bind("shop")?;
/// let (handle, secret) = (Handle::random()?, Secret::random()?);
/// let kept = keys.secret_hash(&handle, &secret);
/// assert!(kept.matches(&keys.secret_hash(&handle, &secret)));
/// assert!(!kept.matches(&keys.secret_hash(&handle, &Secret::random()?)));
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Takes 32 bytes as a hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of one secret. Takes the same time wherever they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// A token whose MAC fits. `Debug` hides handle and secret.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a token of this version has no other parts")]
pub struct Token {
    /// Selects the record.
    pub handle: Handle,
    /// Proves ownership, if the record agrees.
    pub secret: Secret,
    /// Which key the token is authentic under.
    pub key: TokenKey,
}

/// Which key of the ring a [`Token`] is authentic under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a key writes or it does not")]
pub enum TokenKey {
    /// The one that writes.
    Writing,
    /// One that no longer writes: re-issue the token, so that the key can be dropped.
    Old,
}

/// Text that is as long as a token, and that nobody has looked at yet; wiped when it goes. `Debug` hides it.
///
/// ```
/// use cloakroom_codec::{TOKEN_LEN, TokenText};
///
/// assert!(TokenText::of(&[b'A'; TOKEN_LEN]).is_some());
/// assert!(TokenText::of(b"anything else").is_none());
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone)]
pub struct TokenText(Zeroizing<[u8; TOKEN_LEN]>);

impl TokenText {
    /// A copy of it; `None` for text of another length.
    #[must_use]
    pub fn of(text: &[u8]) -> Option<Self> {
        text.try_into().ok().map(|text| Self(Zeroizing::new(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; TOKEN_LEN] {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(..)")
    }
}

pub(crate) fn write(
    key: &Subkeys,
    namespace: &str,
    cookie_name: &str,
    handle: &Handle,
    secret: &Secret,
) -> String {
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_LEN));
    bytes.push(VERSION);
    bytes.extend_from_slice(&key.id);
    bytes.extend_from_slice(&handle.0);
    bytes.extend_from_slice(secret.as_bytes());
    let mac = mac(key, namespace, cookie_name, &bytes).finalize().into_bytes();
    bytes.extend(mac.into_iter().take(MAC_LEN));
    URL_SAFE_NO_PAD.encode(&*bytes)
}

pub(crate) fn read(
    keys: &[Subkeys],
    namespace: &str,
    cookie_name: &str,
    text: &[u8],
) -> Result<Token, Error> {
    if text.len() != TOKEN_LEN {
        return Err(ErrorKind::Malformed.into());
    }
    let mut buffer = Zeroizing::new([0; TOKEN_LEN.div_ceil(4) * 3]);
    let len = URL_SAFE_NO_PAD.decode_slice(text, buffer.as_mut_slice()).map_err(|_| ErrorKind::Malformed)?;
    let bytes = buffer.get(..len).ok_or(ErrorKind::Malformed)?;
    let parts = Parts::split(bytes)?;
    if parts.version != VERSION {
        return Err(ErrorKind::Unsupported.into());
    }
    let at = keys.iter().position(|key| key.id == parts.key_id).ok_or(ErrorKind::UnknownKey)?;
    let key = keys.get(at).ok_or(ErrorKind::UnknownKey)?;
    mac(key, namespace, cookie_name, parts.signed)
        .verify_truncated_left(&parts.mac)
        .map_err(|_| ErrorKind::BadSeal)?;
    Ok(Token {
        handle: Handle(parts.handle),
        secret: Secret(parts.secret),
        key: if at == 0 { TokenKey::Writing } else { TokenKey::Old },
    })
}

struct Parts<'a> {
    version: u8,
    key_id: KeyId,
    handle: [u8; 16],
    secret: Zeroizing<[u8; 16]>,
    signed: &'a [u8],
    mac: [u8; MAC_LEN],
}

impl<'a> Parts<'a> {
    fn split(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut cursor = Cursor::new(bytes);
        let parts = Self {
            version: cursor.byte()?,
            key_id: cursor.array()?,
            handle: cursor.array()?,
            secret: Zeroizing::new(cursor.array()?),
            signed: cursor.read(),
            mac: cursor.array()?,
        };
        cursor.end()?;
        Ok(parts)
    }
}

fn mac(key: &Subkeys, namespace: &str, cookie_name: &str, signed: &[u8]) -> HmacSha256 {
    mac_of(&key.token, &[LABEL, namespace.as_bytes(), cookie_name.as_bytes(), signed])
}
