//! The verbs of the store, on the part of the records that lies behind one lock.

use std::time::Duration;

use cloakroom_core::{Created, Deleted, Record, Replaced, StoreKey, Touched, Version};

use crate::deadline::Deadline;
use crate::expiring_map::{Due, ExpiringMap, Keyed as _, Position, Taken};
use crate::hashed::Hashed;
use crate::index::{Index, Parting};
use crate::meter::Full;
use crate::room::Room;
use crate::search::Swept;
use crate::slot::Slot;

#[cfg(test)]
mod tests;

/// How many expired records a verb removes on its way: more than it can add, so that they run out.
pub(crate) const STEP: usize = 4;

/// Some of the records.
pub(crate) type Shard = ExpiringMap<Slot>;

/// A shard at one moment, with what its records are accounted for in.
///
/// The lock on the shard is held meanwhile. The index locks a part of its own within, never the other way
/// round.
pub(crate) struct Scene<'a> {
    pub(crate) shard: &'a mut Shard,
    pub(crate) now: Deadline,
    pub(crate) room: &'a Room,
    pub(crate) index: &'a Index,
}

impl Scene<'_> {
    pub(crate) fn load(&self, key: Hashed<'_>) -> Option<Record> {
        let at = self.alive(key)?;
        let slot = self.shard.value(at);
        let left = self.shard.deadline(at).left(self.now);
        let record = Record::new(slot.payload().to_vec(), slot.version()?, left);
        Some(record.with_principal(slot.principal()))
    }

    pub(crate) fn create(&mut self, key: Hashed<'_>, record: &Record) -> Result<Created, Full> {
        if let Some(at) = self.shard.find(key) {
            if !self.shard.deadline(at).has_passed(self.now) {
                let same = self.shard.value(at).is(record.version);
                return Ok(if same { Created::Created } else { Created::Occupied });
            }
            self.bury(at);
        }
        self.room.claim(record)?;
        self.shard.insert(key.hash, Slot::new(key.digest, record), self.now.after(record.ttl));
        Ok(Created::Created)
    }

    pub(crate) fn replace(
        &mut self,
        key: Hashed<'_>,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Full> {
        let Some(at) = self.alive(key) else { return Ok(Replaced::Missing) };
        let slot = self.shard.value_mut(at);
        if slot.is(record.version) {
            return Ok(Replaced::Replaced);
        }
        if !slot.is(expected) {
            return Ok(Replaced::Conflict);
        }
        self.room.exchange(slot.payload().len(), record)?;
        let before = slot.principal();
        slot.put(record);
        self.shard.set_deadline(at, self.now.after(record.ttl));
        if let Some(tag) = before.filter(|tag| Some(*tag) != record.principal) {
            self.index.forget(&tag, &StoreKey::from_bytes(*key.digest), Parting::Removed);
        }
        Ok(Replaced::Replaced)
    }

    pub(crate) fn touch(&mut self, key: Hashed<'_>, expected: Version, ttl: Duration) -> Touched {
        let Some(at) = self.alive(key) else { return Touched::Missing };
        if !self.shard.value(at).is(expected) {
            return Touched::Conflict;
        }
        let extended = self.now.after(ttl);
        if extended > self.shard.deadline(at) {
            self.shard.set_deadline(at, extended);
        }
        Touched::Touched
    }

    pub(crate) fn delete(&mut self, key: Hashed<'_>) -> Deleted {
        let Some(at) = self.alive(key) else { return Deleted::Missing };
        self.remove(at, |_| Parting::Removed);
        Deleted::Deleted
    }

    /// Removes the records that expired first, a few of them.
    pub(crate) fn sweep(&mut self) -> Swept {
        let mut swept = Swept::default();
        while swept.looked < STEP {
            match self.shard.due(self.now) {
                Due::Nothing => break,
                Due::Later => {}
                Due::Now(at) => {
                    self.bury(at);
                    swept.buried += 1;
                }
            }
            swept.looked += 1;
        }
        swept
    }

    fn alive(&self, key: Hashed<'_>) -> Option<Position> {
        let at = self.shard.find(key)?;
        (!self.shard.deadline(at).has_passed(self.now)).then_some(at)
    }

    fn bury(&mut self, at: Position) {
        self.remove(at, Parting::Expired);
    }

    fn remove(&mut self, at: Position, parting: impl FnOnce(Deadline) -> Parting) {
        let Taken { value: slot, deadline } = self.shard.take(at);
        self.room.release(slot.payload().len());
        if let Some(tag) = slot.principal() {
            self.index.forget(&tag, &StoreKey::from_bytes(*slot.key()), parting(deadline));
        }
    }
}
