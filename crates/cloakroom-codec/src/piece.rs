//! A range of bytes in a buffer that many share and that is wiped when the last one goes.

use std::ops::Range;
use std::sync::Arc;

use crate::plaintext::Plaintext;

/// The buffer; cloning it counts a reference.
pub(crate) type Buffer = Arc<Plaintext>;

/// A range of a buffer. The range always lies within it.
#[derive(Clone)]
pub(crate) struct Piece {
    buffer: Buffer,
    span: Span,
}

/// Where a piece stands in its buffer. No buffer is longer than a `u32` can tell.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Piece {
    pub(crate) fn whole(bytes: impl Into<Plaintext>) -> Self {
        let bytes = bytes.into();
        let span = Span::ending(bytes.len(), bytes.len());
        Self { buffer: Arc::new(bytes), span }
    }

    pub(crate) fn of(buffer: &Buffer, span: Span) -> Self {
        Self { buffer: Arc::clone(buffer), span }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.span.of(&self.buffer)
    }
}

impl Span {
    /// The last `len` bytes before `end`.
    pub(crate) fn ending(end: usize, len: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { start: narrow(end.saturating_sub(len)), len: narrow(len) }
    }

    /// The bytes that stand there.
    pub(crate) fn of(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.range()).unwrap_or_default()
    }

    const fn range(self) -> Range<usize> {
        // `usize` has at least 32 bits on every target with a standard library.
        let (start, len) = (self.start as usize, self.len as usize);
        start..start.saturating_add(len)
    }
}
