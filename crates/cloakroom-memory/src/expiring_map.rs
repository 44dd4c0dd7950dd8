//! A map that knows which of its entries dies next.

#![expect(clippy::indexing_slicing, reason = "table, entries and queue name each other's places; see tests")]

use hashbrown::HashTable;

use crate::deadline::Deadline;
use crate::digest_hash::digest_hash;

#[cfg(test)]
mod tests;

/// A map from digests to values with deadlines.
///
/// The entries lie densely in one vector; a hash table finds them by key, and a binary heap by deadline.
/// Beyond the value an entry costs 40 bytes of its own, 16 in the heap and 9 to 18 in the table.
#[derive(Debug)]
pub(crate) struct ExpiringMap<V> {
    /// Places in `entries`, by the hash of the key that lies there.
    table: HashTable<usize>,
    entries: Vec<Entry<V>>,
    /// A heap: no deadline is later than those at twice its place plus one and plus two.
    queue: Vec<Queued>,
}

/// Where an entry lies, until the next entry is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position(usize);

/// What was taken out of a map.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken<V> {
    pub(crate) key: [u8; 32],
    pub(crate) value: V,
    pub(crate) deadline: Deadline,
}

#[derive(Debug)]
struct Entry<V> {
    key: [u8; 32],
    /// The place in `queue`.
    queued: usize,
    value: V,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    deadline: Deadline,
    /// The place in `entries`.
    entry: usize,
}

impl<V> Default for ExpiringMap<V> {
    fn default() -> Self {
        Self { table: HashTable::new(), entries: Vec::new(), queue: Vec::new() }
    }
}

impl<V> ExpiringMap<V> {
    /// Where the entry of `key` lies.
    pub(crate) fn find(&self, key: &[u8; 32]) -> Option<Position> {
        let Self { table, entries, .. } = self;
        table.find(digest_hash(key), |place| entries[*place].key == *key).copied().map(Position)
    }

    pub(crate) fn value(&self, at: Position) -> &V {
        &self.entries[at.0].value
    }

    pub(crate) fn value_mut(&mut self, at: Position) -> &mut V {
        &mut self.entries[at.0].value
    }

    pub(crate) fn deadline(&self, at: Position) -> Deadline {
        self.queue[self.entries[at.0].queued].deadline
    }

    pub(crate) fn set_deadline(&mut self, at: Position, deadline: Deadline) {
        let place = self.entries[at.0].queued;
        self.queue[place].deadline = deadline;
        self.restore_order(place);
    }

    /// Adds an entry for a key that has none.
    pub(crate) fn insert(&mut self, key: [u8; 32], value: V, deadline: Deadline) -> Position {
        let entry = self.entries.len();
        let place = self.queue.len();
        grow(&mut self.entries);
        grow(&mut self.queue);
        self.entries.push(Entry { key, queued: place, value });
        self.queue.push(Queued { deadline, entry });
        let entries = &self.entries;
        self.table.insert_unique(digest_hash(&key), entry, |place| digest_hash(&entries[*place].key));
        self.restore_order(place);
        Position(entry)
    }

    /// Takes an entry out. Positions that were found before mean nothing from here on.
    pub(crate) fn take(&mut self, at: Position) -> Taken<V> {
        let deadline = self.take_from_queue(self.entries[at.0].queued);
        let hash = digest_hash(&self.entries[at.0].key);
        if let Ok(found) = self.table.find_entry(hash, |place| *place == at.0) {
            found.remove();
        }
        let Entry { key, value, .. } = self.entries.swap_remove(at.0);
        let moved_from = self.entries.len();
        if at.0 < moved_from {
            let moved = &self.entries[at.0];
            self.queue[moved.queued].entry = at.0;
            if let Some(place) = self.table.find_mut(digest_hash(&moved.key), |place| *place == moved_from) {
                *place = at.0;
            }
        }
        self.shrink();
        Taken { key, value, deadline }
    }

    /// Where the entry that dies next lies, if it is due.
    pub(crate) fn due(&self, now: Deadline) -> Option<Position> {
        let next = self.queue.first()?;
        next.deadline.has_passed(now).then_some(Position(next.entry))
    }

    fn take_from_queue(&mut self, place: usize) -> Deadline {
        let taken = self.queue.swap_remove(place);
        if let Some(moved) = self.queue.get(place) {
            self.entries[moved.entry].queued = place;
            self.restore_order(place);
        }
        taken.deadline
    }

    /// Moves what lies at `place` up or down the heap to where it belongs.
    fn restore_order(&mut self, mut place: usize) {
        while let Some(above) = place.checked_sub(1).map(|place| place / 2) {
            if self.queue[above].deadline <= self.queue[place].deadline {
                break;
            }
            self.swap_queued(above, place);
            place = above;
        }
        loop {
            let below = (2 * place + 1)..self.queue.len().min(2 * place + 3);
            let Some(earliest) = below.min_by_key(|below| self.queue[*below].deadline) else { break };
            if self.queue[place].deadline <= self.queue[earliest].deadline {
                break;
            }
            self.swap_queued(place, earliest);
            place = earliest;
        }
    }

    fn swap_queued(&mut self, one: usize, other: usize) {
        self.queue.swap(one, other);
        self.entries[self.queue[one].entry].queued = one;
        self.entries[self.queue[other].entry].queued = other;
    }

    /// Gives memory back once three quarters of it are unused.
    fn shrink(&mut self) {
        let len = self.entries.len();
        if self.entries.capacity() > 64 && len < self.entries.capacity() / 4 {
            let Self { table, entries, queue } = self;
            entries.shrink_to(2 * len);
            queue.shrink_to(2 * len);
            table.shrink_to(2 * len, |place| digest_hash(&entries[*place].key));
        }
    }
}

/// Makes room for one more by an eighth at a time: doubling would leave a third unused on average.
fn grow<T>(vec: &mut Vec<T>) {
    if vec.len() == vec.capacity() {
        vec.reserve_exact((vec.len() / 8).max(8));
    }
}
