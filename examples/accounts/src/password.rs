//! Passwords, and how they are hashed.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Error, Result};

#[cfg(test)]
mod tests;

/// A new password has at least this many characters.
pub(crate) const SHORTEST: usize = 8;
/// A new password has at most this many characters.
pub(crate) const LONGEST: usize = 128;

/// How long a request waits for its turn to hash.
const PATIENCE: Duration = Duration::from_secs(5);

/// A password as somebody typed it; the same on every keyboard.
pub(crate) struct Password(String);

/// Why a text is no new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordFault {
    TooShort,
    TooLong,
    Different,
}

/// What is kept of a password: salt, costs and digest as one text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hash(String);

/// Hashes passwords with Argon2id, a few at a time and on threads of their own: one takes some 20 MiB, and as long as a
/// hundred pages.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    patience: Duration,
    nobodys: Arc<str>,
}

impl Password {
    /// One that is compared with an old one.
    pub(crate) fn typed(text: &str) -> Self {
        Self(text.nfc().collect())
    }

    /// A new one, typed twice.
    pub(crate) fn chosen(text: &str, again: &str) -> Result<Self, PasswordFault> {
        let password = Self::typed(text);
        match password.0.chars().count() {
            length if length < SHORTEST => Err(PasswordFault::TooShort),
            length if length > LONGEST => Err(PasswordFault::TooLong),
            _ if Self::typed(again).0 != password.0 => Err(PasswordFault::Different),
            _ => Ok(password),
        }
    }
}

impl PasswordFault {
    /// For the form.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::TooShort => "A password has at least 8 characters. A short sentence makes a good one.",
            Self::TooLong => "A password has at most 128 characters.",
            Self::Different => "The two passwords are not the same.",
        }
    }
}

impl Hash {
    /// One that was stored.
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
    }

    /// As it is stored. It is the fingerprint of the sessions, too: whoever changes the password changes it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Passwords {
    /// As many at a time as this machine has processors.
    pub(crate) async fn new() -> Result<Self> {
        let turns = available_parallelism().map_or(1, usize::from);
        let passwords =
            Self { turns: Arc::new(Semaphore::new(turns)), patience: PATIENCE, nobodys: Arc::default() };
        let nobodys = passwords.hash(Password("a password of nobody".to_owned())).await?;
        Ok(Self { nobodys: nobodys.0.into(), ..passwords })
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: Password) -> Result<Hash> {
        let hashed = self.in_turn(move || Argon2::default().hash_password(password.0.as_bytes())).await?;
        Ok(Hash(hashed.map_err(Error::Hash)?.to_string()))
    }

    /// Whether it is the password of an account. Where there is none it takes as long to say no, so that the time does not
    /// tell which names are taken.
    pub(crate) async fn verify(&self, password: Password, hash: Option<&Hash>) -> Result<bool> {
        let expected = hash.map_or_else(|| Arc::clone(&self.nobodys), |hash| hash.as_str().into());
        let is_somebodys = hash.is_some();
        let verified = self
            .in_turn(move || Argon2::default().verify_password(password.0.as_bytes(), &*expected))
            .await?;
        match verified {
            Ok(()) => Ok(is_somebodys),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(Error::Hash(error)),
        }
    }

    /// The turn ends with the work, not with the request that waits for it.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let turn = timeout(self.patience, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)?;
        let work = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        work.await.map_err(Error::Thread)
    }
}
