//! The index of sessions by principal.

use std::sync::MutexGuard;
use std::time::Duration;

use cloakroom_core::{Admitted, Clock, Entries, IndexVersion, PrincipalTag, StoreKey};

use crate::deadline::Deadline;
use crate::expiring_map::{Due, ExpiringMap, Position};
use crate::hashed::Hashed;
use crate::list::{Entered, List};
use crate::meter::{Full, Meter};
use crate::search::{Search, Swept};
use crate::shards::Shards;

#[cfg(test)]
mod tests;

/// How many lists with dead keys a verb looks through on its way.
const STEP: usize = 2;

/// Lists of keys by principal.
///
/// Its locks are the inner ones: they are taken while a shard of the records is locked, and nothing else is
/// locked while they are held.
#[derive(Debug)]
pub(crate) struct Index {
    parts: Shards<Part>,
    clock: Clock,
    limit: usize,
    used: Meter,
}

/// Why a record's key leaves the index with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// The record was deleted, or belongs to somebody else now.
    Removed,
    /// The record expired at this moment; what was entered since then is for a successor.
    Expired(Deadline),
}

#[derive(Debug, Default)]
struct Part {
    /// Each with the deadline of its first key, or an earlier one.
    lists: ExpiringMap<Box<List>>,
    /// The last version that was given to a list of this part.
    changes: u64,
    /// The version of all lists that do not exist: that of the last one that ceased to.
    absent: u64,
}

impl Index {
    pub(crate) fn new(clock: Clock, limit: usize) -> Self {
        Self { parts: Shards::new(), clock, limit, used: Meter::default() }
    }

    pub(crate) fn enter(&self, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) -> Result<(), Full> {
        self.searching(|| {
            self.at(tag, |part, now| {
                let list = part.alive(tag, now, &self.used);
                if !list.is_some_and(|at| part.lists.value(at).contains(key)) {
                    self.used.claim(1, self.limit)?;
                }
                part.enter(tag, key, now, ttl);
                Ok(())
            })
        })
    }

    pub(crate) fn entries(&self, tag: &PrincipalTag) -> Entries {
        // No sweeping here: it could outdate the version of an absent list before the caller has it.
        let (mut part, now) = self.part(tag);
        let list = part.alive(tag, now, &self.used).map(|at| part.lists.value(at));
        let listed = list.map(|list| list.listed(now)).unwrap_or_default();
        Entries::new(listed, IndexVersion::new(list.map_or(part.absent, |list| list.version)))
    }

    pub(crate) fn admit(
        &self,
        tag: &PrincipalTag,
        expected: IndexVersion,
        key: &StoreKey,
        ttl: Duration,
        evict: &[StoreKey],
    ) -> Result<Admitted, Full> {
        self.searching(|| {
            self.at(tag, |part, now| {
                let at = part.alive(tag, now, &self.used);
                let list = at.map(|at| part.lists.value(at));
                if list.map_or(part.absent, |list| list.version) != expected.get() {
                    return Ok(Admitted::Conflict);
                }
                let replaces =
                    list.is_some_and(|list| list.contains(key) || evict.iter().any(|key| list.contains(key)));
                if !replaces {
                    self.used.claim(1, self.limit)?;
                }
                let before = list.map_or(0, |list| list.len()) + usize::from(!replaces);
                if let Some(at) = at {
                    let list = part.lists.value_mut(at);
                    evict.iter().for_each(|key| _ = list.remove(key));
                }
                let at = part.enter(tag, key, now, ttl);
                part.bump(at);
                self.used.release(before - part.lists.value(at).len());
                Ok(Admitted::Admitted)
            })
        })
    }

    /// Removes those of the keys that were last entered at least `age` ago.
    pub(crate) fn remove(&self, tag: &PrincipalTag, keys: &[StoreKey], age: Duration) {
        self.at(tag, |part, now| {
            let Some(at) = part.alive(tag, now, &self.used) else { return };
            let removed = part.lists.value_mut(at).remove_aged(keys, now, age);
            if removed > 0 {
                self.used.release(removed);
                part.bump(at);
                part.settle(at);
            }
        });
    }

    /// Lets a key go with its record.
    pub(crate) fn forget(&self, tag: &PrincipalTag, key: &StoreKey, parting: Parting) {
        self.at(tag, |part, now| {
            let Some(at) = part.alive(tag, now, &self.used) else { return };
            let list = part.lists.value_mut(at);
            let removed = match parting {
                Parting::Removed => list.remove(key),
                Parting::Expired(death) => list.remove_entered_before(key, death),
            };
            if removed {
                self.used.release(1);
                part.bump(at);
                part.settle(at);
            }
        });
    }

    /// The number of keys in all lists, those included that have expired and were not swept yet.
    pub(crate) fn len(&self) -> usize {
        self.used.used()
    }

    /// Runs a verb on the part that `tag` belongs to, after a step of sweeping.
    fn at<T>(&self, tag: &PrincipalTag, verb: impl FnOnce(&mut Part, Deadline) -> T) -> (T, Swept) {
        let (mut part, now) = self.part(tag);
        let answer = verb(&mut part, now);
        (answer, part.sweep(now, &self.used))
    }

    /// The part that `tag` belongs to, and the time, which never goes back on one part.
    fn part(&self, tag: &PrincipalTag) -> (MutexGuard<'_, Part>, Deadline) {
        let part = self.parts.of(tag.as_bytes().into());
        (part, Deadline::at(self.clock.monotonic()))
    }

    /// Runs a verb that needs room, again for as long as its search finds some.
    fn searching<T>(&self, verb: impl Fn() -> (Result<T, Full>, Swept)) -> Result<T, Full> {
        let mut search = Search::new();
        let step = |part: &mut Part| part.sweep(Deadline::at(self.clock.monotonic()), &self.used);
        loop {
            let (answer, own) = verb();
            if answer.is_ok() || !search.finds_room(own, &self.parts, step) {
                return answer;
            }
        }
    }
}

impl Part {
    /// Where the list of `tag` lies, with none but live keys in it.
    fn alive(&mut self, tag: &PrincipalTag, now: Deadline, used: &Meter) -> Option<Position> {
        let tag = Hashed::from(tag.as_bytes());
        let at = self.lists.find(tag)?;
        if self.lists.deadline(at).has_passed(now) {
            self.prune(at, now, used);
            return self.lists.find(tag);
        }
        Some(at)
    }

    /// Enters a key that room was claimed for.
    fn enter(&mut self, tag: &PrincipalTag, key: &StoreKey, now: Deadline, ttl: Duration) -> Position {
        let deadline = now.after(ttl);
        let hashed = Hashed::from(tag.as_bytes());
        let at = match self.lists.find(hashed) {
            Some(at) => at,
            None => self.lists.insert(hashed.hash, Box::new(List::of(*tag)), deadline),
        };
        if deadline < self.lists.deadline(at) {
            self.lists.set_deadline(at, deadline);
        }
        if self.lists.value_mut(at).enter(*key, now, deadline) == Entered::New {
            self.bump(at);
        }
        at
    }

    /// Looks through the lists whose first key is due, a few of them: each of their keys counts.
    fn sweep(&mut self, now: Deadline, used: &Meter) -> Swept {
        let mut swept = Swept::default();
        for _ in 0..STEP {
            match self.lists.due(now) {
                Due::Nothing => break,
                Due::Later => swept.looked += 1,
                Due::Now(at) => {
                    swept.looked += self.lists.value(at).len();
                    swept.buried += self.prune(at, now, used);
                }
            }
        }
        swept
    }

    /// Removes the keys whose time has come, and says how many.
    fn prune(&mut self, at: Position, now: Deadline, used: &Meter) -> usize {
        let pruned = self.lists.value_mut(at).prune(now);
        used.release(pruned);
        if pruned > 0 {
            self.bump(at);
        }
        self.settle(at);
        pruned
    }

    /// Gives a list the deadline of its first key, or takes it out if it is empty.
    fn settle(&mut self, at: Position) {
        match self.lists.value(at).first_deadline() {
            Some(deadline) => self.lists.set_deadline(at, deadline),
            None => self.absent = self.lists.take(at).value.version,
        }
    }

    fn bump(&mut self, at: Position) {
        self.changes += 1;
        self.lists.value_mut(at).version = self.changes;
    }
}
