//! What a backend must be able to do, and the types that name its answers.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::principal::PrincipalIndex;
use crate::store_error::StoreError;

/// Keeps opaque records under opaque keys.
///
/// Every verb works on one key, so that it is atomic on every backend. There is no `save`: nothing can
/// upsert. [`create`](Self::create) never overwrites; [`replace`](Self::replace), [`touch`](Self::touch)
/// and [`delete`](Self::delete) never create. No method has a default body, so that a decorator cannot
/// lose an ability in silence.
///
/// # Contract
///
/// Each line is a law of `cloakroom-conformance` under the same name, in the module named in its heading.
/// Prove a store of your own with `conformance_tests!`.
///
/// Loading and creating:
///
/// - `created_record_is_loaded_back`: payload and version come back byte for byte.
/// - `load_of_unknown_key_is_none`: an absent key is `None`, not an error.
/// - `load_creates_nothing`: a look-up leaves no trace.
/// - `create_never_overwrites`: a key in use answers `Occupied` and keeps its record.
/// - `create_with_its_own_version_in_place_is_created`: a retry after a lost reply finds its own write.
/// - `of_two_creates_one_wins`: of concurrent creates of one key exactly one is `Created`.
/// - `keys_that_differ_in_one_bit_are_different`: also in case, trailing zeros and blanks.
/// - `payload_of_any_bytes_comes_back`: NUL, line ends, 0xFF, all 256 values.
/// - `largest_payload_comes_back_whole_or_is_too_large`: 64 KiB is kept; above the limit of the store it
///   answers `TooLarge`, and the old record stays.
/// - `many_records_are_kept_apart`: a thousand records, each with its own payload.
/// - `namespaces_do_not_see_each_other`: two stores opened apart share no record.
///
/// Replacing:
///
/// - `replace_puts_the_new_record_in_place`: and gives it the new time to live.
/// - `replace_with_stale_version_is_conflict`: nothing changes.
/// - `replace_of_missing_is_missing`: and leaves no trace.
/// - `replace_with_its_own_version_in_place_is_replaced`: a retry after a lost reply finds its own write.
/// - `of_concurrent_replaces_one_wins`: of writers that expect one version exactly one is `Replaced`.
/// - `concurrent_increments_lose_none`: compare-and-set in a loop counts exactly.
///
/// Deleting:
///
/// - `deleted_record_is_gone`: `Deleted`, then `None`.
/// - `delete_is_idempotent`: the second answers `Missing`.
/// - `replace_after_delete_is_missing`: and the record stays away.
/// - `touch_after_delete_is_missing`: and the record stays away.
/// - `late_writers_do_not_resurrect`: whatever runs beside a delete, it stays deleted.
/// - `deleted_key_can_be_created_again`: absence is absence.
///
/// Expiry:
///
/// - `expired_record_is_gone`: at or shortly after its time to live, never before.
/// - `expired_record_cannot_be_replaced`: it answers `Missing`.
/// - `expired_record_cannot_be_touched`: it answers `Missing`.
/// - `expired_key_can_be_created_again`: expiry is absence.
/// - `load_tells_the_time_left`: never more than what was asked for.
/// - `touch_extends_a_life`: and changes neither payload nor version.
/// - `touch_never_shortens_a_life`: a smaller time to live is a success without effect.
/// - `touch_with_stale_version_is_conflict`: and extends nothing.
/// - `short_lives_are_rounded_up`: a time to live of 1 ms is not zero, and not for ever.
/// - `long_lives_do_not_overflow`: 400 days come back as such.
///
/// Together:
///
/// - `random_operations_agree_with_the_model`: any sequence of verbs answers as a map with versions would.
/// - `dropped_operations_leave_old_or_new`: a future dropped at any point leaves no mixture.
/// - `mixed_operations_from_many_tasks_hold_the_invariants`: under load, from many tasks.
///
/// # Cancel safety
///
/// A future that is dropped leaves the old or the new record, never a mixture, and never a connection
/// whose next reply belongs to somebody else.
///
/// # Lost replies
///
/// A store may send a verb again whose reply was lost. `create` and `replace` then find their own write by its
/// version. Where somebody else wrote in between, the second answer counts: `Missing` may follow one's own
/// write that was deleted since, and `delete` may tell of another's delete. Where there is an
/// index of principals, a `create` is not sent again: somebody may have ended the session in between, and it would come
/// back. The store looks whether it is in place, and says that it does not know if it is not. Whoever asked for it then
/// asks to replace the record by itself: `Replaced` says that it is there as surely as any write, `Missing` that it is not.
///
/// # Deadlines
///
/// Every verb ends by itself, by default within 2 s, with [`StoreErrorKind::Timeout`](crate::StoreErrorKind::Timeout)
/// or [`Ambiguous`](crate::StoreErrorKind::Ambiguous) if need be.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session store",
    note = "implement `Store`, and prove it with `cloakroom_conformance::conformance_tests!`"
)]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Reads the record under `key`, with the time that it has left to live.
    ///
    /// # Errors
    ///
    /// An absent or expired record is `Ok(None)`. An error says that the store could not tell.
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError>;

    /// Puts a record where there is none.
    ///
    /// # Errors
    ///
    /// A key in use is `Ok(Created::Occupied)`. An error says that the record may or may not be there;
    /// [`StoreError::is_ambiguous`] tells.
    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError>;

    /// Puts `record` in the place of the one whose version is `expected`.
    ///
    /// # Errors
    ///
    /// Another version is `Ok(Replaced::Conflict)`, an absent record `Ok(Replaced::Missing)`.
    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError>;

    /// Extends the life of the record whose version is `expected` to `ttl` from now, if that is longer.
    ///
    /// # Errors
    ///
    /// Another version is `Ok(Touched::Conflict)`, an absent record `Ok(Touched::Missing)`.
    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError>;

    /// Removes the record under `key`, whatever its version.
    ///
    /// # Errors
    ///
    /// An absent record is `Ok(Deleted::Missing)`.
    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError>;

    /// The index of sessions by principal, where this backend has one.
    fn principals(&self) -> Option<&dyn PrincipalIndex>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        (**self).load(key, freshness).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        (**self).create(key, record).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        (**self).replace(key, expected, record).await
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        (**self).touch(key, expected, ttl).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        (**self).delete(key).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        (**self).principals()
    }
}

/// Where a record lies: 32 bytes, a digest of namespace and handle.
///
/// It finds a session and never logs in. It is still kept out of logs: `Debug` shows none of it.
///
/// ```
/// use cloakroom_core::StoreKey;
///
/// let key = StoreKey::from_bytes([7; 32]);
/// assert_eq!(format!("{key:?}"), "StoreKey(..)");
/// assert_eq!(key.public_handle().as_str().len(), 43);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreKey([u8; 32]);

impl StoreKey {
    /// The key with these bytes, for stores and their tests.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes that a store keeps the record under.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name by which listings and events call this session.
    #[must_use]
    pub fn public_handle(&self) -> PublicHandle {
        PublicHandle(URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(..)")
    }
}

/// The name of a session in listings and events: 43 characters of base64url.
///
/// Safe to show to the owner of the session: as a cookie it is worth nothing. `Debug` keeps it out of logs;
/// [`as_str`](Self::as_str) shows it.
///
/// ```
/// use cloakroom_core::{PublicHandle, StoreKey};
///
/// let handle = StoreKey::from_bytes([7; 32]).public_handle();
/// let same: PublicHandle = handle.as_str().parse()?;
/// assert_eq!(same, handle);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicHandle(String);

impl PublicHandle {
    /// The handle as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn store_key(&self) -> Option<StoreKey> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).ok()?;
        Some(StoreKey(bytes.try_into().ok()?))
    }
}

impl std::str::FromStr for PublicHandle {
    type Err = crate::Error;

    /// Reads a handle that a listing showed.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let handle = Self(text.to_owned());
        match handle.store_key() {
            Some(_) => Ok(handle),
            None => Err(crate::Error::new(crate::ErrorKind::Malformed)),
        }
    }
}

impl fmt::Debug for PublicHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicHandle(..)")
    }
}

/// Which write a record is: a random tag, never zero, chosen by the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(NonZeroU64);

impl Version {
    /// The version with this number; `None` for zero.
    #[must_use]
    pub const fn new(tag: u64) -> Option<Self> {
        match NonZeroU64::new(tag) {
            Some(tag) => Some(Self(tag)),
            None => None,
        }
    }

    /// A fresh random version.
    ///
    /// # Errors
    ///
    /// The operating system gave no random bytes.
    pub fn random() -> Result<Self, crate::Error> {
        loop {
            if let Some(version) = Self::new(u64::from_be_bytes(cloakroom_codec::random_array()?)) {
                return Ok(version);
            }
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The number, big-endian: the first eight bytes of what a key-value backend stores.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }

    /// The version that these bytes are; `None` for zero.
    #[must_use]
    pub const fn from_be_bytes(bytes: [u8; 8]) -> Option<Self> {
        Self::new(u64::from_be_bytes(bytes))
    }
}

/// What a store keeps under a key.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The sealed state. Empty is reserved for the tombstones of layers and reads as absent.
    pub payload: Vec<u8>,
    /// Which write this is.
    pub version: Version,
    /// Given to a store: how long to keep the record. Given by a store: how long it will still be kept.
    pub ttl: Duration,
    /// Whose session this is, as a keyed digest: a column for stores that have one; others drop it.
    pub principal: Option<PrincipalTag>,
}

impl Record {
    /// A record of nobody in particular.
    #[must_use]
    pub const fn new(payload: Vec<u8>, version: Version, ttl: Duration) -> Self {
        Self { payload, version, ttl, principal: None }
    }

    /// The same record as that of a principal.
    #[must_use]
    pub const fn with_principal(mut self, principal: Option<PrincipalTag>) -> Self {
        self.principal = principal;
        self
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("payload_len", &self.payload.len())
            .field("version", &self.version)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// A principal as stores know it: a keyed digest that does not tell who it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrincipalTag([u8; 32]);

impl PrincipalTag {
    /// The tag with these bytes, for stores and their tests.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the tag.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PrincipalTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrincipalTag(..)")
    }
}

/// How old an answer of [`Store::load`] may be. Plain stores always answer with the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// The record as the backend has it now.
    Latest,
    /// A cached record is good enough while it is younger than this.
    AtMost(Duration),
}

/// The answer of [`Store::create`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "these are all the answers there are")]
pub enum Created {
    /// The record is in place, from this call or from an earlier try with the same version.
    Created,
    /// Another record lies under the key, and is untouched.
    Occupied,
}

/// The answer of [`Store::replace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "these are all the answers there are")]
pub enum Replaced {
    /// The record is in place, from this call or from an earlier try with the same version.
    Replaced,
    /// Somebody else wrote: the record has another version than the expected one.
    Conflict,
    /// There is no record, and there will be none.
    Missing,
}

/// The answer of [`Store::touch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "these are all the answers there are")]
pub enum Touched {
    /// The record lives at least as long as was asked for.
    Touched,
    /// Somebody else wrote: the record has another version than the expected one.
    Conflict,
    /// There is no record, and there will be none.
    Missing,
}

/// The answer of [`Store::delete`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "these are all the answers there are")]
pub enum Deleted {
    /// There was a record, and it is gone.
    Deleted,
    /// There was none.
    Missing,
}
