//! A key ring within one namespace: everything that needs a key.

use std::fmt;

use hmac::Mac as _;
use zeroize::Zeroize as _;

use crate::csrf::{self, CsrfBinding};
use crate::derive::{Digests, Subkeys, digest_of, mac_of};
use crate::error::Error;
use crate::plaintext::Plaintext;
use crate::seal::{self, Binding, Purpose};
use crate::sealed_text;
use crate::token::{self, Handle, Secret, SecretHash, Token, TokenKey};

const RENEWAL: &[u8] = b"cloakroom/v1/renewal-secret";
const STORE_KEY: &[u8] = b"cloakroom/v1/store-key";
const SECRET_HASH: &[u8] = b"cloakroom/v1/secret-hash";
const PRINCIPAL_TAG: &[u8] = b"cloakroom/v1/principal-tag";
const FINGERPRINT: &[u8] = b"cloakroom/v1/fingerprint-hash";

/// A [`KeyRing`](crate::KeyRing) within one namespace: it seals, signs, and hashes.
///
/// The key for reading is chosen by the key id that the bytes carry, and never by trial. `Debug` shows the
/// namespace and the number of keys.
///
/// ```
/// use cloakroom_codec::{KeyRing, Purpose};
///
/// let keys = KeyRing::generate().bind("shop")?;
/// let envelope = keys.seal(Purpose::Record, b"store key", b"payload")?;
/// assert_eq!(&*keys.open(Purpose::Record, b"store key", &envelope)?, b"payload");
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
pub struct Keys {
    namespace: Box<str>,
    /// Never empty; the first one writes.
    keys: Vec<Subkeys>,
    store_keys: Digests,
    secret_hashes: Digests,
}

impl Keys {
    pub(crate) fn new(namespace: &str, keys: Vec<Subkeys>) -> Self {
        let handle_len = size_of::<Handle>();
        let store_keys = Digests::begin(&[STORE_KEY, namespace.as_bytes()], 1, handle_len);
        let secret_hashes = Digests::begin(&[SECRET_HASH, namespace.as_bytes()], 2, handle_len);
        Self { namespace: namespace.into(), keys, store_keys, secret_hashes }
    }

    /// The namespace that the keys belong to.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Encrypts and signs `plaintext`, bound to the namespace, `purpose` and `context`, under the key that
    /// writes. The nonce is random: two seals of the same bytes differ.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge): `plaintext` is longer than 1 MiB.
    /// - [`ErrorKind::Random`](crate::ErrorKind::Random): the operating system gave no random bytes.
    pub fn seal(&self, purpose: Purpose, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        seal::seal(self.writing(), self.binding(purpose, context), plaintext)
    }

    /// Gives back what was sealed for the same namespace, `purpose` and `context`.
    ///
    /// The MAC is checked, in constant time, before any byte is decrypted.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Malformed`](crate::ErrorKind::Malformed): too short or too long to be an envelope.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported): an envelope of another version.
    /// - [`ErrorKind::UnknownKey`](crate::ErrorKind::UnknownKey): its key is not in the ring.
    /// - [`ErrorKind::BadSeal`](crate::ErrorKind::BadSeal): anything else; which check failed is not told.
    pub fn open(&self, purpose: Purpose, context: &[u8], envelope: &[u8]) -> Result<Plaintext, Error> {
        seal::open(&self.keys, self.binding(purpose, context), envelope)
    }

    /// As [`open`](Self::open), in the memory that the envelope came in: nothing is copied.
    ///
    /// ```
    /// use cloakroom_codec::{KeyRing, Purpose};
    ///
    /// let keys = KeyRing::generate().bind("shop")?;
    /// let envelope = keys.seal(Purpose::Record, b"store key", b"payload")?;
    /// assert_eq!(&*keys.open_owned(Purpose::Record, b"store key", envelope)?, b"payload");
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_owned(
        &self,
        purpose: Purpose,
        context: &[u8],
        envelope: Vec<u8>,
    ) -> Result<Plaintext, Error> {
        seal::open(&self.keys, self.binding(purpose, context), envelope)
    }

    /// Whether `envelope` claims to be sealed under the key that writes.
    #[must_use]
    pub fn is_current(&self, envelope: &[u8]) -> bool {
        seal::key_id(envelope) == Some(&self.writing().id)
    }

    /// Random bytes that tell this sealing from every other, of the same bytes too; `None` of what is too short for one.
    ///
    /// They are no secret, and nobody vouches for them: a part of the nonce.
    ///
    /// ```
    /// use cloakroom_codec::{KeyRing, Keys, Purpose};
    ///
    /// let keys = KeyRing::generate().bind("shop")?;
    /// let sealed = || keys.seal(Purpose::Record, b"store key", b"payload");
    /// assert_ne!(Keys::mark(&sealed()?), Keys::mark(&sealed()?));
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    #[must_use]
    pub fn mark(envelope: &[u8]) -> Option<[u8; 8]> {
        seal::mark(envelope)
    }

    /// Seals a whole session into text that a cookie called `cookie_name` may hold unquoted, for clients that
    /// keep their session themselves.
    ///
    /// ```
    /// use cloakroom_codec::{KeyRing, TokenKey};
    ///
    /// let keys = KeyRing::generate().bind("shop")?;
    /// let text = keys.write_sealed("__Host-session", b"state")?;
    /// let (state, key) = keys.read_sealed("__Host-session", text.as_bytes())?;
    /// assert_eq!((&*state, key), (b"state".as_slice(), TokenKey::Writing));
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge): the text would be longer than
    ///   [`MAX_SEALED_TEXT_LEN`](crate::MAX_SEALED_TEXT_LEN).
    /// - [`ErrorKind::Random`](crate::ErrorKind::Random): the operating system gave no random bytes.
    pub fn write_sealed(&self, cookie_name: &str, plaintext: &[u8]) -> Result<String, Error> {
        sealed_text::write(self.writing(), &self.namespace, cookie_name, plaintext)
    }

    /// Opens what [`write_sealed`](Self::write_sealed) of this ring sealed for `cookie_name`, and tells under
    /// which key it was.
    ///
    /// Exactly one text is accepted for each envelope.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for text that is too long or no canonical
    /// base64url, and those of [`open`](Self::open).
    pub fn read_sealed(&self, cookie_name: &str, text: &[u8]) -> Result<(Plaintext, TokenKey), Error> {
        sealed_text::read(&self.keys, &self.namespace, cookie_name, text)
    }

    /// Writes the token of a session, in [`TOKEN_LEN`](crate::TOKEN_LEN) characters that a cookie may hold
    /// unquoted, signed under the key that writes and bound to `cookie_name`.
    ///
    /// ```
    /// use cloakroom_codec::{Handle, KeyRing, Secret, TOKEN_LEN, TokenKey};
    ///
    /// let keys = KeyRing::generate().bind("shop")?;
    /// let (handle, secret) = (Handle::random()?, Secret::random()?);
    /// let text = keys.write_token("__Host-session", &handle, &secret);
    /// assert_eq!(text.len(), TOKEN_LEN);
    ///
    /// let token = keys.read_token("__Host-session", text.as_bytes())?;
    /// assert_eq!((token.handle, token.key), (handle, TokenKey::Writing));
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    #[must_use]
    pub fn write_token(&self, cookie_name: &str, handle: &Handle, secret: &Secret) -> String {
        token::write(self.writing(), &self.namespace, cookie_name, handle, secret)
    }

    /// Reads a token, and vouches that this ring wrote it for `cookie_name`.
    ///
    /// The length is checked first, the MAC in constant time under the one key that the token names. Exactly
    /// one text is accepted for each token.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Malformed`](crate::ErrorKind::Malformed): not 71 characters of canonical base64url.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported): a token of another version.
    /// - [`ErrorKind::UnknownKey`](crate::ErrorKind::UnknownKey): its key is not in the ring.
    /// - [`ErrorKind::BadSeal`](crate::ErrorKind::BadSeal): the MAC does not fit.
    pub fn read_token(&self, cookie_name: &str, text: &[u8]) -> Result<Token, Error> {
        token::read(&self.keys, &self.namespace, cookie_name, text)
    }

    /// The secret that follows `secret` at a renewal.
    ///
    /// It is derived, under the key that writes, so that renewals that run in parallel agree.
    #[must_use]
    pub fn renew(&self, handle: &Handle, secret: &Secret) -> Secret {
        renewed(self.writing(), handle, secret)
    }

    /// Of the secrets that follow `secret` under any key of the ring, the one whose hash is `hash`.
    ///
    /// It gives a client that lost a renewal's response the current token again, even if another server of a
    /// fleet that is changing keys renewed it.
    ///
    /// ```
    /// use cloakroom_codec::{Handle, KeyRing, Secret};
    ///
    /// let keys = KeyRing::generate().bind("shop")?;
    /// let (handle, old) = (Handle::random()?, Secret::random()?);
    /// let kept = keys.secret_hash(&handle, &keys.renew(&handle, &old));
    /// assert!(keys.renew_matching(&handle, &old, &kept).is_some());
    /// assert!(keys.renew_matching(&handle, &Secret::random()?, &kept).is_none());
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    #[must_use]
    pub fn renew_matching(&self, handle: &Handle, secret: &Secret, hash: &SecretHash) -> Option<Secret> {
        self.keys
            .iter()
            .map(|key| renewed(key, handle, secret))
            .find(|renewed| self.secret_hash(handle, renewed).matches(hash))
    }

    /// Where a store keeps the record of `handle`: a digest without a key, so that it outlives every secret.
    #[must_use]
    pub fn store_key(&self, handle: &Handle) -> [u8; 32] {
        self.store_keys.of(handle.as_bytes(), &[])
    }

    /// What the record keeps of `secret`.
    #[must_use]
    pub fn secret_hash(&self, handle: &Handle, secret: &Secret) -> SecretHash {
        SecretHash::from_bytes(self.secret_hashes.of(handle.as_bytes(), &[secret.as_bytes()]))
    }

    /// Under which tags an index may know `principal`: one for each key, that of the key that writes first.
    #[must_use]
    pub fn principal_tags(&self, principal: &str) -> Vec<[u8; 32]> {
        let pieces = [PRINCIPAL_TAG, principal.as_bytes()];
        self.keys
            .iter()
            .map(|key| mac_of(&key.principal_index, &pieces).finalize().into_bytes().into())
            .collect()
    }

    /// What the record keeps of a login's fingerprint, a digest without a key.
    #[must_use]
    pub fn fingerprint_hash(&self, fingerprint: &[u8]) -> [u8; 32] {
        digest_of(&[FINGERPRINT, self.namespace.as_bytes(), fingerprint])
    }

    /// Writes a token for the forms of a session, in
    /// [`CSRF_TOKEN_LEN`](crate::CSRF_TOKEN_LEN) characters that need no escaping in HTML, signed under the key
    /// that writes. Two tokens of one session differ.
    ///
    /// ```
    /// use cloakroom_codec::{CSRF_TOKEN_LEN, CsrfBinding, KeyRing, random_array};
    ///
    /// let keys = KeyRing::generate().bind("shop")?;
    /// let session = random_array()?;
    /// let text = keys.write_csrf_token(&CsrfBinding::new(session, 1))?;
    /// assert_eq!(text.len(), CSRF_TOKEN_LEN);
    /// keys.check_csrf_token(&CsrfBinding::new(session, 1), text.as_bytes())?;
    /// assert!(keys.check_csrf_token(&CsrfBinding::new(session, 2), text.as_bytes()).is_err());
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Random`](crate::ErrorKind::Random): the operating system gave no random bytes.
    pub fn write_csrf_token(&self, binding: &CsrfBinding) -> Result<String, Error> {
        csrf::write(self.writing(), &self.namespace, binding)
    }

    /// Vouches that this ring wrote a form's token for this session, in this generation.
    ///
    /// The length is checked first, the MAC in constant time under the one key that the token names. Exactly
    /// one text is accepted for each token.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Malformed`](crate::ErrorKind::Malformed): not 50 characters of canonical base64url.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported): a token of another version.
    /// - [`ErrorKind::UnknownKey`](crate::ErrorKind::UnknownKey): its key is not in the ring.
    /// - [`ErrorKind::BadSeal`](crate::ErrorKind::BadSeal): it was written for another session or generation, or not by
    ///   this ring.
    pub fn check_csrf_token(&self, binding: &CsrfBinding, text: &[u8]) -> Result<(), Error> {
        csrf::check(&self.keys, &self.namespace, binding, text)
    }

    #[expect(clippy::indexing_slicing, reason = "a key ring is never empty")]
    fn writing(&self) -> &Subkeys {
        &self.keys[0]
    }

    fn binding<'a>(&'a self, purpose: Purpose, context: &'a [u8]) -> Binding<'a> {
        Binding { namespace: &self.namespace, purpose, context }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("namespace", &self.namespace)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

fn renewed(key: &Subkeys, handle: &Handle, secret: &Secret) -> Secret {
    let mut mac: [u8; 32] =
        mac_of(&key.renewal, &[RENEWAL, handle.as_bytes(), secret.as_bytes()]).finalize().into_bytes().into();
    let mut renewed = [0; 16];
    for (to, from) in renewed.iter_mut().zip(&mac) {
        *to = *from;
    }
    mac.zeroize();
    let secret = Secret::from_bytes(renewed);
    renewed.zeroize();
    secret
}
