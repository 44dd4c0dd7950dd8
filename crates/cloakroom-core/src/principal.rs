//! The index of sessions by principal, where a backend has one.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::store::{PrincipalTag, StoreKey};
use crate::store_error::StoreError;

/// Finds the sessions of a principal.
///
/// The manager [enters](Self::enter) or [admits](Self::admit) a key before it writes the record that belongs to the
/// principal, so that the index never misses a live session. An entry says only that a session may exist; the
/// record says whether it does: a stale entry is harmless. A store that finds records by their
/// [principal](crate::Record::principal) has nothing to do when a key is entered.
///
/// # Contract
///
/// - `entered_session_is_listed`: a key that was entered, and whose record is there, also when entered twice.
/// - `admitted_key_is_listed`: before there is a record.
/// - `unknown_tag_has_no_entries`: an empty list, not an error.
/// - `removed_key_is_not_listed`: where it has no record of this principal; removing it again is no error.
/// - `remove_spares_what_was_entered_since`: what was entered more lately than the remove says stays.
/// - `entries_of_one_tag_are_its_own`: no other principal's keys.
/// - `entry_dies_with_its_time_to_live`: with no process running.
/// - `entering_again_extends_and_never_shortens`: the longer time to live wins.
/// - `entries_tell_their_age`: since they were last admitted.
/// - `admit_with_stale_index_version_is_conflict`: and changes nothing.
/// - `admit_enters_and_evicts_together`: both or neither.
/// - `of_concurrent_admits_one_wins`: of those that expect one index version exactly one is `Admitted`.
/// - `long_lists_are_whole`: a thousand sessions of one principal, and hundreds removed in one call.
///
/// # Cancel safety
///
/// As with [`Store`](crate::Store): a future that is dropped leaves the old or the new list.
#[async_trait]
pub trait PrincipalIndex: fmt::Debug + Send + Sync {
    /// Enters `key` under `tag` for `ttl`; a longer time to live that is there already stays.
    ///
    /// Comes before the record under `key` is written with this principal.
    ///
    /// # Errors
    ///
    /// The store could not be asked; the key may or may not have been entered.
    async fn enter(&self, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) -> Result<(), StoreError>;

    /// Lists what is under `tag`, with the version of that list.
    ///
    /// # Errors
    ///
    /// The store could not be asked.
    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError>;

    /// Enters `key` for `ttl` and removes `evict`, if the list still has the version `expected`.
    ///
    /// The keys in `evict` have no record of this principal any more, and whoever might still write one has admitted
    /// nothing since the list had this version.
    ///
    /// # Errors
    ///
    /// The store could not be asked; the call may or may not have taken effect.
    async fn admit(
        &self,
        tag: &PrincipalTag,
        expected: IndexVersion,
        key: &StoreKey,
        ttl: Duration,
        evict: &[StoreKey],
    ) -> Result<Admitted, StoreError>;

    /// Removes `keys` from under `tag`, those that were last entered at least `age` ago; absent ones are no error.
    ///
    /// The keys have no record of this principal any more.
    ///
    /// # Errors
    ///
    /// The store could not be asked; some keys may have been removed.
    async fn remove(&self, tag: &PrincipalTag, keys: &[StoreKey], age: Duration) -> Result<(), StoreError>;
}

/// What [`PrincipalIndex::entries`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entries {
    /// The sessions that may exist, in no particular order, each once.
    pub entries: Vec<Entry>,
    /// The version of the list, for [`PrincipalIndex::admit`].
    pub version: IndexVersion,
}

impl Entries {
    /// A list with its version.
    #[must_use]
    pub const fn new(entries: Vec<Entry>, version: IndexVersion) -> Self {
        Self { entries, version }
    }
}

/// One session that may exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Where its record lies, if there is one.
    pub key: StoreKey,
    /// For how long there has been no need to wait for its record: the time since the key was last entered, by the
    /// backend's clock, or [`Duration::MAX`] where the store found the record itself.
    pub age: Duration,
}

impl Entry {
    /// An entry of this age.
    #[must_use]
    pub const fn new(key: StoreKey, age: Duration) -> Self {
        Self { key, age }
    }
}

/// The version of one principal's list; it changes whenever a key is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexVersion(u64);

impl IndexVersion {
    /// The version with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The answer of [`PrincipalIndex::admit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "these are all the answers there are")]
pub enum Admitted {
    /// The key is in, the evicted ones are out.
    Admitted,
    /// The list changed since it was read; nothing was done.
    Conflict,
}
