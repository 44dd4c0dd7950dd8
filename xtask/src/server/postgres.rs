//! PostgreSQL.

mod standby;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::account::Account;
use super::port::on_free_ports;
use super::template::Template;
use super::{PrivateDirectory, Process, TestAuthority, client, descriptors};
use crate::Result;
use crate::install::Program;

#[cfg(test)]
mod tests;

/// How long a server may take until it is ready.
const START: Duration = Duration::from_secs(60);
/// The line of `postmaster.pid` that says how far the server is.
const STATUS_LINE: usize = 7;
/// What is done to a new data directory, in the databases named first.
const PREPARATIONS: [(&str, &str); 2] = [
    ("postgres", "CREATE ROLE app LOGIN PASSWORD 's3cret'\nCREATE DATABASE app OWNER app\n"),
    ("app", "CREATE EXTENSION pg_stat_statements\n"),
];

/// One PostgreSQL server with a private directory, a Unix socket and a free loopback port.
///
/// It has the database `app`, owned by the role `app` with the password `s3cret`, which is no superuser. Every
/// acknowledged write survives [`kill9`](Self::kill9) and [`restart`](Self::restart). Dropping the value ends the
/// processes and removes the directory.
///
/// ```no_run
/// use xtask::server::PostgresServer;
///
/// let mut server = PostgresServer::start()?;
/// server.sql("CREATE TABLE coats (n int); INSERT INTO coats VALUES (12)")?;
/// server.kill9();
/// server.restart()?;
/// assert_eq!(server.sql("SELECT n FROM coats")?, "12");
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Debug)]
pub struct PostgresServer {
    // First, so that the process is gone before its directory goes.
    process: Process,
    directory: PrivateDirectory,
    port: u16,
    setup: Setup,
}

/// Collects what a [`PostgresServer`] is to be.
///
/// ```no_run
/// use xtask::server::PostgresServer;
///
/// let server = PostgresServer::builder().with_tls().with_arguments(["-c", "max_connections=20"]).start()?;
/// assert!(server.tls_url().is_some_and(|url| url.contains("sslmode=verify-full")));
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresServerBuilder {
    tls: Tls,
    arguments: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tls {
    Off,
    On,
}

/// All that a start of the server depends on, besides directory and port.
#[derive(Debug)]
struct Setup {
    programs: PathBuf,
    account: Account,
    authority: Option<TestAuthority>,
    arguments: Vec<String>,
}

impl PostgresServerBuilder {
    /// Also speaks TLS, on the same port, under a certificate for `localhost` and `127.0.0.1`.
    pub fn with_tls(mut self) -> Self {
        self.tls = Tls::On;
        self
    }

    /// Adds arguments of `postgres`, such as `["-c", "max_connections=20"]`; they win over the ones given here.
    pub fn with_arguments<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts the server and waits until it is ready.
    ///
    /// The data directory is made once for each version of PostgreSQL, and kept below `target/servers`.
    ///
    /// # Errors
    ///
    /// PostgreSQL (or `openssl`, for TLS) is missing, or the server was not ready within a minute; the message then
    /// shows the end of its log.
    pub fn start(self) -> Result<PostgresServer> {
        let directory = PrivateDirectory::create("postgres")?;
        let account = Account::unprivileged()?;
        account.give(directory.path())?;
        let authority = match self.tls {
            Tls::On => Some(TestAuthority::create(directory.path())?),
            Tls::Off => None,
        };
        if let Some(authority) = &authority {
            account.give(&authority.key)?;
            account.give(&authority.certificate)?;
        }
        let setup = Setup { programs: programs()?, account, authority, arguments: self.arguments };
        setup.prepare(&directory)?;
        let spawn = |[port]: [u16; 1]| setup.spawn(&directory, port);
        let (process, [port]) = on_free_ports(spawn, |process, _| wait(process, &directory))?;
        Ok(PostgresServer { process, directory, port, setup })
    }
}

impl PostgresServer {
    /// A server without TLS.
    ///
    /// # Errors
    ///
    /// See [`PostgresServerBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A server to be chosen in detail: without TLS or further arguments so far.
    pub const fn builder() -> PostgresServerBuilder {
        PostgresServerBuilder { tls: Tls::Off, arguments: Vec::new() }
    }

    /// The URL without TLS: `postgres://app:s3cret@127.0.0.1:port/app`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://app:s3cret@127.0.0.1:{}/app", self.port)
    }

    /// The URL with TLS and the authority to trust:
    /// `postgres://app:s3cret@localhost:port/app?sslmode=verify-full&sslrootcert=/path/to/ca.crt`. `None` on a server
    /// without TLS.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let ca = self.setup.authority.as_ref()?.ca.display();
        let port = self.port;
        Some(format!("postgres://app:s3cret@localhost:{port}/app?sslmode=verify-full&sslrootcert={ca}"))
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

    /// The id of the process that all others of the server are children of.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.process.pid().as_raw_nonzero().get()
    }

    /// Runs statements as the superuser `postgres` in the database `app`, through `psql` and the Unix socket, and
    /// returns the rows: one a line, columns parted by `|`.
    ///
    /// Several statements at once are one transaction.
    ///
    /// # Errors
    ///
    /// A statement failed, or `psql` was not done within 20 seconds.
    pub fn sql(&self, statements: &str) -> Result<String> {
        let mut command = Command::new(self.setup.programs.join("psql"));
        // What the caller's environment says about PostgreSQL is about another server.
        command.env_clear().env("PGCONNECT_TIMEOUT", "5");
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "app"]);
        command.arg("-h").arg(self.directory.path()).arg("-p").arg(self.port.to_string());
        command.arg("-c").arg(statements);
        client::run(command, self.directory.path())
    }

    /// How often the role `app` ran each statement since the start or the last
    /// [`reset_statement_stats`](Self::reset_statement_stats), by its text with `$1` for values and single spaces.
    ///
    /// # Errors
    ///
    /// See [`sql`](Self::sql).
    pub fn statement_stats(&self) -> Result<BTreeMap<String, u64>> {
        let rows = self.sql(
            "SELECT sum(calls), regexp_replace(query, '\\s+', ' ', 'g') AS statement FROM pg_stat_statements \
             WHERE userid = 'app'::regrole GROUP BY statement",
        )?;
        let parse = |row: &str| {
            let (calls, statement) = row.split_once('|')?;
            Some((statement.to_owned(), calls.parse().ok()?))
        };
        Ok(rows.lines().filter_map(parse).collect())
    }

    /// Counts from zero again.
    ///
    /// # Errors
    ///
    /// See [`sql`](Self::sql).
    pub fn reset_statement_stats(&self) -> Result<()> {
        self.sql("SELECT pg_stat_statements_reset()").map(drop)
    }

    /// Ends all processes of the server at once, as a crash does. Its port and data stay reserved for
    /// [`restart`](Self::restart).
    pub fn kill9(&mut self) {
        self.process.kill9_family();
    }

    /// Ends the server in an orderly way: connections are closed, data is written.
    pub fn shutdown(&mut self) {
        // `SIGTERM` would wait for clients to leave.
        self.process.end(Signal::INT);
    }

    /// Freezes all processes of the server (`SIGSTOP`): connections stay open and nobody answers. Returns when they
    /// stand still.
    ///
    /// # Errors
    ///
    /// The server is gone.
    pub fn stop(&self) -> Result<()> {
        self.process.stop_family()
    }

    /// Lets a frozen server go on (`SIGCONT`).
    ///
    /// # Errors
    ///
    /// The server is gone.
    pub fn cont(&self) -> Result<()> {
        self.process.cont_family()
    }

    /// Lets the process that takes connections have so many file descriptors; none: as many as before.
    ///
    /// What it has open stays open. With 3 it can open nothing more, and takes no connection.
    ///
    /// # Errors
    ///
    /// `prlimit` is missing, or the server is gone.
    pub fn limit_descriptors(&self, most: Option<u64>) -> Result<()> {
        descriptors::limit(self.setup.account, self.process.pid(), most, self.directory.path())
    }

    /// Starts the server again on the same port and data, and waits until it is ready. A server that still runs is
    /// ended first, in an orderly way.
    ///
    /// # Errors
    ///
    /// See [`PostgresServerBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.shutdown();
        self.process = self.setup.spawn(&self.directory, self.port)?;
        wait(&mut self.process, &self.directory)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // Nobody will read what an orderly end would write.
        self.process.kill9_family();
    }
}

/// Where `initdb`, `postgres` and `psql` of one version are.
fn programs() -> Result<PathBuf> {
    let initdb = Program::Initdb.path()?;
    // In `PATH` there may be links to some of them only.
    let initdb = fs::canonicalize(&initdb).unwrap_or(initdb);
    Ok(initdb.parent().unwrap_or(Path::new("/")).to_owned())
}

impl Setup {
    /// Fills the data directory.
    fn prepare(&self, directory: &PrivateDirectory) -> Result<()> {
        let version = client::run(self.command("postgres", ["--version"]), directory.path())?;
        let template = Template::of("postgres", (version, &self.programs, self.account, PREPARATIONS));
        template.fill(&directory.join(DATA), |data| {
            let mut initdb = self.command("initdb", ["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]);
            initdb.args(["--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256", "-D"]).arg(data);
            client::run(initdb, directory.path())?;
            for (database, statements) in PREPARATIONS {
                let mut single = self.command("postgres", ["--single", "-c", "fsync=off", "-D"]);
                single.arg(data).arg(database);
                client::run_with(single, directory.path(), statements)?;
            }
            Ok(())
        })
    }

    fn spawn(&self, directory: &PrivateDirectory, port: u16) -> Result<Process> {
        // A commit is handed to the kernel before it is acknowledged, and what the kernel has survives the end of
        // the processes. `fsync` would save it from the end of the machine too, which no test brings about.
        let mut command = self.command("postgres", ["-c", "synchronous_commit=on", "-c", "fsync=off"]);
        command.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "shared_buffers=32MB",
            "-c",
            "max_connections=200",
        ]);
        // In its own directory, which goes with it: elsewhere, a server that is killed leaves its segments behind.
        command.args(["-c", "dynamic_shared_memory_type=mmap"]);
        command.args(["-c", "shared_preload_libraries=pg_stat_statements", "-c"]);
        command.arg(format!("unix_socket_directories={}", directory.path().display()));
        command.arg("-D").arg(directory.join(DATA)).arg("-p").arg(port.to_string());
        if let Some(TestAuthority { certificate, key, .. }) = &self.authority {
            command.args(["-c", "ssl=on", "-c"]).arg(format!("ssl_cert_file={}", certificate.display()));
            command.arg("-c").arg(format!("ssl_key_file={}", key.display()));
        }
        command.args(&self.arguments);
        Process::spawn(command, &directory.join("log"))
    }

    /// One of the programs, under the account.
    fn command<const N: usize>(&self, program: &str, arguments: [&str; N]) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir("/").env_remove("PGDATA").env("LC_ALL", "C.UTF-8");
        self.account.lend_to(&mut command);
        command
    }
}

/// Where the data is, in the private directory.
const DATA: &str = "data";

fn wait(process: &mut Process, directory: &PrivateDirectory) -> Result<()> {
    let (id, file) =
        (process.pid().as_raw_nonzero().to_string(), directory.join(DATA).join("postmaster.pid"));
    process.wait_until(START, || fs::read_to_string(&file).is_ok_and(|text| ready(&text, &id)))
}

/// The file is of this process, not of one that crashed, and says that connections are welcome.
fn ready(file: &str, id: &str) -> bool {
    let mut lines = file.lines().map(str::trim);
    lines.next() == Some(id) && lines.nth(STATUS_LINE - 1) == Some("ready")
}
