//! The two outputs, and the signals that end the program.

use std::io::Write as _;

use tokio::signal::unix::{SignalKind, signal};

/// For programs that wait for it.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to tell.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// For people.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Waits for a `SIGTERM` or `SIGINT` that comes after this call, even before the first poll.
pub(crate) fn asked_to_end() -> impl Future<Output = ()> + Send + 'static {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        // Without handlers of ours the signals end the process.
        let (Ok(mut term), Ok(mut int)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
}
