//! Who is measured, and on what.

use serde::{Deserialize, Serialize};

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// Handlers on axum without sessions.
    BareAxum,
    /// The same with a layer that does nothing: what axum asks for any layer.
    NoopLayer,
    /// Handlers on actix-web without sessions.
    BareActix,
    /// Handlers on axum that call the client of the backend themselves: what a store's bytes cost at least.
    RawClient,
    CloakroomAxum,
    /// The layer around the whole router, where axum asks nothing for it.
    CloakroomAround,
    CloakroomActix,
    TowerSessions014,
    TowerSessions015,
    /// Encrypted cookies, as by default.
    ActixSession,
    /// The same with a pool of connections.
    ActixSessionPool,
    /// As by default: each process keeps what it has seen for an hour.
    AxumSession,
    /// The same without that memory.
    AxumSessionNocache,
}

/// Where the sessions lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    None,
    Memory,
    Cookie,
    Redis,
    Memcached,
    Postgres,
    Mariadb,
}

/// The frameworks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framework {
    Axum,
    Actix,
}

/// One contender on one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cell {
    pub contender: Contender,
    pub backend: Backend,
}

impl Contender {
    pub const ALL: [Self; 11] = [
        Self::BareAxum,
        Self::BareActix,
        Self::RawClient,
        Self::CloakroomAxum,
        Self::CloakroomActix,
        Self::TowerSessions014,
        Self::TowerSessions015,
        Self::ActixSession,
        Self::ActixSessionPool,
        Self::AxumSession,
        Self::AxumSessionNocache,
    ];

    /// Those whose costs are counted, and who are not put under load beside the others.
    pub const ASIDE: [Self; 2] = [Self::NoopLayer, Self::CloakroomAround];

    pub const fn name(self) -> &'static str {
        match self {
            Self::NoopLayer => "noop-layer",
            Self::CloakroomAround => "cloakroom-around",
            Self::BareAxum => "bare-axum",
            Self::BareActix => "bare-actix",
            Self::RawClient => "raw-client",
            Self::CloakroomAxum => "cloakroom-axum",
            Self::CloakroomActix => "cloakroom-actix",
            Self::TowerSessions014 => "tower-sessions-014",
            Self::TowerSessions015 => "tower-sessions-015",
            Self::ActixSession => "actix-session",
            Self::ActixSessionPool => "actix-session-pool",
            Self::AxumSession => "axum-session",
            Self::AxumSessionNocache => "axum-session-nocache",
        }
    }

    /// Whether it is Cloakroom.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::CloakroomAxum | Self::CloakroomAround | Self::CloakroomActix)
    }

    /// Whether it is another crate of sessions.
    pub const fn is_peer(self) -> bool {
        !self.is_ours()
            && !matches!(self, Self::BareAxum | Self::NoopLayer | Self::BareActix | Self::RawClient)
    }

    pub const fn framework(self) -> Framework {
        match self {
            Self::BareActix | Self::CloakroomActix | Self::ActixSession | Self::ActixSessionPool => {
                Framework::Actix
            }
            _ => Framework::Axum,
        }
    }

    /// On what it can be measured.
    pub const fn backends(self) -> &'static [Backend] {
        use Backend::*;
        match self {
            Self::BareAxum | Self::BareActix | Self::NoopLayer => &[None],
            Self::CloakroomAround => &[Memory],
            Self::RawClient => &[Redis, Memcached, Postgres, Mariadb],
            Self::CloakroomAxum | Self::CloakroomActix => {
                &[Memory, Cookie, Redis, Memcached, Postgres, Mariadb]
            }
            Self::TowerSessions014 => &[Memory, Redis, Postgres, Mariadb],
            Self::TowerSessions015 => &[Memory],
            Self::ActixSession => &[Cookie, Redis],
            Self::ActixSessionPool => &[Redis],
            Self::AxumSession => &[Memory, Redis, Postgres],
            Self::AxumSessionNocache => &[Redis, Postgres],
        }
    }
}

impl Backend {
    pub const ALL: [Self; 7] =
        [Self::None, Self::Memory, Self::Cookie, Self::Redis, Self::Memcached, Self::Postgres, Self::Mariadb];

    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Memory => "memory",
            Self::Cookie => "cookie",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
        }
    }

    /// Whether it is a server.
    pub const fn is_server(self) -> bool {
        matches!(self, Self::Redis | Self::Memcached | Self::Postgres | Self::Mariadb)
    }
}

impl Cell {
    pub fn all() -> impl Iterator<Item = Self> {
        Contender::ALL.into_iter().flat_map(|contender| {
            contender.backends().iter().map(move |&backend| Self { contender, backend })
        })
    }

    /// See [`Contender::ASIDE`].
    pub fn aside() -> impl Iterator<Item = Self> {
        Contender::ASIDE.into_iter().flat_map(|contender| {
            contender.backends().iter().map(move |&backend| Self { contender, backend })
        })
    }

    pub fn parse(contender: &str, backend: &str) -> anyhow::Result<Self> {
        Self::all()
            .chain(Self::aside())
            .find(|cell| cell.contender.name() == contender && cell.backend.name() == backend)
            .ok_or_else(|| anyhow::anyhow!("{contender} is not measured on {backend}"))
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.contender.name(), self.backend.name())
    }
}
