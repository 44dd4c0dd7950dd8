//! A record as it is kept.

#![expect(clippy::indexing_slicing, reason = "`new` alone makes slots, with all their parts")]

use std::fmt;

use cloakroom_core::{PrincipalTag, Record, Version};

use crate::expiring_map::Keyed;

#[cfg(test)]
mod tests;

const VERSION: usize = 32;
const KNOWN: usize = VERSION + 8;
const TAG: usize = KNOWN + 1;

/// A record with its key in one piece of memory, so that among a million of them one look goes to one place:
/// key, version, whether it is somebody's, then whose, then the payload.
pub(crate) struct Slot(Box<[u8]>);

impl Slot {
    pub(crate) fn new(key: &[u8; 32], record: &Record) -> Self {
        let tag = tag_of(record);
        let mut bytes = Vec::with_capacity(TAG + tag.len() + record.payload.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&record.version.to_be_bytes());
        bytes.push(u8::from(record.principal.is_some()));
        bytes.extend_from_slice(tag);
        bytes.extend_from_slice(&record.payload);
        Self(bytes.into_boxed_slice())
    }

    /// Puts another record in the place of this one: in the same memory if it has the same length.
    pub(crate) fn put(&mut self, record: &Record) {
        let tag = tag_of(record);
        let start = TAG + tag.len();
        if self.0.len() != start + record.payload.len() || self.is_known() == tag.is_empty() {
            *self = Self::new(self.key(), record);
            return;
        }
        self.0[VERSION..KNOWN].copy_from_slice(&record.version.to_be_bytes());
        self.0[TAG..start].copy_from_slice(tag);
        self.0[start..].copy_from_slice(&record.payload);
    }

    /// Whether the record is the one that `version` is of.
    pub(crate) fn is(&self, version: Version) -> bool {
        self.0[VERSION..KNOWN] == version.to_be_bytes()
    }

    /// `None` never comes: a version is not zero.
    pub(crate) fn version(&self) -> Option<Version> {
        self.0[VERSION..].first_chunk().copied().and_then(Version::from_be_bytes)
    }

    pub(crate) fn principal(&self) -> Option<PrincipalTag> {
        let tag = self.0[TAG..].first_chunk();
        tag.copied().filter(|_| self.is_known()).map(PrincipalTag::from_bytes)
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.0[if self.is_known() { TAG + 32 } else { TAG }..]
    }

    fn is_known(&self) -> bool {
        self.0[KNOWN] == 1
    }
}

fn tag_of(record: &Record) -> &[u8] {
    record.principal.as_ref().map_or(&[], |tag| tag.as_bytes())
}

impl Keyed for Slot {
    fn key(&self) -> &[u8; 32] {
        &self.0.as_chunks().0[0]
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("payload_len", &self.payload().len()).finish_non_exhaustive()
    }
}
