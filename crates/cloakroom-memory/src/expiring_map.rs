//! A map that knows which of its entries dies next.

#![expect(
    clippy::expect_used,
    reason = "a position is that of an entry; whoever keeps one too long has a bug"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashTable;

use crate::deadline::Deadline;
use crate::hashed::Hashed;

#[cfg(test)]
mod tests;

/// What knows the digest that it lies under.
pub(crate) trait Keyed {
    fn key(&self) -> &[u8; 32];
}

/// A map from digests to values with deadlines.
///
/// The entries lie in the hash table itself, each with its hash, so that a look-up goes to one place and
/// growth leaves the values alone. A heap holds a reminder of each at its deadline or before. An entry that
/// shall live longer does not move: it gets another reminder when the first one comes. The reminders of
/// entries that are gone stay until they are most of the heap.
///
/// Beyond its value an entry costs 24 bytes of its own, one in the table, half as much again or more for
/// places that are free there, and 16 bytes for each of one or two reminders.
#[derive(Debug)]
pub(crate) struct ExpiringMap<V> {
    table: HashTable<Entry<V>>,
    queue: BinaryHeap<Reverse<Reminder>>,
}

/// Where an entry lies, until the next one is inserted or taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position(usize);

/// What one look at the reminders came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing is due.
    Nothing,
    /// A reminder came of an entry that is gone or lives on.
    Later,
    /// This entry is due: whoever asked takes it out or gives it another deadline.
    Now(Position),
}

#[derive(Debug)]
struct Entry<V> {
    hash: u64,
    deadline: Deadline,
    /// The moment of the one reminder that counts; [`Deadline::NEVER`] is that of none.
    reminded: Deadline,
    value: V,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reminder {
    at: Deadline,
    hash: u64,
}

/// What was taken out of a map.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken<V> {
    pub(crate) value: V,
    pub(crate) deadline: Deadline,
}

impl<V> Default for ExpiringMap<V> {
    fn default() -> Self {
        Self { table: HashTable::new(), queue: BinaryHeap::new() }
    }
}

impl<V: Keyed> ExpiringMap<V> {
    /// Where the entry of a key lies.
    pub(crate) fn find(&self, key: Hashed<'_>) -> Option<Position> {
        let Hashed { digest, hash } = key;
        // The hashes first: the key may lie elsewhere.
        let found = |entry: &Entry<V>| entry.hash == hash && entry.value.key() == digest;
        self.table.find_bucket_index(hash, found).map(Position)
    }

    pub(crate) fn value(&self, at: Position) -> &V {
        &self.entry(at).value
    }

    pub(crate) fn value_mut(&mut self, at: Position) -> &mut V {
        &mut self.entry_mut(at).value
    }

    pub(crate) fn deadline(&self, at: Position) -> Deadline {
        self.entry(at).deadline
    }

    pub(crate) fn set_deadline(&mut self, at: Position, deadline: Deadline) {
        let entry = self.entry_mut(at);
        entry.deadline = deadline;
        if deadline < entry.reminded {
            entry.reminded = deadline;
            let reminder = entry.reminder();
            grow(&mut self.queue);
            self.queue.push(reminder);
            self.drop_stale_reminders();
        }
    }

    /// Adds an entry for a key that has none.
    pub(crate) fn insert(&mut self, hash: u64, value: V, deadline: Deadline) -> Position {
        let entry = Entry { hash, deadline, reminded: Deadline::NEVER, value };
        let at = Position(self.table.insert_unique(hash, entry, |entry| entry.hash).bucket_index());
        self.set_deadline(at, deadline);
        at
    }

    /// Takes an entry out. Positions that were found before mean nothing from here on.
    pub(crate) fn take(&mut self, at: Position) -> Taken<V> {
        let found = self.table.get_bucket_entry(at.0).ok().expect("the position of an entry");
        let (Entry { deadline, value, .. }, _) = found.remove();
        let len = self.table.len();
        if self.table.capacity() > 64 && len < self.table.capacity() / 4 {
            self.table.shrink_to(2 * len, |entry| entry.hash);
            self.queue.shrink_to(2 * len);
        }
        self.drop_stale_reminders();
        Taken { value, deadline }
    }

    /// Looks at the first reminder, and what it is of.
    pub(crate) fn due(&mut self, now: Deadline) -> Due {
        let Some(Reverse(first)) = self.queue.peek().copied() else { return Due::Nothing };
        if !first.at.has_passed(now) {
            return Due::Nothing;
        }
        self.queue.pop();
        let reminded = |entry: &Entry<V>| entry.hash == first.hash && entry.reminded == first.at;
        let Some(at) = self.table.find_bucket_index(first.hash, reminded).map(Position) else {
            return Due::Later;
        };
        let entry = self.entry_mut(at);
        entry.reminded = Deadline::NEVER;
        if entry.deadline.has_passed(now) {
            return Due::Now(at);
        }
        let deadline = entry.deadline;
        self.set_deadline(at, deadline);
        Due::Later
    }

    fn entry(&self, at: Position) -> &Entry<V> {
        self.table.get_bucket(at.0).expect("the position of an entry")
    }

    fn entry_mut(&mut self, at: Position) -> &mut Entry<V> {
        self.table.get_bucket_mut(at.0).expect("the position of an entry")
    }

    /// Makes all reminders anew once most of them are of entries that are gone, or of what they once were.
    fn drop_stale_reminders(&mut self) {
        if self.queue.len() <= 2 * self.table.len() + 64 {
            return;
        }
        let mut reminders = std::mem::take(&mut self.queue).into_vec();
        reminders.clear();
        reminders.extend(self.table.iter_mut().map(|entry| {
            entry.reminded = entry.deadline;
            entry.reminder()
        }));
        reminders.shrink_to_fit();
        self.queue = BinaryHeap::from(reminders);
    }
}

impl<V> Entry<V> {
    const fn reminder(&self) -> Reverse<Reminder> {
        Reverse(Reminder { at: self.reminded, hash: self.hash })
    }
}

/// Makes room for one more by an eighth at a time: doubling would leave a third unused on average.
fn grow<T: Ord>(heap: &mut BinaryHeap<T>) {
    if heap.len() == heap.capacity() {
        heap.reserve_exact((heap.len() / 8).max(8));
    }
}
