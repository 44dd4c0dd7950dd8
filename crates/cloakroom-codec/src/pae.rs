//! Pre-authentication encoding: a list of byte strings as one byte string, without ambiguity.
//!
//! `PAE(pieces) = LE64(count) ‖ LE64(length of 1st) ‖ 1st ‖ …`. Two different lists never give the same
//! bytes, which plain concatenation does not promise.

use smallvec::SmallVec;
use zeroize::Zeroize as _;

/// Hands the encoding of `pieces` to `sink`, so that a MAC needs no copy of the long ones.
pub(crate) fn feed(pieces: &[&[u8]], sink: impl FnMut(&[u8])) {
    let mut parts = Parts::new(sink);
    parts.put(&length(pieces.len()));
    parts.pieces(pieces);
    parts.hand_over();
}

/// Hands to `sink` how the encoding of `first` and `more` further pieces begins, as far as that is the same each time: up
/// to the length of the next piece.
pub(crate) fn begin(first: &[&[u8]], more: usize, next: usize, sink: impl FnMut(&[u8])) {
    let mut parts = Parts::new(sink);
    parts.put(&length(first.len() + more));
    parts.pieces(first);
    parts.put(&length(next));
    parts.hand_over();
}

/// Hands to `sink` how the encoding goes on after [`begin`], with the piece whose length stands there.
pub(crate) fn go_on(next: &[u8], rest: &[&[u8]], sink: impl FnMut(&[u8])) {
    let mut parts = Parts::new(sink);
    parts.put(next);
    parts.pieces(rest);
    parts.hand_over();
}

/// Gathers short parts, since a digest takes one part of several blocks faster than many of a few bytes.
struct Parts<S: FnMut(&[u8])> {
    /// Some of what is digested is secret: it is wiped.
    gathered: [u8; ROOM],
    len: usize,
    sink: S,
}

impl<S: FnMut(&[u8])> Parts<S> {
    fn new(sink: S) -> Self {
        Self { gathered: [0; ROOM], len: 0, sink }
    }

    fn pieces(&mut self, pieces: &[&[u8]]) {
        for piece in pieces {
            self.put(&length(piece.len()));
            self.put(piece);
        }
    }

    fn put(&mut self, part: &[u8]) {
        match self.gathered.get_mut(self.len..self.len + part.len()) {
            Some(room) => {
                room.copy_from_slice(part);
                self.len += part.len();
            }
            None if self.len > 0 => {
                self.hand_over();
                self.put(part);
            }
            None => (self.sink)(part),
        }
    }

    fn hand_over(&mut self) {
        (self.sink)(self.gathered.get(..self.len).unwrap_or_default());
        self.len = 0;
    }
}

impl<S: FnMut(&[u8])> Drop for Parts<S> {
    fn drop(&mut self) {
        self.gathered.as_mut_slice().zeroize();
    }
}

/// As much as the short pieces under one MAC or digest take.
const ROOM: usize = 256;

/// An encoding; a short one takes no memory but the stack's. For bytes that need no wiping.
pub(crate) type Encoding = SmallVec<[u8; ROOM]>;

/// The encoding of `pieces`.
pub(crate) fn encode(pieces: &[&[u8]]) -> Encoding {
    let mut bytes = Encoding::new();
    feed(pieces, |part| bytes.extend_from_slice(part));
    bytes
}

/// How long an encoded length is.
pub(crate) const LENGTH_LEN: usize = 8;

/// A length as an encoding has it.
pub(crate) fn length(n: usize) -> [u8; LENGTH_LEN] {
    // `usize` is at most 64 bits wide on every target that Rust knows.
    (n as u64).to_le_bytes()
}

#[cfg(test)]
mod tests;
