//! The backends that tests can be narrowed to.

use crate::install::Program;
use crate::{Error, Result};

/// A backend, by the name that `--only` and the reasons of ignored tests use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backend {
    /// In this process: needs no server, so its tests always run.
    Memory,
    /// One Redis server.
    Redis,
    /// Redis under sentinels.
    Sentinel,
    /// A Redis cluster.
    Cluster,
    /// Memcached, one server and three.
    Memcached,
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
    /// A browser: no store, but a program that tests drive, and the greatest that they need.
    Chromium,
}

impl Backend {
    pub(crate) const ALL: [Self; 8] = [
        Self::Memory,
        Self::Redis,
        Self::Sentinel,
        Self::Cluster,
        Self::Memcached,
        Self::Postgres,
        Self::Mariadb,
        Self::Chromium,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
            Self::Memcached => "memcached",
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Chromium => "chromium",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::new(format!("no backend {name:?}; there are: {known}"))
        })
    }

    /// Those that the reason of an ignored test names as words: `needs redis and postgres: …`.
    pub(crate) fn named_in(reason: &str) -> Vec<Self> {
        let reason = reason.to_ascii_lowercase();
        let words: Vec<&str> = reason.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        Self::ALL.into_iter().filter(|backend| words.contains(&backend.name())).collect()
    }

    /// The programs that its tests start.
    pub(crate) const fn programs(self) -> &'static [Program] {
        match self {
            Self::Memory => &[],
            Self::Redis => &[Program::RedisServer, Program::Openssl],
            Self::Sentinel | Self::Cluster => &[Program::RedisServer],
            Self::Memcached => &[Program::Memcached],
            Self::Postgres => &[Program::Initdb, Program::Openssl],
            Self::Chromium => &[Program::Chromium, Program::Chromedriver],
            Self::Mariadb => {
                &[Program::Mariadbd, Program::MariadbInstallDb, Program::Mariadb, Program::Openssl]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Backend;

    #[test]
    fn backends_are_found_in_reasons_as_whole_words() {
        let named = |reason: &str| Backend::named_in(reason);
        assert_eq!(named("needs redis: run `cargo xtask test`"), [Backend::Redis]);
        assert_eq!(named("needs a redis-server"), [Backend::Redis]);
        assert_eq!(named("needs CLOAKROOM_TEST_REDIS_URL"), [Backend::Redis]);
        assert_eq!(named("needs postgres and mariadb: run it"), [Backend::Postgres, Backend::Mariadb]);
        assert_eq!(named("needs chromium and nginx: run it"), [Backend::Chromium]);
        assert_eq!(named("needs clusters of rediscovered coats"), []);
    }
}
