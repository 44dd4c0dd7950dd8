//! How many records there may be, and how large they may be together.

use cloakroom_core::Record;

use crate::meter::{Full, Meter};

/// The bounds of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

/// Keeps account of records and of the bytes of their payloads.
///
/// The last tenth of both is for records that have a principal: a flood of anonymous sessions leaves room
/// to log in.
#[derive(Debug)]
pub(crate) struct Room {
    bounds: Bounds,
    entries: Meter,
    bytes: Meter,
}

impl Room {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, entries: Meter::default(), bytes: Meter::default() }
    }

    /// Claims the room of a new record.
    pub(crate) fn claim(&self, record: &Record) -> Result<(), Full> {
        let bounds = self.bounds_of(record);
        self.entries.claim(1, bounds.entries)?;
        self.bytes.claim(record.payload.len(), bounds.bytes).inspect_err(|Full| self.entries.release(1))
    }

    /// Claims or gives back what `record` needs more or less than the `old` bytes in its place.
    pub(crate) fn exchange(&self, old: usize, record: &Record) -> Result<(), Full> {
        let new = record.payload.len();
        if new > old {
            return self.bytes.claim(new - old, self.bounds_of(record).bytes);
        }
        self.bytes.release(old - new);
        Ok(())
    }

    /// Gives back the room of a record with a payload of `bytes`.
    pub(crate) fn release(&self, bytes: usize) {
        self.entries.release(1);
        self.bytes.release(bytes);
    }

    /// Whether `record` has no room even in an empty store.
    pub(crate) fn can_never_hold(&self, record: &Record) -> bool {
        record.payload.len() > self.bounds_of(record).bytes
    }

    /// The number of records, those included that have expired and were not swept yet.
    pub(crate) fn entries(&self) -> usize {
        self.entries.used()
    }

    /// The bytes of their payloads.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.used()
    }

    const fn bounds_of(&self, record: &Record) -> Bounds {
        let Bounds { entries, bytes } = self.bounds;
        match record.principal {
            Some(_) => self.bounds,
            None => Bounds { entries: entries - entries / 10, bytes: bytes - bytes / 10 },
        }
    }
}
