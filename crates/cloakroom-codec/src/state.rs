//! What a session is, apart from its handle: the fields of a record.

mod decode;
mod encode;

use std::fmt;

use crate::extensions::Extensions;
use crate::token::SecretHash;
use crate::value::Value;
use crate::values::Values;

/// What a session is, apart from its handle. Its bytes are sealed before anybody else sees them.
///
/// Times are milliseconds since the Unix epoch, durations milliseconds. `Debug` shows counters and how many
/// values there are.
///
/// ```
/// use cloakroom_codec::{Handle, KeyRing, Secret, State, Value};
///
/// let keys = KeyRing::generate().bind("shop")?;
/// let hash = keys.secret_hash(&Handle::random()?, &Secret::random()?);
/// let mut state = State::new(1_700_000_000_000, 1_700_043_200_000, 1_800_000, hash);
/// state.values.insert("visits", Value::encode(&1_u32)?);
///
/// let again = State::decode(state.encode()?)?;
/// assert_eq!(again.values, state.values);
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "what is added later goes into the extensions")]
pub struct State {
    /// Counts the writes.
    pub revision: u64,
    /// Counts the logins and rotations: a write noted in one generation is not replayed in another.
    pub generation: u64,
    /// When the session was created; survives logins and rotations.
    pub created_at: u64,
    /// When somebody last logged in.
    pub authenticated_at: Option<u64>,
    /// When the secret was last drawn afresh.
    pub rotated_at: Option<u64>,
    /// When the secret was last derived from its predecessor.
    pub renewed_at: Option<u64>,
    /// When the session ends, whatever happens.
    pub absolute_deadline: u64,
    /// How long the session lives without use.
    pub idle: u64,
    /// When the session ends without use, where no store counts it down (client-side sessions).
    pub idle_deadline: Option<u64>,
    /// The life that this one session was given instead of the configured one ("remember me").
    pub lifetime_override: Option<u64>,
    /// Who is logged in.
    pub login: Option<Login>,
    /// The hash of the secret that proves ownership.
    pub secret_hash: SecretHash,
    /// The secret before the last renewal.
    pub predecessor: Option<Predecessor>,
    /// Yes-or-no facts.
    pub flags: Flags,
    /// What handlers stored.
    pub values: Values,
    /// Messages for the next page.
    pub flashes: Vec<Value>,
    /// What later releases add.
    pub extensions: Extensions,
}

impl State {
    /// A state at revision 0 and generation 0, with nothing in it.
    #[must_use]
    pub fn new(created_at: u64, absolute_deadline: u64, idle: u64, secret_hash: SecretHash) -> Self {
        Self {
            revision: 0,
            generation: 0,
            created_at,
            authenticated_at: None,
            rotated_at: None,
            renewed_at: None,
            absolute_deadline,
            idle,
            idle_deadline: None,
            lifetime_override: None,
            login: None,
            secret_hash,
            predecessor: None,
            flags: Flags::default(),
            values: Values::default(),
            flashes: Vec::new(),
            extensions: Extensions::default(),
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("revision", &self.revision)
            .field("generation", &self.generation)
            .field("values", &self.values)
            .field("flashes", &self.flashes.len())
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

/// Who is logged in. `Debug` hides it.
///
/// ```
/// use cloakroom_codec::Login;
///
/// let login = Login { principal: "ada".to_owned(), fingerprint: None, labels: Vec::new() };
/// assert_eq!(format!("{login:?}"), "Login(..)");
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what is added later goes into the extensions")]
pub struct Login {
    /// The name that the application knows the user by; at most 1024 bytes.
    pub principal: String,
    /// The hash of what must not change about the user, such as the password's hash.
    pub fingerprint: Option<[u8; 32]>,
    /// What is shown in a list of sessions, such as the device; at most 16, with names of at most 64 bytes and
    /// texts of at most 256. No name stands twice.
    pub labels: Vec<(String, String)>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

/// The secret before the last renewal. `Debug` hides the hash.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what is added later goes into the extensions")]
pub struct Predecessor {
    /// The hash of that secret.
    pub hash: SecretHash,
    /// Until when it is good, in milliseconds since the Unix epoch; `None` while its successor was not
    /// presented yet.
    pub grace_ends: Option<u64>,
}

/// Yes-or-no facts about a session; bits that this release does not know are kept.
///
/// ```
/// use cloakroom_codec::Flags;
///
/// let flags = Flags::from_bits(1 << 63).with(Flags::PERSISTENT_COOKIE);
/// assert!(flags.contains(Flags::PERSISTENT_COOKIE));
/// assert_eq!(flags.without(Flags::PERSISTENT_COOKIE).bits(), 1 << 63);
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u64);

impl Flags {
    /// The session's cookie outlives the browser's session.
    pub const PERSISTENT_COOKIE: Self = Self(1);

    /// Takes all 64 bits as they are.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// All 64 bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether every bit of `flags` is set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The same with the bits of `flags` set.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// The same with the bits of `flags` cleared.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }
}

/// The first element of the array.
const SCHEMA: u64 = 1;
/// How many elements the array has.
const ELEMENTS: usize = 18;
const MAX_LEN: usize = crate::seal::MAX_PLAINTEXT_LEN;
const MAX_VALUES: usize = 1024;
const MAX_KEY_LEN: usize = 128;
const MAX_FLASHES: usize = 64;
const MAX_EXTENSIONS: usize = 64;
const MAX_EXTENSIONS_LEN: usize = 64 << 10;
const MAX_PRINCIPAL_LEN: usize = 1024;
const MAX_LABELS: usize = 16;
const MAX_LABEL_NAME_LEN: usize = 64;
const MAX_LABEL_TEXT_LEN: usize = 256;

#[cfg(test)]
pub(crate) mod tests;
