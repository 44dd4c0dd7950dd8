//! One instance: a testbed as a child process, which keeps its address over restarts.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use xtask::server::free_port;

use crate::{Adapter, Error, Result, Ring};

/// How long an instance may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many of its last lines are kept, for the case that it does not start.
const KEPT_LINES: usize = 12;

/// How an instance is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The proxy gives it nothing more to do, then it gets `SIGTERM`.
    Drained,
    /// It gets `SIGTERM` while requests are on their way to it.
    Asked,
    /// It gets `SIGKILL`, as in a crash, in the middle of whatever it does.
    Killed,
}

/// What an instance is started from.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) adapter: Adapter,
    pub(crate) store: String,
    pub(crate) ring: Ring,
}

/// A running instance; it is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Instance {
    program: PathBuf,
    recipe: Recipe,
    address: SocketAddr,
    child: Child,
}

impl Instance {
    /// Starts one on a free port, and waits until it listens.
    pub(crate) async fn start(program: PathBuf, recipe: Recipe) -> Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, free_port()?).into();
        let child = spawn(&program, &recipe, address).await?;
        Ok(Self { program, recipe, address, child })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) const fn adapter(&self) -> Adapter {
        self.recipe.adapter
    }

    /// Asks it to end, and waits until it is gone; whatever it was doing, it must end well.
    pub(crate) async fn terminate(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Error::broken(format!("the instance at {} ended with {status}", self.address)),
            Ok(Err(error)) => Err(self.cannot("be waited for", &error)),
            Err(_) => Error::broken(format!("the instance at {} did not end in {PATIENCE:?}", self.address)),
        }
    }

    /// Kills it, and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.map_err(|error| self.cannot("be killed", &error))
    }

    /// Starts it again where it was, with other secrets if there are any.
    pub(crate) async fn start_again(&mut self, ring: Option<&Ring>) -> Result<()> {
        if let Some(ring) = ring {
            self.recipe.ring = ring.clone();
        }
        self.child = spawn(&self.program, &self.recipe, self.address).await?;
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let id = id.ok_or_else(|| Error::trouble(format!("the instance at {} is gone", self.address)))?;
        kill_process(id, signal).map_err(|errno| self.cannot("be told anything", &errno.into()))
    }

    fn cannot(&self, what: &str, error: &std::io::Error) -> Error {
        Error::trouble(format!("the instance at {} cannot {what}: {error}", self.address))
    }
}

async fn spawn(program: &PathBuf, recipe: &Recipe, address: SocketAddr) -> Result<Child> {
    let Recipe { adapter, store, ring } = recipe;
    let mut command = Command::new(program);
    command.args(["--adapter", adapter.name(), "--store", store, "--secret", ring.text()]);
    command.args(["--listen", &address.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let cannot = |error| Error::trouble(format!("cannot start {}: {error}", program.display()));
    let mut child = command.spawn().map_err(cannot)?;
    let said = child.stderr.take().map(listen).unwrap_or_default();
    let mut lines =
        BufReader::new(child.stdout.take().ok_or_else(|| Error::trouble("an instance without an output"))?)
            .lines();
    match timeout(PATIENCE, lines.next_line()).await {
        Ok(Ok(Some(line))) if line == format!("listening on http://{address}") => Ok(child),
        Ok(Ok(Some(line))) => Err(Error::trouble(format!("the instance at {address} says: {line}"))),
        _ => {
            let _ = child.kill().await;
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            let said = said.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
            Err(Error::trouble(format!("the instance at {address} does not start: {said}")))
        }
    }
}

type Lines = Arc<Mutex<VecDeque<String>>>;

/// Reads along, so that the instance never waits for somebody who does, and keeps the last lines.
fn listen(output: impl AsyncRead + Send + Unpin + 'static) -> Lines {
    let kept = Lines::default();
    let lines = Arc::clone(&kept);
    tokio::spawn(async move {
        let mut output = BufReader::new(output).lines();
        while let Ok(Some(line)) = output.next_line().await {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == KEPT_LINES {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    });
    kept
}
