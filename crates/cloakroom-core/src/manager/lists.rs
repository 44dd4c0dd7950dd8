//! What the index says of a principal, held against the records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use super::{Inner, principal};
use crate::error::{Error, ErrorKind, Result};
use crate::events::SessionEventKind;
use crate::patience::yield_now;
use crate::principal::{Entry, IndexVersion, PrincipalIndex};
use crate::store::{Deleted, PrincipalTag, StoreKey};
use crate::visit::find::{Fetched, Look};

/// How many calls to the store are under way for one listing: enough to hide the way there and back, and few enough to
/// leave connections to others.
pub(crate) const AT_ONCE: usize = 4;

/// After so many sessions the other tasks have a turn.
pub(crate) const IN_A_ROW: usize = 32;

/// A principal's list, under the tag of one secret of the ring.
pub(crate) struct List {
    pub(crate) tag: PrincipalTag,
    pub(crate) version: IndexVersion,
    entries: Vec<Entry>,
}

/// An entry, held against its record.
pub(crate) struct Seen {
    pub(crate) key: StoreKey,
    /// Since it was last entered.
    pub(crate) age: Duration,
    pub(crate) sight: Sight,
}

/// What the record of an entry says.
pub(crate) enum Sight {
    /// A live session of this principal.
    Live(Fetched),
    /// There is none of this principal, as far as was written by now; perhaps one of another.
    Gone,
    /// There is one that cannot be read here, or is over by the clock of this process; others may see it otherwise.
    Unknown,
}

/// The keys on the lists, each once, but one, with the time since it was last entered. A session that was entered
/// under two tags is one.
pub(crate) fn ages_but(lists: &[List], but: Option<&StoreKey>) -> BTreeMap<StoreKey, Duration> {
    let mut ages = BTreeMap::new();
    for entry in lists.iter().flat_map(|list| &list.entries).filter(|entry| Some(&entry.key) != but) {
        let age = ages.entry(entry.key).or_insert(entry.age);
        *age = entry.age.min(*age);
    }
    ages
}

impl Inner {
    /// The index.
    ///
    /// # Errors
    ///
    /// The store has none.
    pub(crate) fn index(&self) -> Result<&dyn PrincipalIndex> {
        self.principals().ok_or_else(|| Error::new(ErrorKind::Unsupported))
    }

    pub(crate) fn tags_of(&self, principal: &str) -> impl Iterator<Item = PrincipalTag> {
        self.keys.principal_tags(principal).into_iter().map(PrincipalTag::from_bytes)
    }

    /// The lists of a principal, one a secret of the ring; that of the writing one comes first.
    ///
    /// A session that is used passes from one list to another while the secrets change over. So that none slips through
    /// between two looks, all lists but the last are looked at twice.
    pub(crate) async fn lists_of(&self, principal: &str) -> Result<Vec<List>> {
        let index = self.index()?;
        let mut lists: Vec<List> = Vec::new();
        for tag in self.tags_of(principal) {
            let found = index.entries(&tag).await?;
            lists.push(List { tag, version: found.version, entries: found.entries });
        }
        let but_the_last = lists.len().saturating_sub(1);
        for list in lists.iter_mut().take(but_the_last) {
            let found = index.entries(&list.tag).await?;
            list.version = found.version;
            list.entries.extend(found.entries);
        }
        Ok(lists)
    }

    /// Loads each session on the lists, but one.
    pub(crate) async fn look_at(
        &self,
        lists: &[List],
        principal: &str,
        but: Option<&StoreKey>,
    ) -> Result<Vec<Seen>> {
        let looks = ages_but(lists, but).into_iter().map(|(key, age)| async move {
            let sight = self.sight(&key, principal).await?;
            Ok::<_, Error>(Seen { key, age, sight })
        });
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        let mut all = Vec::new();
        while let Some(seen) = looks.next().await {
            all.push(seen?);
            if all.len() % IN_A_ROW == 0 {
                yield_now().await;
            }
        }
        Ok(all)
    }

    /// Deletes a record, and says whether it was there.
    ///
    /// Asks again where the reply was lost: it may have been deleted then, and counts.
    pub(crate) async fn end(&self, key: &StoreKey) -> Result<bool> {
        match self.store()?.delete(key).await {
            Err(error) if error.is_ambiguous() && error.is_transient() => {
                let _ = self.store()?.delete(key).await?;
                Ok(true)
            }
            answer => Ok(answer? == Deleted::Deleted),
        }
    }

    pub(crate) async fn sight(&self, key: &StoreKey, of: &str) -> Result<Sight> {
        Ok(match self.look(key).await? {
            Look::Live(fetched) if principal(&fetched.state) == Some(of) => Sight::Live(fetched),
            Look::Live(..) | Look::Nothing => Sight::Gone,
            Look::Over | Look::Unopenable => Sight::Unknown,
        })
    }

    /// Takes entries off the lists whose sessions are over. A login that is under way is spared: its record may come.
    pub(crate) async fn heal(&self, lists: &[List], seen: &[Seen]) {
        let Some(index) = self.principals() else { return };
        let is_over = |seen: &&Seen| matches!(seen.sight, Sight::Gone);
        let over: BTreeSet<StoreKey> = seen.iter().filter(is_over).map(|seen| seen.key).collect();
        for list in lists {
            let stale = |entry: &&Entry| {
                entry.age >= self.settle_time()
                    // Where the store found the record itself, there is no entry to remove.
                    && entry.age < Duration::MAX
                    && over.contains(&entry.key)
            };
            let stale: Vec<StoreKey> = list.entries.iter().filter(stale).map(|entry| entry.key).collect();
            if !stale.is_empty() && index.remove(&list.tag, &stale, self.settle_time()).await.is_err() {
                self.events.emit(SessionEventKind::UpkeepFailed, None);
            }
        }
    }

    /// Notes that a session was admitted and will not be written: the next login in this process need not wait for it.
    pub(crate) fn abandon(&self, key: StoreKey) {
        let now = self.clock.monotonic();
        self.logins.abandon(key, now, now.saturating_add(self.settle_time()));
    }

    /// Takes sessions off the lists that were just ended, and were entered at least `age` ago.
    pub(crate) async fn strike(&self, principal: &str, ended: &[StoreKey], age: Duration) {
        let Some(index) = self.principals() else { return };
        for tag in self.tags_of(principal) {
            if !ended.is_empty() && index.remove(&tag, ended, age).await.is_err() {
                self.events.emit(SessionEventKind::UpkeepFailed, None);
            }
        }
    }
}
