//! Redis, or Valkey under the same name.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use super::port::on_free_ports;
use super::resp::RespConnection;
use super::{Host, PrivateDirectory, Process, TestAuthority};
use crate::install::Program;
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// How long a server may take to answer its first `PING`.
const START: Duration = Duration::from_secs(20);

/// One `redis-server` with a private directory, a Unix socket and a free loopback port.
///
/// Every acknowledged write survives [`kill9`](Self::kill9) and [`restart`](Self::restart), unless
/// [`with_persistence`](RedisServerBuilder::with_persistence) says otherwise. Dropping the value ends the
/// process and removes the directory.
///
/// ```no_run
/// use xtask::server::RedisServer;
///
/// let mut server = RedisServer::start()?;
/// server.cli(&["SET", "coat", "12"])?;
/// server.kill9();
/// server.restart()?;
/// assert_eq!(server.cli(&["GET", "coat"])?, "12");
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Debug)]
pub struct RedisServer {
    // First, so that the process is gone before its directory goes.
    process: Process,
    directory: PrivateDirectory,
    ports: Ports,
    authority: Option<TestAuthority>,
    options: RedisServerBuilder,
}

/// Collects what a [`RedisServer`] is to be.
///
/// ```no_run
/// use xtask::server::RedisServer;
///
/// let server = RedisServer::builder().with_tls().with_password("s3cret").start()?;
/// assert!(server.tls_url().is_some_and(|url| url.starts_with("rediss://:s3cret@localhost:")));
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RedisServerBuilder {
    tls: Tls,
    persistence: Persistence,
    role: Role,
    password: Option<String>,
    host: Option<Host>,
    arguments: Vec<String>,
}

/// What survives the end of the server by force. Nothing is made for the end of the whole machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Persistence {
    /// Every acknowledged write: each is handed to the operating system before its answer, which waits for no disk.
    EveryWrite,
    /// Nothing: a restarted server is empty.
    Nothing,
}

/// What the program does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    /// It keeps data.
    Server,
    /// It keeps some of a cluster's data.
    Cluster,
    /// It watches servers.
    Sentinel,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tls {
    Off,
    On,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    plain: u16,
    tls: Option<u16>,
    /// Where the nodes of a cluster meet.
    bus: u16,
}

impl RedisServerBuilder {
    /// Also listens with TLS, on a port of its own, under a certificate for `localhost` and `127.0.0.1`.
    pub fn with_tls(mut self) -> Self {
        self.tls = Tls::On;
        self
    }

    /// Asks every client for this password (letters and digits: it goes into URLs as it is).
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Lets it live at this host, and listen at its address instead of the loopback one.
    pub fn with_host(mut self, host: &Host) -> Self {
        self.host = Some(host.clone());
        self
    }

    /// Chooses what survives a crash; every acknowledged write is the default.
    pub fn with_persistence(mut self, persistence: Persistence) -> Self {
        self.persistence = persistence;
        self
    }

    /// Adds arguments of `redis-server`, such as `["--maxmemory", "2mb"]`; they win over the ones given here.
    pub fn with_arguments<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    ///
    /// `redis-server` (or `openssl`, for TLS) is missing, or the server did not answer within 20 seconds; the
    /// message then shows the end of its log.
    pub fn start(self) -> Result<RedisServer> {
        let directory = PrivateDirectory::create("redis")?;
        let authority = match self.tls {
            Tls::On => Some(TestAuthority::create(directory.path())?),
            Tls::Off => None,
        };
        let ports = |[plain, tls, bus]: [u16; 3]| Ports { plain, tls: authority.as_ref().map(|_| tls), bus };
        let spawn = |found| {
            configure(&self, &directory, ports(found), authority.as_ref())?;
            spawn(&self, &directory)
        };
        let (process, found) = on_free_ports(spawn, |process, _| wait(process, &self, &directory))?;
        Ok(RedisServer { process, ports: ports(found), directory, authority, options: self })
    }
}

impl RedisServerBuilder {
    fn address(&self) -> Ipv4Addr {
        self.host.as_ref().map_or(Ipv4Addr::LOCALHOST, Host::address)
    }
}

impl RedisServer {
    /// A plain server without a password.
    ///
    /// # Errors
    ///
    /// See [`RedisServerBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A server to be chosen in detail: without TLS, password or further arguments so far.
    pub const fn builder() -> RedisServerBuilder {
        RedisServerBuilder {
            tls: Tls::Off,
            persistence: Persistence::EveryWrite,
            role: Role::Server,
            password: None,
            host: None,
            arguments: Vec::new(),
        }
    }

    /// A sentinel, which keeps nothing but its configuration.
    pub(super) fn sentinel() -> RedisServerBuilder {
        RedisServerBuilder { role: Role::Sentinel, persistence: Persistence::Nothing, ..Self::builder() }
    }

    /// A node that is to join a cluster.
    pub(super) fn node() -> RedisServerBuilder {
        RedisServerBuilder { role: Role::Cluster, ..Self::builder() }
    }

    /// The URL of the port: `redis://[:password@]127.0.0.1:port/`, or with the address of its host.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}{}:{}/", self.userinfo(), self.address(), self.ports.plain)
    }

    /// The host that it lives at, if it has one of its own.
    #[must_use]
    pub const fn host(&self) -> Option<&Host> {
        self.options.host.as_ref()
    }

    /// The address at which it listens.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.options.address()
    }

    /// The URL of the Unix socket: `redis+unix:///path[?pass=password]`.
    #[must_use]
    pub fn unix_url(&self) -> String {
        let pass =
            self.options.password.as_ref().map(|password| format!("?pass={password}")).unwrap_or_default();
        format!("redis+unix://{}{pass}", self.socket().display())
    }

    /// The URL of the TLS port, with the authority to trust:
    /// `rediss://[:password@]localhost:port/?ca=/path/to/ca.crt`. `None` on a server without TLS.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let (port, authority) = (self.ports.tls?, self.authority.as_ref()?);
        Some(format!("rediss://{}localhost:{port}/?ca={}", self.userinfo(), authority.ca.display()))
    }

    /// The port without TLS.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.ports.plain
    }

    /// The port on which it meets the other nodes of its cluster.
    pub(super) const fn bus_port(&self) -> u16 {
        self.ports.bus
    }

    /// The private directory: socket, log, data, certificates.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The id of the running process.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.process.pid().as_raw_nonzero().get()
    }

    /// Runs one command on a new connection: integers in decimal, arrays one item a line, `(nil)` for nothing.
    ///
    /// # Errors
    ///
    /// The server answered with an error, is down, or said nothing for five seconds.
    pub fn cli(&self, words: &[&str]) -> Result<String> {
        ask(&self.options, &self.socket(), words).map_err(Error::io(format!(
            "redis-server failed at {}",
            words.first().copied().unwrap_or("an empty command")
        )))
    }

    /// How often each command was called since the start or the last
    /// [`reset_command_stats`](Self::reset_command_stats), by its name in lower case.
    ///
    /// Commands that a script calls count beside the script itself.
    ///
    /// # Errors
    ///
    /// See [`cli`](Self::cli).
    pub fn command_stats(&self) -> Result<BTreeMap<String, u64>> {
        Ok(calls(&self.cli(&["INFO", "commandstats"])?))
    }

    /// Counts from zero again.
    ///
    /// # Errors
    ///
    /// See [`cli`](Self::cli).
    pub fn reset_command_stats(&self) -> Result<()> {
        self.cli(&["CONFIG", "RESETSTAT"]).map(drop)
    }

    /// Whether it answers: neither gone nor frozen nor busy reading its data.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.process.stands_still() && self.cli(&["PING"]).is_ok()
    }

    /// Ends the process at once, as a crash does. Its port, socket path and data stay reserved for
    /// [`restart`](Self::restart).
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Ends the process in an orderly way, as an administrator does.
    pub fn shutdown(&mut self) {
        self.process.terminate();
    }

    /// Freezes the process (`SIGSTOP`): connections stay open and nobody answers. Returns when it stands still.
    ///
    /// # Errors
    ///
    /// The process is gone.
    pub fn stop(&self) -> Result<()> {
        self.process.stop()
    }

    /// Lets a frozen process go on (`SIGCONT`).
    ///
    /// # Errors
    ///
    /// The process is gone.
    pub fn cont(&self) -> Result<()> {
        self.process.cont()
    }

    /// Starts the server again on the same port, socket and data, and waits until it answers. A process that
    /// still runs is ended first, in an orderly way.
    ///
    /// What it wrote into its configuration (`CONFIG REWRITE`) holds, as on a machine that comes back.
    ///
    /// # Errors
    ///
    /// See [`RedisServerBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.process.terminate();
        // A crash leaves the socket behind, and a client would take its refusal for the server's.
        let _ = fs::remove_file(self.socket());
        self.process = spawn(&self.options, &self.directory)?;
        wait(&mut self.process, &self.options, &self.directory)
    }

    fn socket(&self) -> std::path::PathBuf {
        self.directory.join(SOCKET)
    }

    fn userinfo(&self) -> String {
        self.options.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default()
    }
}

const SOCKET: &str = "redis.sock";

/// What the server is started with. It writes there itself, when it learns another role.
const CONFIGURATION: &str = "redis.conf";

/// Writes the configuration of a first start.
fn configure(
    options: &RedisServerBuilder,
    directory: &PrivateDirectory,
    ports: Ports,
    authority: Option<&TestAuthority>,
) -> Result<()> {
    let mut words: Vec<String> = Vec::new();
    let mut say = |line: &[&str]| words.extend(line.iter().map(|word| (*word).to_owned()));
    say(&["--bind", &options.address().to_string(), "--daemonize", "no", "--port", &ports.plain.to_string()]);
    if options.host.is_some() && options.role != Role::Sentinel {
        // Else it serves only its own host without a password.
        say(&["--protected-mode", "no"]);
    }
    say(&["--dir", &shown(directory.path())]);
    say(&["--unixsocket", &shown(&directory.join(SOCKET)), "--unixsocketperm", "700"]);
    if options.role != Role::Sentinel {
        say(&["--save", ""]);
    }
    if options.role == Role::Cluster {
        say(&["--cluster-enabled", "yes", "--cluster-port", &ports.bus.to_string()]);
    }
    match options.persistence {
        Persistence::EveryWrite => say(&["--appendonly", "yes", "--appendfsync", "no"]),
        Persistence::Nothing => {}
    }
    if let Some(password) = &options.password {
        say(&["--requirepass", password]);
    }
    if let (Some(port), Some(authority)) = (ports.tls, authority) {
        say(&["--tls-port", &port.to_string(), "--tls-auth-clients", "optional"]);
        // Absolute paths: relative ones would be looked for below `--dir`.
        say(&["--tls-cert-file", &shown(&authority.certificate), "--tls-key-file", &shown(&authority.key)]);
        say(&["--tls-ca-cert-file", &shown(&authority.ca)]);
    }
    words.extend(options.arguments.iter().cloned());
    let file = directory.join(CONFIGURATION);
    fs::write(&file, lines(&words)).map_err(Error::io(format!("cannot write {}", file.display())))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Arguments as lines of a configuration: each that begins with `--` begins a line.
fn lines(arguments: &[String]) -> String {
    let mut text = String::new();
    for argument in arguments {
        if let Some(name) = argument.strip_prefix("--") {
            text.push('\n');
            text.push_str(name);
        } else {
            text.push_str(&format!(" \"{}\"", argument.replace('\\', "\\\\").replace('"', "\\\"")));
        }
    }
    text.push('\n');
    text
}

fn spawn(options: &RedisServerBuilder, directory: &PrivateDirectory) -> Result<Process> {
    let mut command = Program::RedisServer.command()?;
    command.arg(directory.join(CONFIGURATION));
    if options.role == Role::Sentinel {
        command.arg("--sentinel");
    }
    let spawn = || Process::spawn(command, &directory.join("log"));
    match &options.host {
        Some(host) => host.within(spawn)?,
        None => spawn(),
    }
}

fn wait(process: &mut Process, options: &RedisServerBuilder, directory: &PrivateDirectory) -> Result<()> {
    let socket = directory.join(SOCKET);
    // While it still reads its data it answers `LOADING`, which is an error here too.
    process.wait_until(START, || ask(options, &socket, &["PING"]).is_ok_and(|answer| answer == "PONG"))
}

fn ask(options: &RedisServerBuilder, socket: &Path, words: &[&str]) -> std::io::Result<String> {
    let mut connection = RespConnection::open(socket)?;
    if let Some(password) = &options.password {
        connection.command(&["AUTH", password])?;
    }
    connection.command(words)
}

/// Reads lines like `cmdstat_get:calls=3,usec=21,…`.
fn calls(info: &str) -> BTreeMap<String, u64> {
    info.lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let count = rest.split(',').next()?.trim().parse().ok()?;
            Some((name.to_owned(), count))
        })
        .collect()
}
