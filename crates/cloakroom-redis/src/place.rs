//! Where one server listens.

use std::path::PathBuf;

/// Where one server listens, and whether it speaks TLS there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16 },
    Unix { path: PathBuf },
}

impl Place {
    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls { .. })
    }

    /// Another server that this one names, spoken to in the same way. Servers that do not know their own
    /// name leave it out, and mean the one that they were reached by.
    pub(crate) fn neighbour(&self, named: &str, port: u16) -> Option<Self> {
        if port == 0 {
            return None;
        }
        let name = |own: &str| if matches!(named, "" | "?") { own } else { named }.to_owned();
        match self {
            Self::Tcp { host, .. } => Some(Self::Tcp { host: name(host), port }),
            Self::Tls { host, .. } => Some(Self::Tls { host: name(host), port }),
            Self::Unix { .. } => None,
        }
    }
}
