//! What a backend promises, as far as the checker must know.

use std::time::Duration;

/// What a backend promises.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use]
pub struct Rules {
    /// How far the clocks may be apart: a record may go so much too early or too late.
    pub tolerance: Duration,
    /// Whether a record may be lost.
    pub keeping: Keeping,
    /// Whether a verb may be sent twice.
    pub resending: Resending,
    /// By how much a verb may miss its deadline.
    pub slack: Duration,
}

/// Whether a record may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keeping {
    /// A record stays until it is deleted or expires.
    Always,
    /// A record may be evicted, or lost with its server; it never comes back.
    MayForget,
}

/// Whether a verb may be sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resending {
    /// It is sent once.
    Never,
    /// Where the reply was lost it is sent again. Then `Missing` may follow a write of its own that somebody else
    /// deleted, and `Deleted` may follow the delete of somebody else.
    AfterALostReply,
}

impl Rules {
    /// A store that keeps everything and sends nothing twice, with clocks 20 ms apart and 50 ms of slack.
    pub const fn strict() -> Self {
        Self {
            tolerance: Duration::from_millis(20),
            keeping: Keeping::Always,
            resending: Resending::Never,
            slack: Duration::from_millis(50),
        }
    }

    /// Sets whether a record may be lost.
    pub const fn with_keeping(mut self, keeping: Keeping) -> Self {
        self.keeping = keeping;
        self
    }

    /// Sets whether a verb may be sent twice.
    pub const fn with_resending(mut self, resending: Resending) -> Self {
        self.resending = resending;
        self
    }

    /// Sets how far the clocks may be apart.
    pub const fn with_tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }
}
