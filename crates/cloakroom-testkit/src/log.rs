//! What is written to the log, for tests to look at.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once, PoisonError};

/// Everything that is logged on this thread while its [`Listening`] lives.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

thread_local! {
    static HEARD: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// Ends the listening when it is dropped.
#[derive(Debug)]
pub struct Listening(());

impl Log {
    /// Begins to listen on this thread.
    #[must_use]
    // One subscriber hears all threads: an event that is first met on a thread with none would be heard by nobody.
    pub fn listen() -> (Self, Listening) {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(|| OfThisThread)
                .init();
        });
        let log = Self::default();
        HEARD.set(Some(log.clone()));
        (log, Listening(()))
    }

    /// What was heard so far.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        HEARD.set(None);
    }
}

/// Writes for whoever listens on this thread.
struct OfThisThread;

impl Write for OfThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        HEARD.with_borrow(|heard| {
            if let Some(Log(heard)) = heard {
                heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
