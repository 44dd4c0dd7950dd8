//! What a request does with its session.

use serde::{Deserialize, Serialize};

/// What a request does with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scenario {
    /// No layer at all: what the framework and the driver cost.
    S0,
    /// The layer; no cookie, and nobody asks for the session.
    S1,
    /// A valid cookie, and nobody asks for the session.
    S2,
    /// Reads one of ten values, 600 bytes in all.
    S3,
    /// Reads that value and writes it anew.
    S4,
    /// As S3, and each use keeps the session alive, as often as the contender writes that by default.
    S5,
    /// As S5, and it is written at each use; only of those who do not anyway.
    S5Touched,
    /// No cookie: a new session of ten values.
    S6,
    /// As S3 with a hundred values, 32 KiB in all.
    S7,
}

impl Scenario {
    pub const ALL: [Self; 9] =
        [Self::S0, Self::S1, Self::S2, Self::S3, Self::S4, Self::S5, Self::S5Touched, Self::S6, Self::S7];

    pub fn parse(text: &str) -> anyhow::Result<Self> {
        Self::ALL
            .into_iter()
            .find(|scenario| scenario.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| anyhow::anyhow!("no scenario {text}"))
    }

    pub const fn name(self) -> &'static str {
        ["S0", "S1", "S2", "S3", "S4", "S5", "S5 touched", "S6", "S7"][self as usize]
    }

    /// The route that does it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::S0 | Self::S1 | Self::S2 => "/untouched",
            Self::S3 | Self::S5 | Self::S5Touched | Self::S7 => "/read",
            Self::S4 => "/write",
            Self::S6 => "/fill",
        }
    }

    /// The route that makes the sessions for it.
    pub const fn fill(self) -> Option<&'static str> {
        match self {
            Self::S0 | Self::S1 | Self::S6 => None,
            Self::S2 | Self::S3 | Self::S4 | Self::S5 | Self::S5Touched => Some("/fill"),
            Self::S7 => Some("/fill-large"),
        }
    }

    /// Whether its use keeps the session alive.
    pub const fn rolling(self) -> Rolling {
        match self {
            Self::S5 => Rolling::AsUsual,
            Self::S5Touched => Rolling::AtEachUse,
            _ => Rolling::No,
        }
    }
}

/// Whether its use keeps a session alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rolling {
    /// Not in the time that a benchmark takes.
    No,
    /// As often as the contender writes that by default.
    AsUsual,
    /// Written at each use.
    AtEachUse,
}
