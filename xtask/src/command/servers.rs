//! The servers of one run of the suite, and what tests are told about them.

use std::process::Command;

use super::backend::Backend;
use super::step;
use crate::server::RedisServer;
use crate::{Error, Result, install};

/// The variables that tests read; none of them reaches a test from outside.
const REDIS: &str = "CLOAKROOM_TEST_REDIS_URL";
const REDIS_UNIX: &str = "CLOAKROOM_TEST_REDIS_UNIX_URL";
const REDIS_TLS: &str = "CLOAKROOM_TEST_REDIS_TLS_URL";
const ALL: [&str; 3] = [REDIS, REDIS_UNIX, REDIS_TLS];

/// Running servers; they end with this value.
#[derive(Debug)]
pub(crate) struct Servers {
    variables: Vec<(&'static str, String)>,
    _redis: Vec<RedisServer>,
}

impl Servers {
    /// Finds or installs what the backends need, and starts it.
    pub(crate) fn start(backends: &[Backend]) -> Result<Self> {
        let programs: Vec<_> = backends.iter().flat_map(|backend| backend.programs()).copied().collect();
        install::ensure(&programs)?;
        let mut servers = Self { variables: Vec::new(), _redis: Vec::new() };
        if backends.contains(&Backend::Redis) {
            servers.start_redis()?;
        }
        for (name, value) in &servers.variables {
            step::say(&format!("{name}={value}"));
        }
        Ok(servers)
    }

    /// Tells a test program where the servers are.
    pub(crate) fn tell(&self, command: &mut Command) {
        for name in ALL {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    fn start_redis(&mut self) -> Result<()> {
        let plain = RedisServer::start()?;
        let tls = RedisServer::builder().with_tls().with_password("s3cret").start()?;
        let tls_url = tls.tls_url().ok_or_else(|| Error::new("the server has no TLS port"))?;
        self.variables.extend([(REDIS, plain.url()), (REDIS_UNIX, plain.unix_url()), (REDIS_TLS, tls_url)]);
        self._redis.extend([plain, tls]);
        Ok(())
    }
}
