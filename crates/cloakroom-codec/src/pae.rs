//! Pre-authentication encoding: a list of byte strings as one byte string, without ambiguity.
//!
//! `PAE(pieces) = LE64(count) ‖ LE64(length of 1st) ‖ 1st ‖ …`. Two different lists never give the same
//! bytes, which plain concatenation does not promise.

/// Hands the encoding of `pieces` to `sink`, part by part, so that a MAC needs no copy of it.
pub(crate) fn feed(pieces: &[&[u8]], mut sink: impl FnMut(&[u8])) {
    sink(&length(pieces.len()));
    for piece in pieces {
        sink(&length(piece.len()));
        sink(piece);
    }
}

/// The encoding of `pieces`.
pub(crate) fn encode(pieces: &[&[u8]]) -> Vec<u8> {
    let size = pieces.iter().map(|piece| 8 + piece.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(8 + size);
    feed(pieces, |part| bytes.extend_from_slice(part));
    bytes
}

fn length(n: usize) -> [u8; 8] {
    // `usize` is at most 64 bits wide on every target that Rust knows.
    (n as u64).to_le_bytes()
}

#[cfg(test)]
mod tests;
