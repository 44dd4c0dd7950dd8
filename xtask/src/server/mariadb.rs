//! MariaDB.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::account::Account;
use super::port::on_free_ports;
use super::template::Template;
use super::{PrivateDirectory, Process, TestAuthority, client, descriptors};
use crate::install::Program;
use crate::{Error, Result};

#[cfg(test)]
mod tests;

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(60);
/// How long a connection may take to be greeted, before it is tried again.
const GREETING: Duration = Duration::from_secs(1);
/// The version of the protocol, which a greeting names; an error has another byte in its place.
const PROTOCOL: u8 = 10;
/// How often a data directory is begun: while it makes one, 10.11 was seen to crash, once in a great many times.
const INSTALLATIONS: u32 = 3;
/// What is done to a new data directory.
const PREPARATIONS: &str = "\
FLUSH PRIVILEGES;
CREATE DATABASE app;
CREATE USER app@'%' IDENTIFIED BY 's3cret';
GRANT ALL ON app.* TO app@'%';
";
/// What holds for the data directory as long as it lives: a small log is written faster than a large one.
const INNODB: [&str; 2] = ["--innodb-log-file-size=8M", "--innodb-flush-method=nosync"];

/// One MariaDB server with a private directory, a Unix socket and a free loopback port.
///
/// It has the database `app`, and the user `app` with the password `s3cret`, who may do anything there and nothing
/// elsewhere. Every acknowledged write survives [`kill9`](Self::kill9) and [`restart`](Self::restart). Dropping the
/// value ends the process and removes the directory.
///
/// ```no_run
/// use xtask::server::MariadbServer;
///
/// let mut server = MariadbServer::start()?;
/// server.sql("CREATE TABLE coats (n int); INSERT INTO coats VALUES (12)")?;
/// server.kill9();
/// server.restart()?;
/// assert_eq!(server.sql("SELECT n FROM coats")?, "12");
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Debug)]
pub struct MariadbServer {
    // First, so that the process is gone before its directory goes.
    process: Process,
    directory: PrivateDirectory,
    port: u16,
    authority: Option<TestAuthority>,
    options: MariadbServerBuilder,
}

/// Collects what a [`MariadbServer`] is to be.
///
/// ```no_run
/// use xtask::server::MariadbServer;
///
/// let server = MariadbServer::builder().with_tls().with_arguments(["--max-connections=20"]).start()?;
/// assert!(server.tls_url().is_some_and(|url| url.contains("ssl-mode=VERIFY_IDENTITY")));
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MariadbServerBuilder {
    tls: Tls,
    arguments: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tls {
    Off,
    On,
}

impl MariadbServerBuilder {
    /// Also speaks TLS, on the same port, under a certificate for `localhost` and `127.0.0.1`.
    pub fn with_tls(mut self) -> Self {
        self.tls = Tls::On;
        self
    }

    /// Adds arguments of `mariadbd`, such as `["--max-connections=20"]`; they win over the ones given here.
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
    /// The data directory is made once for each version of MariaDB, and kept below `target/servers`.
    ///
    /// # Errors
    ///
    /// MariaDB (or `openssl`, for TLS) is missing, or the server did not answer within a minute; the message then
    /// shows the end of its log.
    pub fn start(self) -> Result<MariadbServer> {
        let directory = PrivateDirectory::create("mariadb")?;
        let authority = match self.tls {
            Tls::On => Some(TestAuthority::create(directory.path())?),
            Tls::Off => None,
        };
        prepare(&directory)?;
        let spawn = |[port]: [u16; 1]| spawn(&self, &directory, port, authority.as_ref());
        let (process, [port]) = on_free_ports(spawn, |process, _| wait(process, &directory))?;
        Ok(MariadbServer { process, directory, port, authority, options: self })
    }
}

impl MariadbServer {
    /// A server without TLS.
    ///
    /// # Errors
    ///
    /// See [`MariadbServerBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A server to be chosen in detail: without TLS or further arguments so far.
    pub const fn builder() -> MariadbServerBuilder {
        MariadbServerBuilder { tls: Tls::Off, arguments: Vec::new() }
    }

    /// The URL without TLS: `mysql://app:s3cret@127.0.0.1:port/app`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://app:s3cret@127.0.0.1:{}/app", self.port)
    }

    /// The URL with TLS and the authority to trust:
    /// `mysql://app:s3cret@localhost:port/app?ssl-mode=VERIFY_IDENTITY&ssl-ca=/path/to/ca.crt`. `None` on a server
    /// without TLS.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let (ca, port) = (self.authority.as_ref()?.ca.display(), self.port);
        Some(format!("mysql://app:s3cret@localhost:{port}/app?ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}"))
    }

    /// The loopback port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
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

    /// Runs statements as `root` in the database `app`, through the `mariadb` client and the Unix socket, and returns
    /// the rows: one a line, columns parted by tabs.
    ///
    /// # Errors
    ///
    /// A statement failed, or the client was not done within 20 seconds.
    pub fn sql(&self, statements: &str) -> Result<String> {
        let mut command = Program::Mariadb.command()?;
        command.args(["--no-defaults", "--user=root", "--database=app", "--batch", "--skip-column-names"]);
        command
            .args(["--connect-timeout=5", "--execute", statements, "--socket"])
            .arg(self.directory.join(SOCKET));
        client::run(command, self.directory.path())
    }

    /// One number that the server counts: `status("Com_select")`, `status("Threads_connected")`.
    ///
    /// The question itself counts too, as `Com_show_status`.
    ///
    /// # Errors
    ///
    /// See [`sql`](Self::sql); or there is no such number.
    pub fn status(&self, name: &str) -> Result<u64> {
        let all = self.all_status()?;
        all.get(name).copied().ok_or_else(|| Error::new(format!("mariadbd counts no {name}")))
    }

    /// All that the server counts, by the names of `SHOW GLOBAL STATUS`; what is no whole number is left out.
    ///
    /// # Errors
    ///
    /// See [`sql`](Self::sql).
    pub fn all_status(&self) -> Result<BTreeMap<String, u64>> {
        let rows = self.sql("SHOW GLOBAL STATUS")?;
        let parse = |row: &str| {
            let (name, value) = row.split_once('\t')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Ok(rows.lines().filter_map(parse).collect())
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

    /// Lets the process that takes connections have so many file descriptors; none: as many as before.
    ///
    /// What it has open stays open. With 3 it can open nothing more, and takes no connection.
    ///
    /// # Errors
    ///
    /// `prlimit` is missing, or the server is gone.
    pub fn limit_descriptors(&self, most: Option<u64>) -> Result<()> {
        descriptors::limit(Account::Own, self.process.pid(), most, self.directory.path())
    }

    /// Starts the server again on the same port, socket and data, and waits until it answers. A process that
    /// still runs is ended first, in an orderly way.
    ///
    /// # Errors
    ///
    /// See [`MariadbServerBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.process.terminate();
        self.process = spawn(&self.options, &self.directory, self.port, self.authority.as_ref())?;
        wait(&mut self.process, &self.directory)
    }
}

impl Drop for MariadbServer {
    fn drop(&mut self) {
        // Nobody will read what an orderly end would write.
        self.process.kill9();
    }
}

const SOCKET: &str = "mariadb.sock";
const DATA: &str = "data";

/// Fills the data directory.
fn prepare(directory: &PrivateDirectory) -> Result<()> {
    let server = Program::Mariadbd.path()?;
    let mut asked = Command::new(&server);
    asked.args(["--no-defaults", "--version"]);
    let version = client::run(asked, directory.path())?;
    let user = rustix::process::geteuid().as_raw();
    Template::of("mariadb", (version, server, user, PREPARATIONS, INNODB)).fill(
        &directory.join(DATA),
        |data| {
            let mut tries = INSTALLATIONS;
            while let Err(error) = install(data, directory) {
                tries -= 1;
                if tries == 0 {
                    return Err(error);
                }
                // What it has left is in the way of the next.
                let _ = fs::remove_dir_all(data);
            }
            let mut bootstrap = Program::Mariadbd.command()?;
            bootstrap.arg("--no-defaults").args(as_root()).args(INNODB);
            bootstrap.arg("--bootstrap").arg(format!("--datadir={}", data.display()));
            client::run_with(bootstrap, directory.path(), PREPARATIONS).map(drop)
        },
    )
}

fn install(data: &Path, directory: &PrivateDirectory) -> Result<()> {
    let mut install = Program::MariadbInstallDb.command()?;
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    install.args(INNODB).args(as_root()).arg(format!("--datadir={}", data.display()));
    client::run(install, directory.path()).map(drop)
}

/// Otherwise it refuses to run as root.
fn as_root() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("--user=root")
}

fn spawn(
    options: &MariadbServerBuilder,
    directory: &PrivateDirectory,
    port: u16,
    authority: Option<&TestAuthority>,
) -> Result<Process> {
    // A crash leaves the socket behind, and a client would take its refusal for the server's.
    let _ = fs::remove_file(directory.join(SOCKET));
    let mut command = Program::Mariadbd.command()?;
    command.arg("--no-defaults").args(as_root()).args(INNODB);
    // A commit is handed to the kernel before it is acknowledged, and what the kernel has survives the end of the
    // process. Syncing would save it from the end of the machine too, which no test brings about.
    command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M"]);
    command.args(["--bind-address=127.0.0.1", "--max-connections=300"]);
    command.arg(format!("--port={port}")).arg(format!("--datadir={}", directory.join(DATA).display()));
    command.arg(format!("--socket={}", directory.join(SOCKET).display()));
    command.arg(format!("--pid-file={}", directory.join("pid").display()));
    if let Some(authority) = authority {
        command.arg(format!("--ssl-cert={}", authority.certificate.display()));
        command.arg(format!("--ssl-key={}", authority.key.display()));
    }
    command.args(&options.arguments);
    Process::spawn(command, &directory.join("log"))
}

fn wait(process: &mut Process, directory: &PrivateDirectory) -> Result<()> {
    let socket = directory.join(SOCKET);
    process.wait_until(START, || greeted(&socket).is_ok_and(|greeted| greeted))
}

/// Whether the server greets who connects.
fn greeted(socket: &Path) -> std::io::Result<bool> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(GREETING))?;
    // Three bytes of length, one that counts packets, and the first one of the packet.
    let mut start = [0; 5];
    stream.read_exact(&mut start)?;
    Ok(start.last() == Some(&PROTOCOL))
}
