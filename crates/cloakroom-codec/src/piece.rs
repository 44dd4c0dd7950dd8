//! A range of bytes in a buffer that many share and that is wiped when the last one goes.

use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroizing;

/// The buffer; cloning it counts a reference.
pub(crate) type Buffer = Arc<Zeroizing<Vec<u8>>>;

/// A range of a buffer. The range always lies within it.
#[derive(Clone)]
pub(crate) struct Piece {
    buffer: Buffer,
    range: Range<usize>,
}

impl Piece {
    pub(crate) fn whole(bytes: Zeroizing<Vec<u8>>) -> Self {
        let range = 0..bytes.len();
        Self { buffer: Arc::new(bytes), range }
    }

    /// The last `len` bytes before `end`.
    pub(crate) fn ending(buffer: &Buffer, end: usize, len: usize) -> Self {
        Self { buffer: Arc::clone(buffer), range: end.saturating_sub(len)..end }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.buffer.get(self.range.clone()).unwrap_or_default()
    }
}
