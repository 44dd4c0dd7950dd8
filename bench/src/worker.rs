//! One contender in a process of its own, that does what it is told and tells what it cost.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::contender::Setup;
use crate::driver::{self, Driver};
use crate::options::Options;
use crate::scenario::{Rolling, Scenario};

/// How many sessions the requests of one scenario use in turn.
const SESSIONS: usize = 16;

/// What a worker is told, a line each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub scenario: Scenario,
    /// What the requests bring.
    pub cookie: Cookie,
    pub times: usize,
}

/// What the requests bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cookie {
    /// What the scenario says.
    AsUsual,
    /// A cookie of the usual length, though nobody asks for it.
    Idle,
    /// A cookie whose last character was changed.
    Forged,
}

/// What all the requests of a task cost together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub allocations: f64,
    pub reallocations: f64,
    pub bytes: f64,
    /// Seconds of all threads of the process.
    pub cpu: f64,
    /// The bytes of the `Set-Cookie` lines of one more request.
    pub set_cookie: f64,
}

/// Allocations so far: how many, how many were made larger, and how many bytes.
pub type Allocations = fn() -> [usize; 3];

/// `worker CONTENDER BACKEND [--url URL]`: tasks from standard input, costs to standard output.
pub fn main(words: &[String], allocations: Allocations) -> Result<()> {
    let (cell, options) = parse(words, &[])?;
    let url = options.get("--url").map(str::to_owned);
    let mut worker = Worker { cell, url, allocations, clock: spent, drivers: BTreeMap::new() };
    let (runtime, local) = runtime()?;
    for line in std::io::stdin().lock().lines() {
        let task: Task = serde_json::from_str(&line?)?;
        let cost = runtime.block_on(local.run_until(worker.run(&task)))?;
        println!("{}", serde_json::to_string(&cost)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// `once CONTENDER BACKEND SCENARIO TIMES [--url URL] [--cookie]`: the same without a look at the clock, which valgrind does not
/// bear.
pub fn once(words: &[String], allocations: Allocations) -> Result<()> {
    let (cell, options) = parse(words, &["--scenario", "--times"])?;
    let task = Task {
        scenario: Scenario::parse(options.get("--scenario").context("--scenario")?)?,
        cookie: if options.has("--idle-cookie") { Cookie::Idle } else { Cookie::AsUsual },
        times: options.number("--times", 1)?,
    };
    let url = options.get("--url").map(str::to_owned);
    let mut worker = Worker { cell, url, allocations, clock: || 0.0, drivers: BTreeMap::new() };
    let (runtime, local) = runtime()?;
    runtime.block_on(local.run_until(worker.run(&task))).map(drop)
}

fn parse<'a>(words: &'a [String], more: &[&str]) -> Result<(Cell, Options<'a>)> {
    let (cell, rest) = words.split_at_checked(2).context("CONTENDER BACKEND")?;
    let options = Options::parse(rest, &["--idle-cookie"], &[&["--url"], more].concat())?;
    Ok((Cell::parse(&cell[0], &cell[1])?, options))
}

fn runtime() -> Result<(tokio::runtime::Runtime, tokio::task::LocalSet)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok((runtime, tokio::task::LocalSet::new()))
}

fn spent() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

struct Worker {
    cell: Cell,
    url: Option<String>,
    allocations: Allocations,
    clock: fn() -> f64,
    drivers: BTreeMap<Rolling, Box<dyn Driver>>,
}

impl Worker {
    async fn run(&mut self, task: &Task) -> Result<Cost> {
        let rolling = task.scenario.rolling();
        let driver = match self.drivers.entry(rolling) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(vacant) => {
                let setup = Setup { cell: self.cell, url: self.url.clone(), rolling };
                vacant.insert(driver::driver(&setup).await?)
            }
        };
        // Whoever brings a forged cookie has nothing to read.
        let path = if task.cookie == Cookie::Forged { "/peek" } else { task.scenario.path() };
        let cookies = cookies(&mut **driver, task).await?;
        driver.ask(path, &cookies, task.times / 10 + 1).await?;
        let lines = driver.fill(path, cookies.first().map(String::as_str)).await?;
        let (before, began) = ((self.allocations)(), (self.clock)());
        driver.ask(path, &cookies, task.times).await?;
        let (ended, after) = ((self.clock)(), (self.allocations)());
        let grown = |at: usize| (after[at] - before[at]) as f64;
        let set_cookie: usize = lines.iter().map(|line| "set-cookie: ".len() + line.len()).sum();
        Ok(Cost {
            allocations: grown(0),
            reallocations: grown(1),
            bytes: grown(2),
            cpu: ended - began,
            set_cookie: set_cookie as f64,
        })
    }
}

/// New sessions for each task: those of an earlier one may be idle for too long.
async fn cookies(driver: &mut dyn Driver, task: &Task) -> Result<Arc<[String]>> {
    if task.cookie == Cookie::Idle {
        return Ok([format!("__Host-session={}", "x".repeat(71))].into());
    }
    let fill = match (task.scenario.fill(), task.cookie) {
        (None, Cookie::Forged) => "/fill",
        (None, _) => return Ok(Arc::default()),
        (Some(fill), _) => fill,
    };
    let mut cookies = Vec::new();
    for _ in 0..SESSIONS {
        let lines = driver.fill(fill, None).await?;
        let pairs =
            lines.iter().filter_map(|line| line.split(';').next()).filter(|pair| !pair.ends_with('='));
        let mut cookie = pairs.collect::<Vec<_>>().join("; ");
        if task.cookie == Cookie::Forged {
            cookie = forged(&cookie)?;
        }
        cookies.push(cookie);
    }
    Ok(cookies.into())
}

/// The same with another character in the middle of its value.
fn forged(cookie: &str) -> Result<String> {
    let (name, value) = cookie.split_once('=').context("a cookie")?;
    let at = value.len() / 2;
    let (Some(before), Some(here), Some(after)) = (value.get(..at), value.get(at..=at), value.get(at + 1..))
    else {
        bail!("a cookie is ASCII")
    };
    Ok(format!("{name}={before}{}{after}", if here == "A" { "B" } else { "A" }))
}

/// A worker in a process of its own, which ends with this value.
pub struct Process {
    pub cell: Cell,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(cell: Cell, url: Option<&str>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["worker", cell.contender.name(), cell.backend.name()]);
        if let Some(url) = url {
            command.args(["--url", url]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("it was asked for")?;
        let output = BufReader::new(child.stdout.take().context("it was asked for")?);
        Ok(Self { cell, child, input, output })
    }

    /// Fails where a request was not answered with success: the worker has said why.
    pub fn ask(&mut self, task: &Task) -> Result<Cost> {
        writeln!(self.input, "{}", serde_json::to_string(task)?)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("{} failed at {:?}", self.cell, task.scenario))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::{Cookie, Task, forged};
    use crate::scenario::Scenario;

    #[test]
    fn tasks_are_told_a_line_each() {
        let task = Task { scenario: Scenario::S3, cookie: Cookie::Forged, times: 7 };
        let line = serde_json::to_string(&task).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Task>(&line).unwrap(), task);
    }

    #[test]
    fn a_forged_cookie_is_as_long_and_differs() {
        assert_eq!(forged("id=abcde").unwrap(), "id=abAde");
        assert_eq!(forged("id=abAde").unwrap(), "id=abBde");
        assert!(forged("nothing").is_err());
    }
}
