//! The child process behind a server.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use super::family;
use crate::{Error, Result};

/// How often a condition outside this process is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How long a server may take to go when asked politely.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much of a log is shown when a server does not start.
const TAIL: usize = 20;

/// A child process that ends with this value.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose two outputs are appended to `log`.
    pub(super) fn spawn(mut command: Command, log: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let append = || File::options().append(true).create(true).open(log);
        let out = append().map_err(Error::io(format!("cannot open {}", log.display())))?;
        let err = append().map_err(Error::io(format!("cannot open {}", log.display())))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(Error::io(format!("cannot start {name}")))?;
        Ok(Self { child, name, log: log.to_owned() })
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    ///
    /// The process ended first, or the deadline passed; the message shows the end of its log.
    pub(super) fn wait_until(&mut self, deadline: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.exit_status() {
                return Err(Error::new(format!(
                    "{} ended with {status}; its log:\n{}",
                    self.name,
                    self.tail()
                )));
            }
            if ready() {
                return Ok(());
            }
            if start.elapsed() > deadline {
                let tail = self.tail();
                return Err(Error::new(format!("{} not ready in {deadline:?}; its log:\n{tail}", self.name)));
            }
            thread::sleep(POLL);
        }
    }

    /// Ends the process at once, as a crash does, and waits until it is gone.
    pub(super) fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The same for the process and its children.
    pub(super) fn kill9_family(&mut self) {
        if self.exit_status().is_none() {
            // Frozen first, it gets no more of them.
            family::signal(&[self.pid()], Signal::STOP);
            family::signal(&family::children(self.pid()), Signal::KILL);
        }
        self.kill9();
    }

    /// Asks the process to end, and ends it after three seconds.
    pub(super) fn terminate(&mut self) {
        self.end(Signal::TERM);
    }

    /// The same with another signal.
    pub(super) fn end(&mut self, signal: Signal) {
        if self.exit_status().is_some() {
            return;
        }
        let pid = self.pid();
        let _ = kill_process(pid, signal);
        // A frozen process would never see the first one.
        let _ = kill_process(pid, Signal::CONT);
        let start = Instant::now();
        while self.exit_status().is_none() {
            if start.elapsed() > PATIENCE {
                return self.kill9();
            }
            thread::sleep(POLL);
        }
    }

    /// Freezes the process: connections stay open and nobody answers. Returns when it stands still.
    pub(super) fn stop(&self) -> Result<()> {
        family::signal(&[self.pid()], Signal::STOP);
        if self.stands_still() { Ok(()) } else { Err(Error::new(format!("cannot freeze {}", self.name))) }
    }

    /// Lets a frozen process go on.
    pub(super) fn cont(&self) -> Result<()> {
        kill_process(self.pid(), Signal::CONT).map_err(|errno| self.failed("cannot thaw", errno))
    }

    /// Freezes the process, so that it gets no more children, and then its children.
    pub(super) fn stop_family(&self) -> Result<()> {
        self.stop()?;
        family::signal(&family::children(self.pid()), Signal::STOP);
        Ok(())
    }

    /// Lets a frozen process and its children go on.
    pub(super) fn cont_family(&self) -> Result<()> {
        family::signal(&family::children(self.pid()), Signal::CONT);
        self.cont()
    }

    pub(super) fn stands_still(&self) -> bool {
        family::stands_still(self.pid())
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The last lines that the process wrote.
    pub(super) fn tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let skipped = lines.len().saturating_sub(TAIL);
        lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
    }

    fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    fn failed(&self, what: &str, errno: rustix::io::Errno) -> Error {
        Error::io(format!("{what} {}", self.name))(errno.into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.terminate();
    }
}
