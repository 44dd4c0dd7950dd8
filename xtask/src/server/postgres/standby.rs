//! A PostgreSQL server that follows another one.

use std::thread;
use std::time::{Duration, Instant};

use super::{DATA, PostgresServer, Setup, wait};
use crate::server::port::on_free_ports;
use crate::server::{PrivateDirectory, client};
use crate::{Error, Result};

/// How long a standby may take until it follows, and how long its promotion may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(20);

impl PostgresServer {
    /// Starts a standby: a copy of this server that follows it by streaming, and answers questions that change nothing.
    ///
    /// Both call it by `name`, as in `synchronous_standby_names`. It has the arguments of this server, and no TLS.
    ///
    /// # Errors
    ///
    /// See [`PostgresServerBuilder::start`](super::PostgresServerBuilder::start); or it does not follow within 15 seconds.
    pub fn standby(&self, name: &str) -> Result<Self> {
        let directory = PrivateDirectory::create("postgres")?;
        let Setup { programs, account, arguments, .. } = &self.setup;
        account.give(directory.path())?;
        let setup = Setup {
            programs: programs.clone(),
            account: *account,
            authority: None,
            arguments: arguments.clone(),
        };
        let mut copy =
            setup.command("pg_basebackup", ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        let (host, port) = (self.directory.path().display(), self.port);
        copy.arg("--dbname").arg(format!("host={host} port={port} user=postgres application_name={name}"));
        copy.arg("--pgdata").arg(directory.join(DATA));
        client::run(copy, directory.path())?;
        let spawn = |[port]: [u16; 1]| setup.spawn(&directory, port);
        let (process, [port]) = on_free_ports(spawn, |process, _| wait(process, &directory))?;
        let standby = Self { process, directory, port, setup };
        let state = format!("SELECT state FROM pg_stat_replication WHERE application_name = '{name}'");
        let start = Instant::now();
        while self.sql(&state)? != "streaming" {
            if start.elapsed() > PATIENCE {
                return Err(Error::new(format!("{name} does not follow")));
            }
            thread::sleep(POLL);
        }
        Ok(standby)
    }

    /// Makes a standby a primary, and waits until it takes writes.
    ///
    /// # Errors
    ///
    /// It is no standby, or was none within 15 seconds.
    pub fn promote(&self) -> Result<()> {
        match self.sql(&format!("SELECT pg_promote(true, {})", PATIENCE.as_secs()))?.as_str() {
            "t" => Ok(()),
            _ => Err(Error::new("the standby was not promoted in time")),
        }
    }
}
