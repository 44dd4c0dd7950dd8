use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn encode_all(pieces: &[Vec<u8>]) -> Encoding {
    encode(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Reads back what was encoded: an encoding with a decoder is injective.
fn decode(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    fn number<'a>(bytes: &mut &'a [u8]) -> Option<usize> {
        let (head, tail): (&'a [u8; 8], _) = bytes.split_first_chunk()?;
        *bytes = tail;
        usize::try_from(u64::from_le_bytes(*head)).ok()
    }
    let mut rest = bytes;
    let count = number(&mut rest)?;
    let mut pieces = Vec::new();
    for _ in 0..count {
        let len = number(&mut rest)?;
        let (piece, tail) = rest.split_at_checked(len)?;
        rest = tail;
        pieces.push(piece.to_vec());
    }
    rest.is_empty().then_some(pieces)
}

#[test]
fn known_encodings_are_met() {
    assert_eq!(*encode(&[]), [0; 8]);
    assert_eq!(*encode(&[b""]), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(*encode(&[b"test"]), *b"\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0test");
}

proptest! {
    #[test]
    fn encoding_is_injective(pieces in vec(vec(any::<u8>(), 0..20), 0..6)) {
        prop_assert_eq!(decode(&encode_all(&pieces)), Some(pieces));
    }

    #[test]
    fn a_moved_border_is_another_encoding(
        bytes in vec(any::<u8>(), 1..40),
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
    ) {
        let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
        let split = |at: usize| encode(&[&bytes[..at], &bytes[at..]]);
        prop_assert_eq!(split(a) == split(b), a == b);
        prop_assert_ne!(split(a), encode(&[&bytes]));
    }

    #[test]
    fn parts_are_the_whole(pieces in vec(vec(any::<u8>(), 0..300), 0..6)) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let mut parts = Vec::new();
        feed(&pieces, |part| parts.extend_from_slice(part));
        prop_assert_eq!(parts, encode(&pieces).into_vec());
    }

    #[test]
    fn what_is_begun_goes_on(pieces in vec(vec(any::<u8>(), 0..300), 1..6), at in any::<prop::sample::Index>()) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let (first, rest) = pieces.split_at(at.index(pieces.len()));
        let (next, rest) = rest.split_first().unwrap();
        let mut parts = Vec::new();
        begin(first, 1 + rest.len(), next.len(), |part| parts.extend_from_slice(part));
        go_on(next, rest, |part| parts.extend_from_slice(part));
        prop_assert_eq!(parts, encode(&pieces).into_vec());
    }
}
