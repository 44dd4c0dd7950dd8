//! What a server has said that was not read yet.

/// How much is read at a time, at least.
const ROOM: usize = 8 << 10;

/// How large it stays when little is in it.
const KEPT: usize = 64 << 10;

/// Bytes in the order in which they came.
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; ROOM], start: 0, end: 0 }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Where more may be put, which is told by [`add`](Self::add). There is always some.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let unread = self.end - self.start;
        if unread == 0 {
            (self.start, self.end) = (0, 0);
        }
        // What was large is over. It may never be empty, where more is said all the time.
        if self.bytes.len() > KEPT && unread < ROOM {
            let mut bytes = Vec::with_capacity(2 * ROOM);
            bytes.extend_from_slice(self.unread());
            bytes.resize(2 * ROOM, 0);
            (self.bytes, self.start, self.end) = (bytes, 0, unread);
        }
        if self.bytes.len() - self.end < ROOM / 2 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.bytes.len() - self.end < ROOM / 2 {
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// So much was put there.
    pub(crate) fn add(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// So much was read.
    pub(crate) fn take(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

#[cfg(test)]
mod tests;
