//! Reads `Cookie` headers that anybody may have written.
//!
//! Byte for byte: names are compared exactly, nothing is decoded, unquoted or folded, and the bytes of
//! other cookies are skipped whatever they are. Frameworks' jars percent-decode names or drop a whole header
//! over one foreign byte, which lets a neighbour plant a cookie or lock a visitor out.

/// The values of the cookies called `name`, in the order in which they came: at most
/// [`MAX_CANDIDATES`] different ones, from the first [`MAX_BYTES`] of all headers together.
pub(crate) fn values<'h>(headers: impl IntoIterator<Item = &'h [u8]>, name: &str) -> Candidates<'h> {
    let mut found = Candidates::default();
    let mut budget = MAX_BYTES;
    for header in headers {
        let (head, whole) = match header.get(..budget) {
            Some(head) => (head, head.len() == header.len()),
            None => (header, true),
        };
        budget -= head.len();
        let mut pairs = head.split(|&byte| byte == b';').peekable();
        while let Some(pair) = pairs.next() {
            // The last pair of a cut header may itself be cut.
            if !whole && pairs.peek().is_none() {
                break;
            }
            if let Some(value) = value_of(pair, name.as_bytes()) {
                found.add(value);
            }
        }
        if budget == 0 {
            break;
        }
    }
    found
}

/// How many different values of one name are looked at.
pub(crate) const MAX_CANDIDATES: usize = 4;

/// How many bytes of `Cookie` headers are looked at.
pub(crate) const MAX_BYTES: usize = 16 * 1024;

/// Up to four different values, without an allocation.
#[derive(Default)]
pub(crate) struct Candidates<'h> {
    values: [Option<&'h [u8]>; MAX_CANDIDATES],
}

impl<'h> Candidates<'h> {
    /// The values that were found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'h [u8]> + '_ {
        self.values.iter().map_while(|value| *value)
    }

    fn add(&mut self, value: &'h [u8]) {
        for slot in &mut self.values {
            match slot {
                Some(known) if *known == value => return,
                Some(_) => {}
                None => {
                    *slot = Some(value);
                    return;
                }
            }
        }
    }
}

fn value_of<'h>(pair: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    trim(pair).strip_prefix(name)?.strip_prefix(b"=")
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}
