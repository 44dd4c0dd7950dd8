//! Which of the slots of a cluster a key is in.

use crc::{CRC_16_XMODEM, Crc};

/// How many slots there are.
pub(super) const SLOTS: u16 = 16384;

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// One of the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u16);

impl Slot {
    /// The slot of this key. Ours hold no brace, so all of it counts.
    pub(super) const fn of(key: &str) -> Self {
        Self(CRC.checksum(key.as_bytes()) % SLOTS)
    }

    /// The slot of this number.
    pub(super) fn new(number: u16) -> Option<Self> {
        (number < SLOTS).then_some(Self(number))
    }
}

#[cfg(test)]
mod tests;
