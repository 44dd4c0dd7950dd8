//! The backends that tests can be narrowed to.

use crate::install::Program;
use crate::{Error, Result};

/// A backend, by the name that `--only` and the reasons of ignored tests use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backend {
    /// In this process: needs no server, so its tests always run.
    Memory,
    /// Redis.
    Redis,
}

impl Backend {
    pub(crate) const ALL: [Self; 2] = [Self::Memory, Self::Redis];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::new(format!("no backend {name:?}; there are: {known}"))
        })
    }

    /// The programs that its tests start.
    pub(crate) const fn programs(self) -> &'static [Program] {
        match self {
            Self::Memory => &[],
            Self::Redis => &[Program::RedisServer, Program::Openssl],
        }
    }
}
