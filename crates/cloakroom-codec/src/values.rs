//! The values of a session, by key.

use std::fmt;

use zeroize::Zeroizing;

use crate::piece::Piece;
use crate::value::Value;

/// The values of a session, sorted by the bytes of their keys.
///
/// After [`State::decode`](crate::State::decode) keys and values are ranges of one buffer: reading one key
/// decodes that value alone. `Debug` shows the number of values.
///
/// ```
/// use cloakroom_codec::{Value, Values};
///
/// let mut values = Values::default();
/// values.insert("visits", Value::encode(&1_u32)?);
/// assert!(values.contains("visits"));
/// assert_eq!(values.keys().collect::<Vec<_>>(), ["visits"]);
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Values {
    entries: Vec<Entry>,
}

#[derive(Clone)]
pub(crate) struct Entry {
    /// Valid UTF-8.
    pub(crate) key: Piece,
    pub(crate) value: Value,
}

impl Entry {
    fn key(&self) -> &str {
        str::from_utf8(self.key.as_bytes()).unwrap_or_default()
    }
}

impl Values {
    /// Entries whose keys ascend.
    pub(crate) const fn of_sorted(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        let at = self.position(key).ok()?;
        self.entries.get(at).map(|entry| entry.value.clone())
    }

    /// Puts `value` under `key`, and gives back what stood there.
    ///
    /// A key of other than 1 to 128 bytes is taken, and then refused by [`State::encode`](crate::State::encode).
    pub fn insert(&mut self, key: &str, value: Value) -> Option<Value> {
        match self.position(key) {
            Ok(at) => self.entries.get_mut(at).map(|entry| std::mem::replace(&mut entry.value, value)),
            Err(at) => {
                let key = Piece::whole(Zeroizing::new(key.as_bytes().to_vec()));
                self.entries.insert(at, Entry { key, value });
                None
            }
        }
    }

    /// Takes away what stands under `key`, and gives it back.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.position(key).ok()?;
        Some(self.entries.remove(at).value)
    }

    /// Whether something stands under `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.position(key).is_ok()
    }

    /// The keys, ascending by their bytes.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(Entry::key)
    }

    /// Keys and values, ascending by the bytes of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|entry| (entry.key(), &entry.value))
    }

    /// How many values there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes all values away.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.key.as_bytes().cmp(key.as_bytes()))
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Values {}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({})", self.len())
    }
}
