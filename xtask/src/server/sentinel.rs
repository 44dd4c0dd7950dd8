//! Redis under sentinels.

use std::collections::BTreeMap;

use super::fleet::{self, field, wait};
use super::{Host, RedisServer, RedisServerBuilder};
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// The name of the service, in sentinels and in URLs.
const SERVICE: &str = "main";
/// How many servers, and how many sentinels.
const SIZE: usize = 3;
/// How many sentinels must agree that the primary is gone.
const QUORUM: &str = "2";
/// How long a server must be silent before a sentinel counts it as gone, in milliseconds.
const DOWN_AFTER: &str = "1000";
/// How long a failover may take before another is tried, in milliseconds.
const FAILOVER: &str = "3000";

/// One primary, two replicas, and three sentinels that watch them: six processes, each a [`RedisServer`].
///
/// A sentinel counts a server as gone after one second of silence; a new primary is there some two seconds after the
/// old one was lost. What the old one had acknowledged and not yet sent to a replica is lost with it. Servers are named
/// by their ports.
///
/// ```no_run
/// use xtask::server::SentinelFleet;
///
/// let mut fleet = SentinelFleet::start()?;
/// let lost = fleet.kill_primary()?;
/// let promoted = fleet.wait_for_failover(lost)?;
/// fleet.cli(promoted, &["SET", "coat", "12"])?;
/// fleet.restart(lost)?;
/// fleet.wait_until_converged()?;
/// assert_eq!(fleet.cli(lost, &["GET", "coat"])?, "12");
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Debug)]
pub struct SentinelFleet {
    // Sentinels first, so that they see nobody go.
    sentinels: Vec<RedisServer>,
    servers: Vec<RedisServer>,
    options: SentinelFleetBuilder,
}

/// Collects what a [`SentinelFleet`] is to be.
///
/// ```no_run
/// use xtask::server::SentinelFleet;
///
/// let fleet = SentinelFleet::builder().with_user("app", "s3cret").with_min_replicas(1).start()?;
/// assert!(fleet.url().starts_with("redis+sentinel://app:s3cret@127.0.0.1:"));
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SentinelFleetBuilder {
    password: Option<String>,
    user: Option<(String, String)>,
    sentinel_password: Option<String>,
    hosts: Vec<Host>,
    arguments: Vec<String>,
}

impl SentinelFleetBuilder {
    /// Asks every client of the servers for this password (letters and digits: it goes into URLs as it is).
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Gives the servers a user who may do everything; the URL names him.
    pub fn with_user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Asks every client of the sentinels for this password.
    pub fn with_sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.sentinel_password = Some(password.into());
        self
    }

    /// Lets a primary refuse writes unless so many replicas were heard of within three seconds: one that was cut off
    /// acknowledges nothing that will be lost.
    pub fn with_min_replicas(self, replicas: u8) -> Self {
        let replicas = replicas.to_string();
        self.with_arguments(["--min-replicas-to-write", &replicas, "--min-replicas-max-lag", "3"])
    }

    /// Gives each of the three servers a host of its own, as far as there are any, with a sentinel beside it.
    pub fn with_hosts(mut self, hosts: &[Host]) -> Self {
        self.hosts = hosts.to_vec();
        self
    }

    /// Adds arguments of each `redis-server`; they win over the ones given here.
    pub fn with_arguments<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts all of them and waits until everybody knows everybody and the replicas are up to date.
    ///
    /// # Errors
    ///
    /// See [`RedisServerBuilder::start`](super::RedisServerBuilder::start); or they did not agree within a minute.
    pub fn start(self) -> Result<SentinelFleet> {
        let mut servers: Vec<RedisServer> = Vec::with_capacity(SIZE);
        for n in 0..SIZE {
            servers.push(self.server(self.hosts.get(n), servers.first())?);
        }
        let primary = servers.first().ok_or_else(|| Error::new("a fleet of nobody"))?;
        let sentinels =
            (0..SIZE).map(|n| self.sentinel(self.hosts.get(n), primary)).collect::<Result<_>>()?;
        let fleet = SentinelFleet { sentinels, servers, options: self };
        fleet.wait_until_converged()?;
        Ok(fleet)
    }

    fn server(&self, host: Option<&Host>, primary: Option<&RedisServer>) -> Result<RedisServer> {
        let mut builder = at(host, RedisServer::builder());
        // Otherwise a replica waits five seconds for others before its first copy.
        let mut arguments = vec!["--repl-diskless-sync-delay".to_owned(), "0".to_owned()];
        let mut say = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
        if let Some(primary) = primary {
            say(&["--replicaof", &primary.address().to_string(), &primary.port().to_string()]);
        }
        if let Some(password) = &self.password {
            builder = builder.with_password(password);
            say(&["--masterauth", password]);
        }
        if let Some((name, password)) = &self.user {
            say(&["--user", name, "on", &format!(">{password}"), "~*", "&*", "+@all"]);
        }
        builder.with_arguments(arguments).with_arguments(&self.arguments).start()
    }

    fn sentinel(&self, host: Option<&Host>, primary: &RedisServer) -> Result<RedisServer> {
        let mut builder = at(host, RedisServer::sentinel());
        let mut arguments: Vec<String> = Vec::new();
        let mut say = |words: &[&str]| {
            arguments.push("--sentinel".to_owned());
            arguments.extend(words.iter().map(|word| (*word).to_owned()));
        };
        let (address, port) = (primary.address().to_string(), primary.port().to_string());
        say(&["monitor", SERVICE, &address, &port, QUORUM]);
        say(&["down-after-milliseconds", SERVICE, DOWN_AFTER]);
        say(&["failover-timeout", SERVICE, FAILOVER]);
        if let Some(password) = &self.password {
            say(&["auth-pass", SERVICE, password]);
        }
        if let Some(password) = &self.sentinel_password {
            // They use it among themselves as well.
            builder = builder.with_password(password);
        }
        builder.with_arguments(arguments).start()
    }
}

impl SentinelFleet {
    /// A fleet without passwords.
    ///
    /// # Errors
    ///
    /// See [`SentinelFleetBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A fleet to be chosen in detail: without passwords or further arguments so far.
    pub fn builder() -> SentinelFleetBuilder {
        SentinelFleetBuilder::default()
    }

    /// The URL of the sentinels: `redis+sentinel://[[user]:password@]host:port,host:port,host:port/main`, and
    /// `?sentinel_pass=password` if they ask for one.
    #[must_use]
    pub fn url(&self) -> String {
        let SentinelFleetBuilder { password, user, sentinel_password, .. } = &self.options;
        let (userinfo, hosts) = (fleet::userinfo(user, password), fleet::hosts(&self.sentinels));
        let query = sentinel_password.as_ref().map(|password| format!("?sentinel_pass={password}"));
        format!("redis+sentinel://{userinfo}{hosts}/{SERVICE}{}", query.unwrap_or_default())
    }

    /// The servers, in no particular order.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The sentinels, to be ended and started.
    #[must_use]
    pub fn sentinels_mut(&mut self) -> &mut [RedisServer] {
        &mut self.sentinels
    }

    /// The server on a port.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn server(&self, port: u16) -> Result<&RedisServer> {
        fleet::server(&self.servers, port)
    }

    /// The server on a port, to be ended and started.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn server_mut(&mut self, port: u16) -> Result<&mut RedisServer> {
        fleet::server_mut(&mut self.servers, port)
    }

    /// Which server the sentinels name as the primary, whether it is up or not.
    ///
    /// # Errors
    ///
    /// No sentinel answers, or they do not agree.
    pub fn primary_port(&self) -> Result<u16> {
        let mut named = fleet::up(&self.sentinels).map(named_primary);
        let first = named.next().ok_or_else(|| Error::new("no sentinel answers"))??;
        for port in named {
            if port? != first {
                return Err(Error::new("the sentinels do not agree on a primary"));
            }
        }
        Ok(first)
    }

    /// Ends the primary at once, as a crash does, and returns its port.
    ///
    /// # Errors
    ///
    /// See [`primary_port`](Self::primary_port).
    pub fn kill_primary(&mut self) -> Result<u16> {
        let port = self.primary_port()?;
        self.server_mut(port)?.kill9();
        Ok(port)
    }

    /// Freezes the primary, and returns its port.
    ///
    /// # Errors
    ///
    /// See [`primary_port`](Self::primary_port).
    pub fn stop_primary(&self) -> Result<u16> {
        let port = self.primary_port()?;
        self.server(port)?.stop()?;
        Ok(port)
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn cont(&self, port: u16) -> Result<()> {
        self.server(port)?.cont()
    }

    /// Starts a server again with its data and with the role that it last wrote down: a primary that crashed takes
    /// itself for one until the sentinels tell it otherwise.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn restart(&mut self, port: u16) -> Result<()> {
        self.server_mut(port)?.restart()
    }

    /// Waits until all sentinels that are up name a primary other than `old` that takes itself for one, and returns its
    /// port.
    ///
    /// # Errors
    ///
    /// They do not within a minute.
    pub fn wait_for_failover(&self, old: u16) -> Result<u16> {
        let mut promoted = 0;
        wait("a new primary", || {
            promoted = self.primary_port()?;
            Ok(promoted != old && self.role(promoted)? == "master")
        })?;
        Ok(promoted)
    }

    /// Asks a sentinel to promote a replica though the primary is well, and returns the new primary's port.
    ///
    /// For up to ten seconds more, until the sentinels tell it, the old primary takes itself for one; what is written
    /// to it then is lost. [`wait_until_converged`](Self::wait_until_converged) waits for that.
    ///
    /// # Errors
    ///
    /// The sentinel refuses, or a minute passes without a new primary.
    pub fn failover(&self) -> Result<u16> {
        let old = self.primary_port()?;
        let sentinel = fleet::up(&self.sentinels).next().ok_or_else(|| Error::new("no sentinel answers"))?;
        sentinel.cli(&["SENTINEL", "FAILOVER", SERVICE])?;
        self.wait_for_failover(old)
    }

    /// Waits until all is well: the servers that are up are one primary and replicas with all of its data, and the
    /// sentinels that are up know all of the fleet.
    ///
    /// # Errors
    ///
    /// It is not so within a minute.
    pub fn wait_until_converged(&self) -> Result<()> {
        wait("a fleet that agrees", || {
            let primary = self.primary_port()?;
            for server in fleet::up(&self.servers) {
                let info = server.cli(&["INFO", "replication"])?;
                let well = match field(&info, "role") {
                    "master" => server.port() == primary,
                    _ => follows(&info, primary),
                };
                if !well {
                    return Ok(false);
                }
            }
            for sentinel in fleet::up(&self.sentinels) {
                let told = sentinel.cli(&["SENTINEL", "MASTER", SERVICE])?;
                let known =
                    (pair(&told, "num-slaves"), pair(&told, "num-other-sentinels"), pair(&told, "flags"));
                if known != ("2", "2", "master") {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Runs one command on the server with this port, on a new connection.
    ///
    /// # Errors
    ///
    /// See [`RedisServer::cli`].
    pub fn cli(&self, port: u16, words: &[&str]) -> Result<String> {
        self.server(port)?.cli(words)
    }

    /// How often each command was called on the servers that are up, together: see [`RedisServer::command_stats`].
    ///
    /// What the servers and the sentinels tell each other counts too, and replicas count the writes that they copy.
    ///
    /// # Errors
    ///
    /// See [`RedisServer::command_stats`].
    pub fn command_stats(&self) -> Result<BTreeMap<String, u64>> {
        fleet::command_stats(&self.servers)
    }

    /// Counts from zero again, on the servers that are up.
    ///
    /// # Errors
    ///
    /// See [`RedisServer::reset_command_stats`].
    pub fn reset_command_stats(&self) -> Result<()> {
        fleet::up(&self.servers).try_for_each(RedisServer::reset_command_stats)
    }

    fn role(&self, port: u16) -> Result<String> {
        Ok(field(&self.cli(port, &["INFO", "replication"])?, "role").to_owned())
    }
}

fn at(host: Option<&Host>, builder: RedisServerBuilder) -> RedisServerBuilder {
    match host {
        Some(host) => builder.with_host(host),
        None => builder,
    }
}

fn named_primary(sentinel: &RedisServer) -> Result<u16> {
    let told = sentinel.cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE])?;
    let port = told.lines().nth(1).and_then(|port| port.parse().ok());
    port.ok_or_else(|| Error::new(format!("a sentinel names no primary: {told}")))
}

/// A replica that is linked to this primary and has its data.
fn follows(info: &str, primary: u16) -> bool {
    field(info, "master_port") == primary.to_string()
        && field(info, "master_link_status") == "up"
        && field(info, "master_sync_in_progress") == "0"
}

/// The line after the line with a name.
fn pair<'a>(told: &'a str, name: &str) -> &'a str {
    told.lines().skip_while(|line| *line != name).nth(1).unwrap_or_default()
}
