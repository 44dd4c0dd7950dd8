//! A Redis cluster.

use std::collections::BTreeMap;

use super::fleet::{self, field, wait};
use super::{Host, RedisServer};
use crate::{Error, Result};

use self::member::Member;

mod member;
#[cfg(test)]
mod tests;

/// How many primaries, and as many replicas.
const SIZE: usize = 3;
/// How many slots there are.
const SLOTS: usize = 16_384;
/// How long a node must be silent before the others count it as gone, in milliseconds.
const NODE_TIMEOUT: &str = "1000";
/// How many keys move at once.
const BATCH: &str = "100";
/// How often keys are looked for in a slot that does not become empty.
const ROUNDS: usize = 1000;

/// Three primaries with a third of the slots each, and a replica of each: six processes, each a [`RedisServer`].
///
/// The others count a node as gone after one second of silence; its replica takes over some two seconds after it was
/// lost. What the old primary had acknowledged and not yet sent to its replica is lost with it. As Redis has it by
/// default, nobody answers for any slot while one of them is nobody's. Servers are named by their ports.
///
/// ```no_run
/// use xtask::server::ClusterFleet;
///
/// let mut cluster = ClusterFleet::start()?;
/// let lost = cluster.kill_primary_of("coat")?;
/// let promoted = cluster.wait_for_failover("coat", lost)?;
/// cluster.cli(promoted, &["SET", "coat", "12"])?;
/// cluster.restart(lost)?;
/// cluster.wait_until_converged()?;
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Debug)]
pub struct ClusterFleet {
    servers: Vec<RedisServer>,
    options: ClusterFleetBuilder,
}

/// Collects what a [`ClusterFleet`] is to be.
///
/// ```no_run
/// use xtask::server::ClusterFleet;
///
/// let cluster = ClusterFleet::builder().with_arguments(["--cluster-require-full-coverage", "no"]).start()?;
/// assert!(cluster.url().starts_with("redis+cluster://127.0.0.1:"));
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClusterFleetBuilder {
    password: Option<String>,
    user: Option<(String, String)>,
    hosts: Vec<Host>,
    arguments: Vec<String>,
}

impl ClusterFleetBuilder {
    /// Asks every client for this password (letters and digits: it goes into URLs as it is).
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Gives the servers a user who may do everything; the URL names him.
    pub fn with_user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Gives each of the six a host of its own, as far as there are any.
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
    pub fn start(self) -> Result<ClusterFleet> {
        let servers = (0..2 * SIZE).map(|n| self.server(self.hosts.get(n))).collect::<Result<_>>()?;
        let cluster = ClusterFleet { servers, options: self };
        cluster.join()?;
        cluster.wait_until_converged()?;
        Ok(cluster)
    }

    fn server(&self, host: Option<&Host>) -> Result<RedisServer> {
        let mut builder = RedisServer::node();
        if let Some(host) = host {
            builder = builder.with_host(host);
        }
        let mut arguments: Vec<String> = Vec::new();
        let mut say = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
        // Otherwise a replica waits five seconds for others before its first copy, and is not promoted until then.
        say(&["--repl-diskless-sync-delay", "0", "--cluster-node-timeout", NODE_TIMEOUT]);
        if let Some(password) = &self.password {
            builder = builder.with_password(password);
            say(&["--masterauth", password]);
        }
        if let Some((name, password)) = &self.user {
            say(&["--user", name, "on", &format!(">{password}"), "~*", "&*", "+@all"]);
        }
        builder.with_arguments(arguments).with_arguments(&self.arguments).start()
    }
}

impl ClusterFleet {
    /// A cluster without passwords.
    ///
    /// # Errors
    ///
    /// See [`ClusterFleetBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A cluster to be chosen in detail: without passwords or further arguments so far.
    pub fn builder() -> ClusterFleetBuilder {
        ClusterFleetBuilder::default()
    }

    /// The URL of the three that were primaries first: `redis+cluster://[[user]:password@]host:port,host:port,host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        let userinfo = fleet::userinfo(&self.options.user, &self.options.password);
        let hosts = fleet::hosts(self.servers.get(..SIZE).unwrap_or_default());
        format!("redis+cluster://{userinfo}{hosts}")
    }

    /// The servers: those that were primaries first, then their replicas in the same order.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
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

    /// The slot of a key.
    ///
    /// # Errors
    ///
    /// No server answers.
    pub fn slot(&self, key: &str) -> Result<u16> {
        let server = fleet::up(&self.servers).next().ok_or_else(|| Error::new("no node answers"))?;
        let slot = server.cli(&["CLUSTER", "KEYSLOT", key])?;
        slot.parse().map_err(|_| Error::new(format!("not a slot: {slot}")))
    }

    /// The ports of the primaries that are up and have slots.
    ///
    /// # Errors
    ///
    /// A server does not answer in between.
    pub fn primaries(&self) -> Result<Vec<u16>> {
        let members = self.members()?;
        Ok(members.iter().filter(|member| member.has_slots()).map(|member| member.port).collect())
    }

    /// The port of the primary that keeps a key, as far as those that are up say.
    ///
    /// # Errors
    ///
    /// There is none now.
    pub fn primary_of(&self, key: &str) -> Result<u16> {
        self.primary_of_slot(self.slot(key)?)
    }

    /// The port of the primary that keeps a slot, as far as those that are up say.
    ///
    /// # Errors
    ///
    /// There is none now.
    pub fn primary_of_slot(&self, slot: u16) -> Result<u16> {
        let keeper = Member::keeper(self.members()?, slot);
        keeper.map(|member| member.port).ok_or_else(|| Error::new(format!("nobody keeps the slot {slot}")))
    }

    /// The port of the replica that would take over a key.
    ///
    /// # Errors
    ///
    /// There is none now.
    pub fn replica_of(&self, key: &str) -> Result<u16> {
        let primary = self.id(self.primary_of(key)?)?;
        let mut members = self.members()?.into_iter();
        let replica = members.find(|member| member.primary.as_ref() == Some(&primary));
        replica.map(|member| member.port).ok_or_else(|| Error::new("no replica is up"))
    }

    /// Ends the primary that keeps a key at once, as a crash does, and returns its port.
    ///
    /// # Errors
    ///
    /// See [`primary_of`](Self::primary_of).
    pub fn kill_primary_of(&mut self, key: &str) -> Result<u16> {
        let port = self.primary_of(key)?;
        self.server_mut(port)?.kill9();
        Ok(port)
    }

    /// Freezes the primary that keeps a key, and returns its port.
    ///
    /// # Errors
    ///
    /// See [`primary_of`](Self::primary_of).
    pub fn stop_primary_of(&self, key: &str) -> Result<u16> {
        let port = self.primary_of(key)?;
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

    /// Starts a server again with its data and with what it last knew of the cluster.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn restart(&mut self, port: u16) -> Result<()> {
        self.server_mut(port)?.restart()
    }

    /// Waits until another primary than `old` keeps a key and answers for it, and returns its port.
    ///
    /// # Errors
    ///
    /// There is none within a minute.
    pub fn wait_for_failover(&self, key: &str, old: u16) -> Result<u16> {
        let mut promoted = 0;
        wait("a new primary", || {
            promoted = self.primary_of(key)?;
            Ok(promoted != old && field(&self.cli(promoted, &["CLUSTER", "INFO"])?, "cluster_state") == "ok")
        })?;
        Ok(promoted)
    }

    /// Lets the replica of a key take over though its primary is well, without losing a write, and returns its port.
    ///
    /// # Errors
    ///
    /// See [`replica_of`](Self::replica_of); or a minute passes.
    pub fn failover(&self, key: &str) -> Result<u16> {
        let old = self.primary_of(key)?;
        self.cli(self.replica_of(key)?, &["CLUSTER", "FAILOVER"])?;
        self.wait_for_failover(key, old)
    }

    /// Opens a slot for its way to another primary: what is still here is answered here, for what is not a client is
    /// sent there (`ASK`). Returns the port it leaves.
    ///
    /// # Errors
    ///
    /// A server refuses.
    pub fn open_slot(&self, slot: u16, to: u16) -> Result<u16> {
        let from = self.primary_of_slot(slot)?;
        let number = slot.to_string();
        self.cli(to, &["CLUSTER", "SETSLOT", &number, "IMPORTING", &self.id(from)?])?;
        self.cli(from, &["CLUSTER", "SETSLOT", &number, "MIGRATING", &self.id(to)?])?;
        Ok(from)
    }

    /// Moves the keys of an opened slot; whole keys, each at once.
    ///
    /// # Errors
    ///
    /// A server refuses, or keys come faster than they move.
    pub fn move_keys(&self, slot: u16, from: u16, to: u16) -> Result<()> {
        let (address, port) = (self.server(to)?.address().to_string(), to.to_string());
        let mut words = vec!["MIGRATE", &address, &port, "", "0", "5000"];
        if let Some(password) = &self.options.password {
            words.extend(["AUTH", password]);
        }
        words.push("KEYS");
        for _ in 0..ROUNDS {
            let keys = self.cli(from, &["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), BATCH])?;
            if keys.is_empty() {
                return Ok(());
            }
            let keys: Vec<&str> = keys.lines().collect();
            self.cli(from, &[words.as_slice(), &keys].concat())?;
        }
        Err(Error::new(format!("the slot {slot} does not become empty")))
    }

    /// Closes an opened slot: it is the other primary's now, and who asks elsewhere is told so (`MOVED`).
    ///
    /// # Errors
    ///
    /// A server refuses, or they do not agree within a minute.
    pub fn close_slot(&self, slot: u16, to: u16) -> Result<()> {
        let id = self.id(to)?;
        // The new owner first: then nobody sends clients to one that does not know.
        let others = self.primaries()?.into_iter().filter(|port| *port != to);
        for port in std::iter::once(to).chain(others) {
            self.cli(port, &["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id])?;
        }
        self.wait_until_converged()
    }

    /// Moves a slot and its keys to another primary, as resharding does.
    ///
    /// # Errors
    ///
    /// See [`open_slot`](Self::open_slot), [`move_keys`](Self::move_keys) and [`close_slot`](Self::close_slot).
    pub fn migrate_slot(&self, slot: u16, to: u16) -> Result<()> {
        let from = self.open_slot(slot, to)?;
        self.move_keys(slot, from, to)?;
        self.close_slot(slot, to)
    }

    /// Waits until all is well: the servers that are up agree on who keeps what, every slot is somebody's, and replicas
    /// have all data of their primaries.
    ///
    /// # Errors
    ///
    /// It is not so within a minute.
    pub fn wait_until_converged(&self) -> Result<()> {
        wait("a cluster that agrees", || {
            let servers: Vec<&RedisServer> = fleet::up(&self.servers).collect();
            let ports: Vec<u16> = servers.iter().map(|server| server.port()).collect();
            let mut agreed: Option<Vec<Member>> = None;
            for server in servers {
                let known = Member::read(&server.cli(&["CLUSTER", "NODES"])?)?;
                let mut known: Vec<Member> =
                    known.into_iter().filter(|member| ports.contains(&member.port)).collect();
                known.sort_by_key(|member| member.port);
                let all = known.len() == ports.len() && known.iter().all(|member| member.well);
                let same =
                    agreed.get_or_insert_with(|| known.clone()).iter().zip(&known).all(|(a, b)| a.agrees(b));
                let ok = field(&server.cli(&["CLUSTER", "INFO"])?, "cluster_state") == "ok";
                let info = server.cli(&["INFO", "replication"])?;
                let linked = field(&info, "role") == "master" || field(&info, "master_link_status") == "up";
                if !(all && same && ok && linked) {
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
    /// See [`RedisServer::cli`]; `MOVED` and `ASK` are errors too.
    pub fn cli(&self, port: u16, words: &[&str]) -> Result<String> {
        self.server(port)?.cli(words)
    }

    /// How often each command was called on the servers that are up, together: see [`RedisServer::command_stats`].
    ///
    /// Replicas count the writes that they copy.
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

    /// What each server that is up says of itself.
    fn members(&self) -> Result<Vec<Member>> {
        fleet::up(&self.servers).map(Member::itself).collect()
    }

    fn id(&self, port: u16) -> Result<String> {
        Ok(Member::itself(self.server(port)?)?.id)
    }

    /// Makes one cluster of servers that do not know each other.
    fn join(&self) -> Result<()> {
        let (primaries, replicas) = self.servers.split_at(SIZE.min(self.servers.len()));
        let Some(first) = primaries.first() else { return Err(Error::new("a cluster of nobody")) };
        for (n, primary) in primaries.iter().enumerate() {
            primary.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()])?;
            let (from, end) = (n * SLOTS / SIZE, (n + 1) * SLOTS / SIZE);
            primary.cli(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &(end - 1).to_string()])?;
        }
        for server in self.servers.iter().filter(|server| server.port() != first.port()) {
            let (port, bus) = (server.port().to_string(), server.bus_port().to_string());
            first.cli(&["CLUSTER", "MEET", &server.address().to_string(), &port, &bus])?;
        }
        self.wait_until_met()?;
        for (primary, replica) in primaries.iter().zip(replicas) {
            replica.cli(&["CLUSTER", "REPLICATE", &Member::itself(primary)?.id])?;
        }
        // Until then there is nothing that they could disagree on.
        wait("a replica of each primary", || {
            Ok(self.members()?.iter().filter(|m| m.primary.is_some()).count() == SIZE)
        })
    }

    fn wait_until_met(&self) -> Result<()> {
        wait("a cluster that knows itself", || {
            for server in &self.servers {
                let known = Member::read(&server.cli(&["CLUSTER", "NODES"])?)?;
                if known.len() != self.servers.len() || !known.iter().all(|member| member.well) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}
