//! The sessions of one principal.

use std::time::Duration;

use cloakroom_core::{Entry as Listed, PrincipalTag, StoreKey};

use crate::deadline::Deadline;
use crate::expiring_map::Keyed;

#[cfg(test)]
mod tests;

/// Keys with their deadlines, sorted by key: most principals have one session, a few have thousands.
#[derive(Debug)]
pub(crate) struct List {
    tag: PrincipalTag,
    entries: Vec<Entry>,
    /// Changes whenever a key enters or leaves.
    pub(crate) version: u64,
}

#[derive(Debug)]
struct Entry {
    key: StoreKey,
    entered: Deadline,
    deadline: Deadline,
}

/// What [`List::enter`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    New,
    Extended,
}

impl Keyed for Box<List> {
    fn key(&self) -> &[u8; 32] {
        self.tag.as_bytes()
    }
}

impl List {
    /// The list of a principal without sessions.
    pub(crate) const fn of(tag: PrincipalTag) -> Self {
        Self { tag, entries: Vec::new(), version: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn contains(&self, key: &StoreKey) -> bool {
        self.find(key).is_ok()
    }

    /// The keys, each with the time since it was last entered.
    pub(crate) fn listed(&self, now: Deadline) -> Vec<Listed> {
        self.entries.iter().map(|entry| Listed::new(entry.key, now.since(entry.entered))).collect()
    }

    /// When the first of the keys leaves; `None` for an empty list.
    pub(crate) fn first_deadline(&self) -> Option<Deadline> {
        self.entries.iter().map(|entry| entry.deadline).min()
    }

    /// Enters a key, or lets one that is there stay longer, never shorter.
    pub(crate) fn enter(&mut self, key: StoreKey, now: Deadline, deadline: Deadline) -> Entered {
        match self.find(&key) {
            Ok(place) => {
                if let Some(entry) = self.entries.get_mut(place) {
                    entry.entered = now;
                    entry.deadline = entry.deadline.max(deadline);
                }
                Entered::Extended
            }
            Err(place) => {
                if self.entries.is_empty() {
                    self.entries.reserve_exact(1);
                }
                self.entries.insert(place, Entry { key, entered: now, deadline });
                Entered::New
            }
        }
    }

    /// Removes a key and says whether it was there.
    pub(crate) fn remove(&mut self, key: &StoreKey) -> bool {
        let removed = self.find(key).map(|place| self.entries.remove(place)).is_ok();
        self.give_back();
        removed
    }

    /// Removes a key whose record died at `death`, unless it was entered later, for a successor.
    pub(crate) fn remove_entered_before(&mut self, key: &StoreKey, death: Deadline) -> bool {
        let place = self.find(key);
        let entered = place.ok().and_then(|place| self.entries.get(place)).map(|entry| entry.entered);
        entered.is_some_and(|entered| entered < death) && self.remove(key)
    }

    /// Removes those of the keys that were last entered at least `age` ago, and says how many.
    pub(crate) fn remove_aged(&mut self, keys: &[StoreKey], now: Deadline, age: Duration) -> usize {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let before = self.entries.len();
        self.entries
            .retain(|entry| now.since(entry.entered) < age || keys.binary_search(&entry.key).is_err());
        self.give_back();
        before - self.entries.len()
    }

    /// Removes the keys whose time has come, and says how many.
    pub(crate) fn prune(&mut self, now: Deadline) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| !entry.deadline.has_passed(now));
        self.give_back();
        before - self.entries.len()
    }

    /// Lets go of memory that the list needed once: what one principal had is room for another.
    fn give_back(&mut self) {
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(2 * self.entries.len());
        }
    }

    fn find(&self, key: &StoreKey) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.key.cmp(key))
    }
}
