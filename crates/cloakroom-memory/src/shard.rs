//! The verbs of the store, on the part of the records that lies behind one lock.

use std::time::Duration;

use cloakroom_core::{Created, Deleted, PrincipalTag, Record, Replaced, StoreKey, Touched, Version};

use crate::deadline::Deadline;
use crate::expiring_map::{ExpiringMap, Position, Taken};
use crate::index::{Index, Parting};
use crate::meter::Full;
use crate::room::Room;

#[cfg(test)]
mod tests;

/// How many expired records a verb removes on its way: more than it can add, so that they run out.
const STEP: usize = 4;

/// Some of the records.
pub(crate) type Shard = ExpiringMap<Slot>;

/// What is kept of a record.
#[derive(Debug)]
pub(crate) struct Slot {
    payload: Box<[u8]>,
    version: Version,
    /// Boxed, so that an anonymous record pays a quarter of it.
    principal: Option<Box<PrincipalTag>>,
}

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
    pub(crate) fn load(&self, key: &StoreKey) -> Option<Record> {
        let at = self.alive(key)?;
        let slot = self.shard.value(at);
        let record = Record::new(slot.payload.to_vec(), slot.version, self.shard.deadline(at).left(self.now));
        Some(record.with_principal(slot.principal.as_deref().copied()))
    }

    pub(crate) fn create(&mut self, key: &StoreKey, record: &Record) -> Result<Created, Full> {
        if let Some(at) = self.shard.find(key.as_bytes()) {
            if !self.shard.deadline(at).has_passed(self.now) {
                let same = self.shard.value(at).version == record.version;
                return Ok(if same { Created::Created } else { Created::Occupied });
            }
            self.bury(at);
        }
        self.room.claim(record)?;
        self.shard.insert(*key.as_bytes(), Slot::new(record), self.now.after(record.ttl));
        Ok(Created::Created)
    }

    pub(crate) fn replace(
        &mut self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Full> {
        let Some(at) = self.alive(key) else { return Ok(Replaced::Missing) };
        let slot = self.shard.value_mut(at);
        if slot.version == record.version {
            return Ok(Replaced::Replaced);
        }
        if slot.version != expected {
            return Ok(Replaced::Conflict);
        }
        self.room.exchange(slot.payload.len(), record)?;
        let old = std::mem::replace(slot, Slot::new(record));
        self.shard.set_deadline(at, self.now.after(record.ttl));
        if let Some(tag) = old.principal.filter(|tag| Some(**tag) != record.principal) {
            self.index.forget(&tag, key, Parting::Removed);
        }
        Ok(Replaced::Replaced)
    }

    pub(crate) fn touch(&mut self, key: &StoreKey, expected: Version, ttl: Duration) -> Touched {
        let Some(at) = self.alive(key) else { return Touched::Missing };
        if self.shard.value(at).version != expected {
            return Touched::Conflict;
        }
        let extended = self.now.after(ttl);
        if extended > self.shard.deadline(at) {
            self.shard.set_deadline(at, extended);
        }
        Touched::Touched
    }

    pub(crate) fn delete(&mut self, key: &StoreKey) -> Deleted {
        let Some(at) = self.alive(key) else { return Deleted::Missing };
        self.remove(at, |_| Parting::Removed);
        Deleted::Deleted
    }

    /// Removes the records that expired first, a few of them, and says how many.
    pub(crate) fn sweep(&mut self) -> usize {
        let mut swept = 0;
        while swept < STEP
            && let Some(at) = self.shard.due(self.now)
        {
            self.bury(at);
            swept += 1;
        }
        swept
    }

    fn alive(&self, key: &StoreKey) -> Option<Position> {
        let at = self.shard.find(key.as_bytes())?;
        (!self.shard.deadline(at).has_passed(self.now)).then_some(at)
    }

    fn bury(&mut self, at: Position) {
        self.remove(at, Parting::Expired);
    }

    fn remove(&mut self, at: Position, parting: impl FnOnce(Deadline) -> Parting) {
        let Taken { key, value: Slot { payload, principal, .. }, deadline } = self.shard.take(at);
        self.room.release(payload.len());
        if let Some(tag) = principal {
            self.index.forget(&tag, &StoreKey::from_bytes(key), parting(deadline));
        }
    }
}

impl Slot {
    fn new(record: &Record) -> Self {
        Self {
            payload: record.payload.as_slice().into(),
            version: record.version,
            principal: record.principal.map(Box::new),
        }
    }
}
