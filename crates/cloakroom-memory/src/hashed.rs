//! The hash of keys that are digests already.

#[cfg(test)]
mod tests;

/// A digest beside its hash, which is made once a verb.
#[derive(Clone, Copy)]
pub(crate) struct Hashed<'a> {
    pub(crate) digest: &'a [u8; 32],
    pub(crate) hash: u64,
}

impl<'a> From<&'a [u8; 32]> for Hashed<'a> {
    fn from(digest: &'a [u8; 32]) -> Self {
        Self { digest, hash: digest_hash(digest) }
    }
}

/// One for each word of a digest, so that equal words do not cancel each other out.
const ODD: [u64; 4] =
    [0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB, 0xD6E8_FEB8_6659_FD93];

/// Folds a digest into a word.
///
/// Keys are SHA-256 of random handles that the server draws, and tags are HMACs: nobody outside chooses
/// them, so that there is nothing to defend with a keyed hash. All bytes count in all parts of the word, so
/// that the artificial keys of tests spread as well.
fn digest_hash(digest: &[u8; 32]) -> u64 {
    let (words, _) = digest.as_chunks::<8>();
    let sum = words
        .iter()
        .zip(ODD)
        .fold(0, |sum: u64, (word, odd)| sum.wrapping_add(folded(u64::from_le_bytes(*word) ^ odd, odd)));
    folded(sum, ODD[0])
}

/// Both halves of the product, on each other: one multiplication carries upwards only.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the halves of a product")]
const fn folded(one: u64, other: u64) -> u64 {
    let product = (one as u128) * (other as u128);
    (product as u64) ^ ((product >> 64) as u64)
}
