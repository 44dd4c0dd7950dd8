//! The secrets of a service: the first writes, all read.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::derive::{Prk, Subkeys, extract};
use crate::error::{Error, ErrorKind};
use crate::keys::Keys;
use crate::random::random_array;

/// The secrets of a service: the first one writes, all of them read, an absent one is revoked.
///
/// Publish a new secret by adding it second on every server, then move it first; drop the old one once no
/// session sealed under it can be alive. A ring holds 1 to 8 secrets of 32 to 1024 bytes each. It is not
/// `Clone`, its `Debug` shows nothing, and its memory is wiped when it is dropped.
///
/// ```
/// use cloakroom_codec::KeyRing;
///
/// let ring = KeyRing::generate();
/// let keys = ring.bind("shop")?;
/// assert_eq!(keys.namespace(), "shop");
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
pub struct KeyRing {
    prks: Vec<Prk>,
}

/// At most this many secrets stand in one ring.
const MAX_SECRETS: usize = 8;
/// A secret has at least this many bytes.
const MIN_SECRET_LEN: usize = 32;
/// A secret has at most this many bytes.
const MAX_SECRET_LEN: usize = 1024;
/// A namespace has at most this many bytes.
const MAX_NAMESPACE_LEN: usize = 128;

impl KeyRing {
    /// Reads a ring from text, as it stands in an environment variable: `"new,old"`.
    ///
    /// The secrets are base64, in the standard or the URL-safe alphabet, with or without padding, separated
    /// by commas; white space around them is ignored. The first one writes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with a message that says what to do: no secret, more than 8, text that is not
    /// base64, a secret shorter than 32 or longer than 1024 bytes, one that stands twice, one that repeats a
    /// single byte, or one that is printed in the documentation.
    ///
    /// ```
    /// use cloakroom_codec::{ErrorKind, KeyRing};
    ///
    /// let refused = KeyRing::parse("c2hvcnQ=").map_err(|error| error.kind());
    /// assert_eq!(refused.err(), Some(ErrorKind::Config));
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Err(config(
                "the key ring is empty: give at least one secret of 32 random bytes in base64",
            ));
        }
        let mut secrets = Vec::new();
        for part in text.split(',').map(str::trim) {
            if secrets.len() == MAX_SECRETS {
                return Err(config("the key ring has more than 8 secrets: drop the oldest"));
            }
            secrets.push(decode(part)?);
        }
        Self::from_secrets(secrets.iter().map(|secret| secret.as_slice()))
    }

    /// Makes a ring of secrets that are bytes already. The first one writes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for everything that [`parse`](Self::parse) refuses, but for the base64.
    ///
    /// ```
    /// use cloakroom_codec::{KeyRing, random_array};
    ///
    /// let (new, old) = (random_array::<32>()?, random_array::<48>()?);
    /// let ring = KeyRing::from_secrets([&new[..], &old[..]])?;
    /// # let _ = ring;
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    pub fn from_secrets<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let mut prks: Vec<Prk> = Vec::new();
        for secret in secrets {
            let secret = secret.as_ref();
            if prks.len() == MAX_SECRETS {
                return Err(config("the key ring has more than 8 secrets: drop the oldest"));
            }
            check(secret)?;
            let prk = extract(secret);
            if prks.iter().any(|known| **known == *prk) {
                return Err(config("a secret stands twice in the key ring: remove one of the two"));
            }
            prks.push(prk);
        }
        if prks.is_empty() {
            return Err(config("the key ring is empty: give at least one secret of 32 random bytes"));
        }
        Ok(Self { prks })
    }

    /// Draws one fresh secret of 32 bytes.
    ///
    /// Sessions sealed under it end with the process: it is for tests and for trying things out.
    ///
    /// # Panics
    ///
    /// When the operating system gives no random bytes: nothing that a session promises holds without them.
    ///
    /// ```
    /// let keys = cloakroom_codec::KeyRing::generate().bind("shop")?;
    /// # let _ = keys;
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    #[must_use]
    pub fn generate() -> Self {
        #[expect(clippy::expect_used, reason = "documented: there is no fallback for randomness")]
        let secret = Zeroizing::new(random_array::<32>().expect("the operating system gives random bytes"));
        Self { prks: vec![extract(secret.as_slice())] }
    }

    /// Derives the keys of one namespace. The same secrets give unrelated keys in another one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`]: the namespace is not 1 to 128 bytes long, or two secrets have one key id within
    /// it (one chance in four thousand million for each pair).
    ///
    /// ```
    /// let ring = cloakroom_codec::KeyRing::generate();
    /// let (shop, admin) = (ring.bind("shop")?, ring.bind("admin")?);
    /// # let _ = (shop, admin);
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    pub fn bind(&self, namespace: &str) -> Result<Keys, Error> {
        if namespace.is_empty() || namespace.len() > MAX_NAMESPACE_LEN {
            return Err(config("the namespace must be 1 to 128 bytes long: choose another"));
        }
        let mut keys: Vec<Subkeys> = Vec::with_capacity(self.prks.len());
        for prk in &self.prks {
            let subkeys = Subkeys::derive(prk, namespace);
            if keys.iter().any(|known| known.id == subkeys.id) {
                return Err(config("two secrets have the same key id: replace one of them with a fresh one"));
            }
            keys.push(subkeys);
        }
        Ok(Keys::new(namespace, keys))
    }

    /// A ring of secrets that the documentation prints, for the vectors that it prints them in.
    #[cfg(test)]
    pub(crate) fn documented() -> Self {
        Self { prks: DOCUMENTED.iter().map(|secret| extract(secret)).collect() }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").finish_non_exhaustive()
    }
}

/// Secrets that the documentation prints: whoever has read it could log in as anybody.
const DOCUMENTED: [[u8; 32]; 2] = [ascending(0), ascending(32)];

const fn ascending(first: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut next = first;
    let mut rest: &mut [u8] = &mut bytes;
    while let [head, tail @ ..] = rest {
        *head = next;
        next += 1;
        rest = tail;
    }
    bytes
}

fn check(secret: &[u8]) -> Result<(), Error> {
    if secret.len() < MIN_SECRET_LEN {
        return Err(config("a secret is shorter than 32 bytes: draw 32 random ones"));
    }
    if secret.len() > MAX_SECRET_LEN {
        return Err(config("a secret is longer than 1024 bytes: 32 random ones are enough"));
    }
    if secret.iter().all(|byte| secret.first() == Some(byte)) {
        return Err(config("a secret repeats one byte: draw 32 random ones"));
    }
    if DOCUMENTED.iter().any(|known| known == secret) {
        return Err(config("a secret is printed in the documentation: draw 32 random bytes of your own"));
    }
    Ok(())
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

fn decode(part: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Before any decoding: a file given by mistake is not read into memory a second time.
    if part.len() > MAX_SECRET_LEN.div_ceil(3) * 4 {
        return Err(config("a secret is longer than 1024 bytes: 32 random ones are enough"));
    }
    let engine = if part.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    let mut bytes = Zeroizing::new(vec![0; part.len().div_ceil(4) * 3]);
    // The decoder's own error names a character of the secret: it is left out.
    let Ok(len) = engine.decode_slice(part, &mut bytes) else {
        return Err(config("a secret is not base64: separate secrets by commas, and encode each"));
    };
    bytes.truncate(len);
    Ok(bytes)
}

fn config(sentence: &'static str) -> Error {
    Error::new(ErrorKind::Config).with_message(sentence)
}

#[cfg(test)]
mod tests;
