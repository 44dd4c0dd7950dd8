//! The hash of keys that are digests already.

/// Folds a digest into a word.
///
/// Keys are SHA-256 of random handles that the server draws, and tags are HMACs: nobody outside chooses
/// them, so that there is nothing to defend with a keyed hash. All bytes count, so that the artificial keys
/// of tests spread as well.
pub(crate) fn digest_hash(digest: &[u8; 32]) -> u64 {
    let (words, _) = digest.as_chunks::<8>();
    words.iter().fold(0, |hash: u64, word| {
        let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 32)
    })
}
