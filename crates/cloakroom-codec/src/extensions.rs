//! What later releases add to a state.

use std::collections::BTreeMap;
use std::fmt;

/// From this id on an extension is critical.
pub(crate) const FIRST_CRITICAL: u16 = 0x8000;

/// What later releases add to a state, by id, so that a fleet of two releases works.
///
/// A release keeps an optional extension (ids below `0x8000`) that it does not know as it is. It does not
/// read a state with a critical one (from `0x8000`) that it does not know. `cloakroom-core` uses ids 1 and 2. `Debug`
/// shows the ids.
///
/// ```
/// use cloakroom_codec::Extensions;
///
/// let mut extensions = Extensions::default();
/// extensions.insert(7, vec![1, 2, 3]);
/// assert_eq!(extensions.get(7), Some(&[1, 2, 3][..]));
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extensions(BTreeMap<u16, Vec<u8>>);

impl Extensions {
    /// The bytes of one extension.
    #[must_use]
    pub fn get(&self, id: u16) -> Option<&[u8]> {
        self.0.get(&id).map(Vec::as_slice)
    }

    /// Sets the bytes of one extension, and gives back those it had.
    pub fn insert(&mut self, id: u16, bytes: Vec<u8>) -> Option<Vec<u8>> {
        self.0.insert(id, bytes)
    }

    /// Ids and bytes, ascending by id.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.0.iter().map(|(id, bytes)| (*id, bytes.as_slice()))
    }

    /// How many extensions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extensions")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}
