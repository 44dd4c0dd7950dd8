//! One login of a principal at a time, where a limit asks for it.

use async_lock::Mutex;
pub(crate) use async_lock::MutexGuard as Turn;

use crate::store::PrincipalTag;

/// Locks by principal. Two principals may share one; that costs time and nothing else.
pub(crate) struct Turns {
    locks: Vec<Mutex<()>>,
    /// For what no other lock is for.
    last: Mutex<()>,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { locks: (0..LOCKS).map(|_| Mutex::new(())).collect(), last: Mutex::new(()) }
    }

    /// Waits until it is this login's turn. Logins in front of it end by their own deadlines, and one that comes to
    /// its turn too late gives it up at once.
    pub(crate) async fn of(&self, tag: &PrincipalTag) -> Turn<'_, ()> {
        let [first, ..] = *tag.as_bytes();
        self.locks.get(usize::from(first)).unwrap_or(&self.last).lock().await
    }
}

/// With `last`, one for each first byte of a tag.
const LOCKS: usize = 255;
