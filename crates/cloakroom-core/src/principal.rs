//! The index of sessions by principal, where a backend has one.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::store::{PrincipalTag, StoreKey};
use crate::store_error::StoreError;

/// Finds the sessions of a principal.
///
/// An entry says that a session may exist, the record says whether it does: the index never misses a live
/// session that was entered, and a stale entry is harmless.
///
/// # Contract
///
/// - `entered_key_is_listed`: also when entered twice.
/// - `unknown_tag_has_no_entries`: an empty list, not an error.
/// - `removed_key_is_not_listed`: and removing it again is no error.
/// - `entries_of_one_tag_are_its_own`: no other principal's keys.
/// - `entry_dies_with_its_time_to_live`: with no process running.
/// - `entering_again_extends_and_never_shortens`: the longer time to live wins.
/// - `admit_with_stale_index_version_is_conflict`: and changes nothing.
/// - `admit_enters_and_evicts_together`: both or neither.
/// - `of_concurrent_admits_one_wins`: of those that expect one index version exactly one is `Admitted`.
#[async_trait]
pub trait PrincipalIndex: fmt::Debug + Send + Sync {
    /// Enters `key` under `tag` for `ttl`; a longer time to live that is there already stays.
    ///
    /// # Errors
    ///
    /// The store could not be asked; the key may or may not have been entered.
    async fn enter(&self, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) -> Result<(), StoreError>;

    /// Lists the keys under `tag`, with the version of that list.
    ///
    /// # Errors
    ///
    /// The store could not be asked.
    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError>;

    /// Enters `key` for `ttl` and removes `evict`, if the list still has the version `expected`.
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

    /// Removes `key` from under `tag`; an absent one is no error.
    ///
    /// # Errors
    ///
    /// The store could not be asked; the key may or may not have been removed.
    async fn remove(&self, tag: &PrincipalTag, key: &StoreKey) -> Result<(), StoreError>;
}

/// What [`PrincipalIndex::entries`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entries {
    /// The keys of sessions that may exist, in no particular order, each once.
    pub keys: Vec<StoreKey>,
    /// The version of the list, for [`PrincipalIndex::admit`].
    pub version: IndexVersion,
}

impl Entries {
    /// A list with its version.
    #[must_use]
    pub const fn new(keys: Vec<StoreKey>, version: IndexVersion) -> Self {
        Self { keys, version }
    }
}

/// The version of one principal's list; it changes whenever a key enters or leaves.
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
