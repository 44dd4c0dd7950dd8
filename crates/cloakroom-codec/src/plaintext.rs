//! What an envelope held.

use std::fmt;
use std::ops::{Deref, Range};

use zeroize::Zeroizing;

/// What an envelope held, wiped when it goes.
///
/// It may stand in the buffer that the envelope came in, so that nothing is copied. `Debug` shows its length.
///
/// ```
/// use cloakroom_codec::{KeyRing, Purpose};
///
/// let keys = KeyRing::generate().bind("shop")?;
/// let envelope = keys.seal(Purpose::Record, b"store key", b"payload")?;
/// let plaintext = keys.open_owned(Purpose::Record, b"store key", envelope)?;
/// assert_eq!(&*plaintext, b"payload");
/// assert_eq!(format!("{plaintext:?}"), "Plaintext(7 bytes)");
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
pub struct Plaintext {
    buffer: Zeroizing<Vec<u8>>,
    /// Lies within the buffer.
    range: Range<usize>,
}

impl Plaintext {
    /// What stands in `range` of the buffer; nothing, if the buffer has no such range.
    pub(crate) const fn within(buffer: Zeroizing<Vec<u8>>, range: Range<usize>) -> Self {
        Self { buffer, range }
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        // What a vector has room for is wiped as a whole, what it holds byte by byte: that takes as long as to decrypt it.
        self.buffer.clear();
    }
}

impl From<Zeroizing<Vec<u8>>> for Plaintext {
    fn from(buffer: Zeroizing<Vec<u8>>) -> Self {
        let range = 0..buffer.len();
        Self { buffer, range }
    }
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.get(self.range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext({} bytes)", self.len())
    }
}
