//! Memcached.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::port::on_free_ports;
use super::{PrivateDirectory, Process};
use crate::install::Program;
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// How long a server may take to answer for the first time.
const START: Duration = Duration::from_secs(20);
/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// One `memcached` on a free loopback port.
///
/// It keeps everything in memory: after [`kill9`](Self::kill9) and [`restart`](Self::restart) it is empty, and its
/// CAS numbers begin anew. Dropping the value ends the process.
///
/// ```no_run
/// use xtask::server::MemcachedServer;
///
/// let server = MemcachedServer::start()?;
/// assert_eq!(server.cli("ms coat 2\r\n12")?, "HD");
/// assert_eq!(server.cli("mg coat v")?, "VA 2\n12");
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Debug)]
pub struct MemcachedServer {
    // First, so that the process is gone before its directory goes.
    process: Process,
    directory: PrivateDirectory,
    port: u16,
    options: MemcachedServerBuilder,
}

/// Collects what a [`MemcachedServer`] is to be.
///
/// ```no_run
/// use xtask::server::MemcachedServer;
///
/// let small = MemcachedServer::builder().with_arguments(["-m", "1"]).start()?;
/// assert!(small.url().starts_with("memcache://127.0.0.1:"));
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MemcachedServerBuilder {
    arguments: Vec<String>,
}

impl MemcachedServerBuilder {
    /// Adds arguments of `memcached`, such as `["-m", "1"]`; they win over the ones given here.
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
    /// `memcached` is missing, or did not answer within 20 seconds; the message then shows what it said.
    pub fn start(self) -> Result<MemcachedServer> {
        let directory = PrivateDirectory::create("memcached")?;
        let spawn = |[port]: [u16; 1]| spawn(&self, directory.path(), port);
        let (process, [port]) = on_free_ports(spawn, |process, [port]| wait(process, port))?;
        Ok(MemcachedServer { process, directory, port, options: self })
    }
}

impl MemcachedServer {
    /// A server with 64 MB for its items.
    ///
    /// # Errors
    ///
    /// See [`MemcachedServerBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A server to be chosen in detail: without further arguments so far.
    pub const fn builder() -> MemcachedServerBuilder {
        MemcachedServerBuilder { arguments: Vec::new() }
    }

    /// The URL: `memcache://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("memcache://127.0.0.1:{}", self.port)
    }

    /// The loopback port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The id of the running process.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.process.pid().as_raw_nonzero().get()
    }

    /// Sends one command on a new connection, as it stands in the protocol, and returns the lines of its answer.
    ///
    /// The last line break is added: `"mg coat v"`, `"ms coat 2\r\n12"`, `"flush_all"`.
    ///
    /// # Errors
    ///
    /// The server answered with an error, is down, or said nothing for five seconds.
    pub fn cli(&self, command: &str) -> Result<String> {
        let word = command.split_whitespace().next().unwrap_or("an empty command");
        let failed = || format!("memcached failed at {word}");
        let lines = ask(self.port, command).map_err(Error::io(failed()))?;
        match lines.first() {
            Some(line) if ["ERROR", "CLIENT_ERROR", "SERVER_ERROR"].iter().any(|e| line.starts_with(e)) => {
                Err(Error::new(format!("{}: {line}", failed())))
            }
            _ => Ok(lines.join("\n")),
        }
    }

    /// What the server counts, by the names of the `stats` command; what is no whole number is left out.
    ///
    /// # Errors
    ///
    /// See [`cli`](Self::cli).
    pub fn stats(&self) -> Result<BTreeMap<String, u64>> {
        Ok(counts(&self.cli("stats")?))
    }

    /// Counts from zero again; items stay.
    ///
    /// # Errors
    ///
    /// See [`cli`](Self::cli).
    pub fn reset_stats(&self) -> Result<()> {
        self.cli("stats reset").map(drop)
    }

    /// Ends the process at once, as a crash does. Its port stays reserved for [`restart`](Self::restart).
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

    /// Starts the server again on the same port, empty, and waits until it answers. A process that still runs is
    /// ended first, in an orderly way.
    ///
    /// # Errors
    ///
    /// See [`MemcachedServerBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.process.terminate();
        self.process = spawn(&self.options, self.directory.path(), self.port)?;
        wait(&mut self.process, self.port)
    }
}

fn spawn(options: &MemcachedServerBuilder, directory: &Path, port: u16) -> Result<Process> {
    let mut command = Program::Memcached.command()?;
    if rustix::process::geteuid().is_root() {
        // Otherwise it refuses to run as root.
        command.args(["-u", "root"]);
    }
    command.args(["-l", "127.0.0.1", "-U", "0", "-m", "64"]).arg("-p").arg(port.to_string());
    command.args(&options.arguments);
    Process::spawn(command, &directory.join("log"))
}

fn wait(process: &mut Process, port: u16) -> Result<()> {
    process.wait_until(START, || ask(port, "version").is_ok())
}

/// Sends a command and a `mn`, whose answer ends the command's, however many lines that has.
fn ask(port: u16, command: &str) -> std::io::Result<Vec<String>> {
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.write_all(format!("{command}\r\nmn\r\n").as_bytes())?;
    let (mut stream, mut lines) = (BufReader::new(stream), Vec::new());
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line);
        match line.trim_end_matches(['\r', '\n']) {
            "MN" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

/// Reads lines like `STAT cmd_get 3`.
fn counts(stats: &str) -> BTreeMap<String, u64> {
    stats
        .lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("STAT ")?.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}
