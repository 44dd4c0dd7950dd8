//! The hash of keys that are digests already.

#[cfg(test)]
mod tests;

/// Folds a digest into a word.
///
/// Keys are SHA-256 of random handles that the server draws, and tags are HMACs: nobody outside chooses
/// them, so that there is nothing to defend with a keyed hash. All bytes count in all parts of the word, so
/// that the artificial keys of tests spread as well.
pub(crate) fn digest_hash(digest: &[u8; 32]) -> u64 {
    let (words, _) = digest.as_chunks::<8>();
    let folded = words.iter().fold(0, |hash: u64, word| mixed(hash ^ u64::from_le_bytes(*word)));
    mixed(folded)
}

/// A multiplication carries upwards only; what it made of the high bytes, the next one carries further.
const fn mixed(word: u64) -> u64 {
    let word = word.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (word ^ (word >> 32)).swap_bytes()
}
