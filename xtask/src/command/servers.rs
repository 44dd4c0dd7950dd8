//! The servers of one run of the suite, and what tests are told about them.

use std::fmt;
use std::process::Command;
use std::thread;

use super::backend::Backend;
use super::step;
use crate::server::{
    ClusterFleet, MariadbServer, MemcachedServer, PostgresServer, RedisServer, SentinelFleet,
};
use crate::{Error, Result, install};

/// The variables that tests read; none of them reaches a test from outside.
const REDIS: &str = "CLOAKROOM_TEST_REDIS_URL";
const REDIS_UNIX: &str = "CLOAKROOM_TEST_REDIS_UNIX_URL";
const REDIS_TLS: &str = "CLOAKROOM_TEST_REDIS_TLS_URL";
const SENTINEL: &str = "CLOAKROOM_TEST_SENTINEL_URL";
const CLUSTER: &str = "CLOAKROOM_TEST_CLUSTER_URL";
const MEMCACHED: &str = "CLOAKROOM_TEST_MEMCACHED_URL";
const MEMCACHED_MANY: &str = "CLOAKROOM_TEST_MEMCACHED_MANY_URL";
const POSTGRES: &str = "CLOAKROOM_TEST_POSTGRES_URL";
const POSTGRES_TLS: &str = "CLOAKROOM_TEST_POSTGRES_TLS_URL";
const MARIADB: &str = "CLOAKROOM_TEST_MARIADB_URL";
const MARIADB_TLS: &str = "CLOAKROOM_TEST_MARIADB_TLS_URL";
const ALL: [&str; 11] = [
    REDIS,
    REDIS_UNIX,
    REDIS_TLS,
    SENTINEL,
    CLUSTER,
    MEMCACHED,
    MEMCACHED_MANY,
    POSTGRES,
    POSTGRES_TLS,
    MARIADB,
    MARIADB_TLS,
];

/// Running servers; they end with this value.
#[derive(Debug)]
pub(crate) struct Servers(Vec<Running>);

/// What runs for one backend.
#[derive(Debug)]
struct Running {
    variables: Vec<(&'static str, String)>,
    _servers: Box<dyn fmt::Debug + Send + Sync>,
}

impl Servers {
    /// Finds or installs what the backends need, and starts it.
    pub(crate) fn start(backends: &[Backend]) -> Result<Self> {
        let programs: Vec<_> = backends.iter().flat_map(|backend| backend.programs()).copied().collect();
        install::ensure(&programs)?;
        // Beside each other: most of them wait for themselves.
        let running = thread::scope(|scope| {
            let started: Vec<_> = backends.iter().map(|backend| scope.spawn(|| start(*backend))).collect();
            let end = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(Error::new("a thread panicked while it started a server")))
            };
            // All of them are waited for, so that those that run end in good order if one does not start.
            started.into_iter().map(end).collect::<Vec<Result<Running>>>()
        });
        let servers = Self(running.into_iter().collect::<Result<_>>()?);
        for (name, value) in servers.variables() {
            step::say(&format!("{name}={value}"));
        }
        Ok(servers)
    }

    /// Tells a test program where the servers are.
    pub(crate) fn tell(&self, command: &mut Command) {
        for name in ALL {
            command.env_remove(name);
        }
        command.envs(self.variables());
    }

    fn variables(&self) -> impl Iterator<Item = (&'static str, &String)> {
        self.0.iter().flat_map(|running| running.variables.iter().map(|(name, value)| (*name, value)))
    }
}

impl Running {
    fn new<const N: usize>(
        variables: [(&'static str, String); N],
        servers: impl fmt::Debug + Send + Sync + 'static,
    ) -> Self {
        Self { variables: variables.into(), _servers: Box::new(servers) }
    }
}

fn start(backend: Backend) -> Result<Running> {
    match backend {
        // A test that needs a browser starts one of its own.
        Backend::Memory | Backend::Chromium => Ok(Running::new([], ())),
        Backend::Redis => {
            let plain = RedisServer::start()?;
            let tls = RedisServer::builder().with_tls().with_password("s3cret").start()?;
            let urls =
                [(REDIS, plain.url()), (REDIS_UNIX, plain.unix_url()), (REDIS_TLS, with_tls(tls.tls_url())?)];
            Ok(Running::new(urls, (plain, tls)))
        }
        Backend::Sentinel => {
            let fleet = SentinelFleet::start()?;
            Ok(Running::new([(SENTINEL, fleet.url())], fleet))
        }
        Backend::Cluster => {
            let cluster = ClusterFleet::start()?;
            Ok(Running::new([(CLUSTER, cluster.url())], cluster))
        }
        Backend::Memcached => {
            let (one, many) = (MemcachedServer::start()?, start_three()?);
            let hosts: Vec<String> =
                many.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
            let urls = [(MEMCACHED, one.url()), (MEMCACHED_MANY, format!("memcache://{}", hosts.join(",")))];
            Ok(Running::new(urls, (one, many)))
        }
        Backend::Postgres => {
            let (plain, tls) = (PostgresServer::start()?, PostgresServer::builder().with_tls().start()?);
            let urls = [(POSTGRES, plain.url()), (POSTGRES_TLS, with_tls(tls.tls_url())?)];
            Ok(Running::new(urls, (plain, tls)))
        }
        Backend::Mariadb => {
            let (plain, tls) = (MariadbServer::start()?, MariadbServer::builder().with_tls().start()?);
            let urls = [(MARIADB, plain.url()), (MARIADB_TLS, with_tls(tls.tls_url())?)];
            Ok(Running::new(urls, (plain, tls)))
        }
    }
}

fn start_three() -> Result<[MemcachedServer; 3]> {
    Ok([MemcachedServer::start()?, MemcachedServer::start()?, MemcachedServer::start()?])
}

fn with_tls(url: Option<String>) -> Result<String> {
    url.ok_or_else(|| Error::new("the server speaks no TLS"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ALL, Servers};
    use crate::command::backend::Backend;

    #[test]
    #[ignore = "needs redis, sentinel, cluster, memcached, postgres, mariadb and chromium: run `cargo xtask test`"]
    fn every_variable_is_told_once_and_by_one_backend() {
        let servers = Servers::start(&Backend::ALL).unwrap();
        let names: Vec<&str> = servers.variables().map(|(name, _)| name).collect();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), ALL.into_iter().collect());
    }
}
