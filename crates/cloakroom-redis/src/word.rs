//! The words of commands, and how they are sent.

/// One word of a command.
#[derive(Clone, Copy)]
pub(crate) enum Word<'w> {
    Bytes(&'w [u8]),
    /// Both, as one word.
    Joined(&'w [u8], &'w [u8]),
    Number(u64),
}

impl<'w> From<&'w str> for Word<'w> {
    fn from(text: &'w str) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

impl<'w> From<&'w [u8]> for Word<'w> {
    fn from(bytes: &'w [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'w, const N: usize> From<&'w [u8; N]> for Word<'w> {
    fn from(bytes: &'w [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<u64> for Word<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// How many bytes go around a word, and around all of them, at most.
const AROUND: usize = 25;

/// How much room a command leaves for one behind it, so that both are written into one piece of memory.
const SPARE: usize = 128;

/// Writes the command of these words.
pub(crate) fn write<'w>(words: impl Iterator<Item = Word<'w>> + Clone, to: &mut Vec<u8>) {
    let size = words.clone().fold(AROUND, |size, word| size + word.most() + AROUND);
    if to.capacity() - to.len() < size {
        to.reserve(size + SPARE);
    }
    line(b'*', words.clone().count(), to);
    for word in words {
        let mut digits = itoa::Buffer::new();
        let (head, tail): (&[u8], &[u8]) = match word {
            Word::Bytes(bytes) => (bytes, &[]),
            Word::Joined(head, tail) => (head, tail),
            Word::Number(number) => (digits.format(number).as_bytes(), &[]),
        };
        line(b'$', head.len() + tail.len(), to);
        to.extend_from_slice(head);
        to.extend_from_slice(tail);
        to.extend_from_slice(b"\r\n");
    }
}

fn line(sign: u8, count: usize, to: &mut Vec<u8>) {
    to.push(sign);
    to.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    to.extend_from_slice(b"\r\n");
}

impl Word<'_> {
    /// How long it is, at most.
    const fn most(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Joined(head, tail) => head.len() + tail.len(),
            Self::Number(_) => 20,
        }
    }
}

#[cfg(test)]
mod tests;
