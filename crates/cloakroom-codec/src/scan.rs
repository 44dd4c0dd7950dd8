//! A walk over one MessagePack value before anything is made of it: size, depth, duplicates.

use std::ops::Range;

use crate::cursor::{Broken, Cursor};
use crate::messagepack::Header;

/// At most this many containers stand within one another.
pub(crate) const MAX_DEPTH: usize = 32;

/// Why bytes are not one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Not MessagePack in its shortest form, cut off, or followed by more.
    Broken,
    /// More than [`MAX_DEPTH`] containers within one another.
    TooDeep,
    /// A map has one key twice.
    DuplicateKey,
}

impl From<Broken> for Flaw {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

/// Checks that `bytes` are exactly one value.
///
/// It takes no memory, and walks no further, for a length that the bytes only claim: each element takes a byte.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Flaw> {
    #[cfg(test)]
    tests::count_call();
    let mut scan = Scan { bytes, cursor: Cursor::new(bytes), keys: Vec::new() };
    scan.value(0)?;
    Ok(scan.cursor.end()?)
}

struct Scan<'a> {
    bytes: &'a [u8],
    cursor: Cursor<'a>,
    /// Where the keys of all maps stand that the walk is in, the outermost map's first.
    keys: Vec<Range<usize>>,
}

impl Scan<'_> {
    fn value(&mut self, depth: usize) -> Result<(), Flaw> {
        match self.cursor.header()? {
            Header::Nil | Header::Bool | Header::Uint(_) | Header::Negative | Header::Float => Ok(()),
            Header::Str(len) => {
                str::from_utf8(self.cursor.take(len)?).map_err(|_| Flaw::Broken)?;
                Ok(())
            }
            Header::Bin(len) => Ok(self.cursor.take(len).map(drop)?),
            Header::Ext(len) => {
                self.cursor.byte()?;
                Ok(self.cursor.take(len).map(drop)?)
            }
            Header::Array(len) => {
                let depth = deeper(depth)?;
                (0..len).try_for_each(|_| self.value(depth))
            }
            Header::Map(len) => self.map(len, deeper(depth)?),
        }
    }

    fn map(&mut self, len: usize, depth: usize) -> Result<(), Flaw> {
        let first = self.keys.len();
        for _ in 0..len {
            let start = self.cursor.position();
            self.value(depth)?;
            self.keys.push(start..self.cursor.position());
            self.value(depth)?;
        }
        let bytes = self.bytes;
        let keys = self.keys.get_mut(first..).unwrap_or_default();
        keys.sort_unstable_by(|a, b| bytes.get(a.clone()).cmp(&bytes.get(b.clone())));
        let twice = keys
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if bytes.get(a.clone()) == bytes.get(b.clone())));
        self.keys.truncate(first);
        if twice { Err(Flaw::DuplicateKey) } else { Ok(()) }
    }
}

fn deeper(depth: usize) -> Result<usize, Flaw> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(Flaw::TooDeep) }
}

#[cfg(test)]
pub(crate) mod tests;
