//! Runs test programs, and decides which of their ignored tests run as well.

use std::process::{Command, ExitCode};
use std::time::Duration;

use super::backend::Backend;
use super::executable::Executable;
use super::facility::Facilities;
use super::servers::Servers;
use super::step;
use super::tally::{Ignored, Tally};
use crate::Result;

#[cfg(test)]
mod tests;

/// How long one test program, or all documentation examples, may take.
const DEADLINE: Duration = Duration::from_secs(20 * 60);
/// The same of those that measure, each with a million sessions.
const MEASURING: Duration = Duration::from_secs(2 * 60 * 60);
/// What the names of tests that measure begin with.
const MEASURE: &str = "measure_";
/// How the reasons of fault runs begin.
const FAULTS: &str = "faults ";
/// Tells fault runs that there is time.
const LONG: &str = "CLOAKROOM_FAULTS_LONG";
/// How the reasons of ignored tests begin that run where everything is at hand.
const RUNS_HERE: [&str; 2] = ["needs ", "takes "];
/// How the reason of a test begins that no machine and no patience would make run.
const INAPPLICABLE: &str = "does not apply: ";

/// How much time the fault runs get.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effort {
    /// Minutes each.
    Full,
    /// Many times that.
    Long,
}

impl Effort {
    /// How long one run may take; it should end long before.
    const fn deadline(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(60 * 60),
            Self::Long => Duration::from_secs(12 * 60 * 60),
        }
    }

    fn tell(self, command: &mut Command) {
        match self {
            Self::Full => command.env_remove(LONG),
            Self::Long => command.env(LONG, "1"),
        };
    }
}

/// A whole run: the count so far, and what was left out.
#[derive(Debug)]
pub(crate) struct Suite<'a> {
    backends: &'a [Backend],
    servers: &'a Servers,
    facilities: Facilities,
    tally: Tally,
    left_out: Vec<LeftOut>,
}

#[derive(Debug, Eq, PartialEq)]
struct LeftOut {
    test: String,
    why: String,
}

impl LeftOut {
    /// Whether it can never run: what it asks for is not what its backend is for. That is said, and nothing skipped.
    fn is_inapplicable(&self) -> bool {
        self.why.starts_with(INAPPLICABLE)
    }
}

impl<'a> Suite<'a> {
    pub(crate) fn new(backends: &'a [Backend], servers: &'a Servers) -> Self {
        let (facilities, tally) = (Facilities::default(), Tally::default());
        Self { backends, servers, facilities, tally, left_out: Vec::new() }
    }

    /// Runs the tests that a program does not ignore, then those that it ignores for want of a server or of patience.
    pub(crate) fn test(&mut self, executable: &Executable) -> Result<()> {
        step::say(&format!("\n{}", executable.label));
        let ignored = self.run(&executable.label, executable.command(&[]), DEADLINE)?;
        let (wanted, left_out) = sort(&executable.label, ignored, self.backends, &self.facilities);
        self.left_out.extend(left_out);
        if wanted.is_empty() {
            return Ok(());
        }
        let mut command = executable.command(&["--ignored", "--exact", "--show-output"]);
        // Planted faults panic by design: their places are enough among the figures.
        command.args(&wanted).env("RUST_BACKTRACE", "0");
        self.run_exactly(&executable.label, command, wanted.len(), DEADLINE)
    }

    /// Runs only the tests of a program that measure, one after the other, and shows what they print.
    pub(crate) fn measure(&mut self, executable: &Executable) -> Result<()> {
        let list = step::output(executable.command(&["--list", "--ignored", "--format", "terse"]))?;
        let wanted: Vec<&str> = list
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .filter(|name| measures(name))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        step::say(&format!("\n{}", executable.label));
        let mut command = executable.command(&["--ignored", "--exact", "--nocapture", "--test-threads=1"]);
        command.args(&wanted);
        self.run_exactly(&executable.label, command, wanted.len(), MEASURING)
    }

    /// Runs the fault runs of a program, each by itself, and shows what they print.
    pub(crate) fn faults(&mut self, executable: &Executable, effort: Effort) -> Result<()> {
        let list = step::output(executable.command(&["--list", "--ignored", "--format", "terse"]))?;
        let names: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
        if names.is_empty() {
            return Ok(());
        }
        // Nothing runs, since all of them are ignored; but each says why, and the reason decides.
        let mut command = executable.command(&["--exact"]);
        command.args(&names);
        let (label, mut tally) = (&executable.label, Tally::default());
        step::follow(command, effort.deadline(), |line| tally.read(line))?;
        let (wanted, left_out) = fault_runs(label, tally.ignored, self.backends, &self.facilities);
        self.left_out.extend(left_out);
        for name in wanted {
            step::say(&format!("\n{label}: {name}"));
            let mut command =
                executable.command(&["--ignored", "--exact", "--nocapture", "--test-threads=1"]);
            command.arg(&name).env("RUST_BACKTRACE", "0");
            effort.tell(&mut command);
            let (failed, named) = (self.tally.failed, self.tally.failures.len());
            self.run_exactly(&format!("{label}: {name}"), command, 1, effort.deadline())?;
            // What it prints may stand in the line that would say so.
            if self.tally.failed > failed && self.tally.failures.len() == named {
                self.tally.failures.push(format!("{label}: {name}"));
            }
        }
        Ok(())
    }

    /// Runs the examples of the documentation.
    pub(crate) fn examples(&mut self, command: Command) -> Result<()> {
        let label = "documentation examples";
        step::say(&format!("\n{label}"));
        let ignored = self.run(label, command, DEADLINE)?;
        let unwanted =
            ignored.into_iter().map(|Ignored { name, reason }| LeftOut { test: name, why: reason });
        self.left_out.extend(unwanted);
        Ok(())
    }

    /// Lists what did not run and what failed, with all that it printed, and prints the closing line.
    pub(crate) fn close(self) -> ExitCode {
        step::say("");
        let (inapplicable, left_out): (Vec<_>, Vec<_>) =
            self.left_out.iter().partition(|left_out| left_out.is_inapplicable());
        for LeftOut { test, why } in inapplicable {
            step::say(&format!("{test} {why}"));
        }
        for LeftOut { test, why } in &left_out {
            step::say(&format!("not run: {test} ({why})"));
        }
        // Once more at the end: between them and their place stand many thousand lines.
        for line in &self.tally.account {
            step::say(line);
        }
        for failure in &self.tally.failures {
            step::say(&format!("failed: {failure}"));
        }
        let (passed, failed) = (self.tally.passed, self.tally.failed);
        if passed + failed == 0 {
            step::say("failed: no test ran");
        }
        step::say(&closing_line(passed, failed, left_out.len()));
        if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// Runs a program in which exactly so many tests must run.
    fn run_exactly(
        &mut self,
        label: &str,
        command: Command,
        wanted: usize,
        deadline: Duration,
    ) -> Result<()> {
        let before = self.tally.passed + self.tally.failed;
        self.run(label, command, deadline)?;
        let ran = self.tally.passed + self.tally.failed - before;
        if ran != wanted as u64 {
            self.fail(format!("{label}: {wanted} tests were asked for, {ran} ran"));
        }
        Ok(())
    }

    /// Runs a program and counts; returns what it ignored.
    fn run(&mut self, label: &str, mut command: Command, deadline: Duration) -> Result<Vec<Ignored>> {
        self.servers.tell(&mut command);
        let mut tally = Tally::default();
        let status = step::stream(command, deadline, |line| tally.read(line))?;
        if tally.results == 0 || (!status.success() && tally.failed == 0) {
            self.fail(format!("{label}: ended with {status} without saying which test failed"));
        }
        tally.failures.iter_mut().for_each(|name| *name = format!("{label}: {name}"));
        let ignored = std::mem::take(&mut tally.ignored);
        self.tally.add(tally);
        Ok(ignored)
    }

    fn fail(&mut self, what: String) {
        self.tally.failed += 1;
        self.tally.failures.push(what);
    }
}

/// Parts the ignored tests of a program into those that run with these backends and those that do not.
///
/// The reason beside the test decides: see CONTRIBUTING.md.
fn sort(
    label: &str,
    ignored: Vec<Ignored>,
    backends: &[Backend],
    facilities: &Facilities,
) -> (Vec<String>, Vec<LeftOut>) {
    let (mut wanted, mut left_out) = (Vec::new(), Vec::new());
    for Ignored { name, reason } in ignored {
        let missing = Backend::named_in(&reason).into_iter().find(|backend| !backends.contains(backend));
        let why = match missing {
            _ if measures(&name) => format!("{reason}; `cargo xtask measure` runs it"),
            _ if !RUNS_HERE.iter().any(|start| reason.starts_with(start)) => reason,
            Some(backend) => format!("{} was not selected", backend.name()),
            None => match facilities.lack(&reason) {
                Some(lack) => lack,
                None => {
                    wanted.push(name);
                    continue;
                }
            },
        };
        left_out.push(LeftOut { test: format!("{label}: {name}"), why });
    }
    (wanted, left_out)
}

/// The names of the tests whose reasons say that they are fault runs of these backends, and those among them that this
/// machine cannot run.
fn fault_runs(
    label: &str,
    ignored: Vec<Ignored>,
    backends: &[Backend],
    facilities: &Facilities,
) -> (Vec<String>, Vec<LeftOut>) {
    let (mut wanted, mut left_out) = (Vec::new(), Vec::new());
    let chosen = |reason: &str| Backend::named_in(reason).iter().all(|backend| backends.contains(backend));
    for Ignored { name, reason } in ignored {
        if reason.starts_with(FAULTS) && chosen(&reason) {
            match facilities.lack(&reason) {
                Some(why) => left_out.push(LeftOut { test: format!("{label}: {name}"), why }),
                None => wanted.push(name),
            }
        }
    }
    (wanted, left_out)
}

fn measures(test: &str) -> bool {
    test.rsplit("::").next().is_some_and(|name| name.starts_with(MEASURE))
}

fn closing_line(passed: u64, failed: u64, skipped: usize) -> String {
    match skipped {
        0 => format!("{passed} passed, {failed} failed"),
        _ => format!("{passed} passed, {failed} failed, {skipped} skipped"),
    }
}
