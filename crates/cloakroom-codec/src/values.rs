//! The values of a session, by key.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::piece::{Buffer, Span};
use crate::value::{self, Value};

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
    /// What the values were decoded from; `None` where none was.
    loaded: Option<Buffer>,
    entries: Vec<Entry>,
}

/// A key and its value. Keys are valid UTF-8.
#[derive(Clone)]
pub(crate) enum Entry {
    /// Where they stand in the buffer.
    Loaded { key: Span, value: Span },
    /// Written since.
    Written(Pair),
}

/// A key and its value, as they are written, in one piece of memory. A clone is the same pair, so that a change that is
/// noted and done again is copied nowhere. `Debug` shows neither.
///
/// ```
/// use cloakroom_codec::{Pair, Value, Values};
///
/// let pair = Pair::encode("visits", &1_u32)?;
/// let mut values = Values::default();
/// values.put(&pair);
/// assert_eq!(values.get("visits"), Some(pair.value()));
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone)]
pub struct Pair {
    buffer: Buffer,
    key: Span,
    value: Span,
}

impl Pair {
    /// The pair of a key and a value that is encoded for it.
    ///
    /// # Errors
    ///
    /// Those of [`Value::encode`].
    pub fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Self, Error> {
        value::encode_after(key.as_bytes(), value).map(|bytes| Self::of(bytes, key.len()))
    }

    /// The pair of these two.
    fn new(key: &str, value: &Value) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(key.len() + value.len()));
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(value.as_bytes());
        Self::of(bytes, key.len())
    }

    /// The pair whose key is the first `key_len` bytes.
    fn of(bytes: Zeroizing<Vec<u8>>, key_len: usize) -> Self {
        let value = Span::ending(bytes.len(), bytes.len().saturating_sub(key_len));
        Self { key: Span::ending(key_len, key_len), value, buffer: Arc::new(bytes.into()) }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        str::from_utf8(self.key.of(&self.buffer)).unwrap_or_default()
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Value {
        Value::of(&self.buffer, self.value)
    }

    /// How many bytes the value takes.
    #[must_use]
    pub fn value_len(&self) -> usize {
        self.value.of(&self.buffer).len()
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pair(..)")
    }
}

impl Values {
    /// Entries of one buffer, whose keys ascend.
    pub(crate) fn of_sorted(buffer: &Buffer, entries: Vec<Entry>) -> Self {
        Self { loaded: Some(Arc::clone(buffer)), entries }
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        let at = self.position(key.as_bytes()).ok()?;
        self.value(self.entries.get(at)?)
    }

    /// Puts `value` under `key`, and gives back what stood there.
    ///
    /// A key of other than 1 to 128 bytes is taken, and then refused by [`State::encode`](crate::State::encode).
    pub fn insert(&mut self, key: &str, value: Value) -> Option<Value> {
        self.put(&Pair::new(key, &value))
    }

    /// As [`insert`](Self::insert), of what may be put again elsewhere.
    pub fn put(&mut self, pair: &Pair) -> Option<Value> {
        let written = Entry::Written(pair.clone());
        match self.position(pair.key.of(&pair.buffer)) {
            Ok(at) => {
                let before = std::mem::replace(self.entries.get_mut(at)?, written);
                self.taken(&before)
            }
            Err(at) => {
                self.entries.insert(at, written);
                None
            }
        }
    }

    /// Takes away what stands under `key`, and gives it back.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.position(key.as_bytes()).ok()?;
        let entry = self.entries.remove(at);
        self.taken(&entry)
    }

    /// Whether something stands under `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.position(key.as_bytes()).is_ok()
    }

    /// The keys, ascending by their bytes.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| self.name(entry))
    }

    /// Keys and values, ascending by the bytes of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value)> {
        self.entries.iter().filter_map(|entry| Some((self.name(entry), self.value(entry)?)))
    }

    /// The bytes of keys, which are UTF-8, and of their values, ascending by those of the keys.
    pub(crate) fn encoded(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|entry| (self.key(entry), self.bytes(entry)))
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
        self.loaded = None;
    }

    fn position(&self, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| self.key(entry).cmp(key))
    }

    fn name<'a>(&'a self, entry: &'a Entry) -> &'a str {
        str::from_utf8(self.key(entry)).unwrap_or_default()
    }

    fn key<'a>(&'a self, entry: &'a Entry) -> &'a [u8] {
        match entry {
            Entry::Loaded { key, .. } => key.of(self.buffer()),
            Entry::Written(pair) => pair.key.of(&pair.buffer),
        }
    }

    fn bytes<'a>(&'a self, entry: &'a Entry) -> &'a [u8] {
        match entry {
            Entry::Loaded { value, .. } => value.of(self.buffer()),
            Entry::Written(pair) => pair.value.of(&pair.buffer),
        }
    }

    /// `None` for nothing that is in here: what stands in a buffer keeps the buffer.
    fn value(&self, entry: &Entry) -> Option<Value> {
        match entry {
            Entry::Loaded { value, .. } => Some(Value::of(self.loaded.as_ref()?, *value)),
            Entry::Written(pair) => Some(pair.value()),
        }
    }

    /// The value of an entry that is no longer in here. The buffer goes with the last one that stands in it.
    fn taken(&mut self, entry: &Entry) -> Option<Value> {
        let value = self.value(entry);
        let is_loaded = |entry: &Entry| matches!(entry, Entry::Loaded { .. });
        if is_loaded(entry) && !self.entries.iter().any(is_loaded) {
            self.loaded = None;
        }
        value
    }

    fn buffer(&self) -> &[u8] {
        self.loaded.as_deref().map_or(&[], |buffer| buffer)
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.encoded().eq(other.encoded())
    }
}

impl Eq for Values {}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({})", self.len())
    }
}

#[cfg(test)]
mod tests;
