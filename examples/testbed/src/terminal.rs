//! The two outputs, and the signals that end the program.

use std::io::Write as _;

use tokio::signal::unix::{SignalKind, signal};

/// One line for programs.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Lines for people.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Waits for a `SIGTERM` or `SIGINT` that comes after this call, even before the first poll.
pub(crate) fn asked_to_end() -> impl Future<Output = ()> + Send + 'static {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut term), Ok(mut int)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
}
