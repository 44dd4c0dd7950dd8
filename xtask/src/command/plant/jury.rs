//! Builds and runs the tests of a fault, and judges what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::command::copy::Copy;
use crate::command::executable::{self, Executable};
use crate::command::servers::Servers;
use crate::command::step;
use crate::fault::Proof;
use crate::{Error, Result};

/// How long the tests of one target may take.
const DEADLINE: Duration = Duration::from_secs(5 * 60);
/// How many lines of the compiler are shown.
const SHOWN: usize = 40;

/// Runs tests in the copy.
#[derive(Debug)]
pub(super) struct Jury<'a> {
    copy: &'a Copy,
    servers: &'a Servers,
}

/// What the tests of a fault said.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// All of them failed.
    Found,
    /// These passed with the fault.
    Missed(Vec<String>),
    /// These did not come to an end.
    Unfinished(Vec<String>),
}

/// What one test said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    Passed,
    Failed,
}

impl<'a> Jury<'a> {
    pub(super) const fn new(copy: &'a Copy, servers: &'a Servers) -> Self {
        Self { copy, servers }
    }

    /// The tests that do not pass.
    pub(super) fn without_fault(&self, proofs: &[&Proof]) -> Result<Vec<String>> {
        let outcomes = self.outcomes(proofs)?.into_iter();
        Ok(outcomes.filter(|(_, outcome)| *outcome != Some(Outcome::Passed)).map(|(test, _)| test).collect())
    }

    /// Wants every test to fail by itself: what cannot be built or does not end is no failure of a test.
    pub(super) fn with_fault(&self, proofs: &[Proof]) -> Result<Verdict> {
        let outcomes = self.outcomes(&proofs.iter().collect::<Vec<_>>())?;
        Ok(judge(&outcomes))
    }

    fn outcomes(&self, proofs: &[&Proof]) -> Result<BTreeMap<String, Option<Outcome>>> {
        let mut targets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for proof in proofs {
            targets.entry(proof.target()).or_default().insert(proof.test());
        }
        let mut outcomes = BTreeMap::new();
        for (target, tests) in targets {
            let said = self.run(&self.build(target)?, &tests)?;
            for test in tests {
                outcomes.insert(format!("{target} {test}"), said.get(test).copied());
            }
        }
        Ok(outcomes)
    }

    fn build(&self, target: &str) -> Result<Executable> {
        let mut command = self.copy.cargo();
        command.arg("test").args(target.split(' ')).args(["--all-features", "--no-run", "--quiet"]);
        command.arg("--message-format=json-render-diagnostics");
        let output = command.output().map_err(Error::io("cannot run cargo"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<&str> = text.lines().take(SHOWN).collect();
            return Err(Error::new(format!("{target} cannot be built:\n{}", lines.join("\n"))));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let programs: Vec<_> =
            messages.lines().filter_map(|line| executable::parse(line).transpose()).collect::<Result<_>>()?;
        let found = programs.len();
        match programs.into_iter().next() {
            Some(program) if found == 1 => Ok(program),
            _ => Err(Error::new(format!("{target} is {found} test programs"))),
        }
    }

    fn run(&self, program: &Executable, tests: &BTreeSet<&str>) -> Result<BTreeMap<String, Outcome>> {
        let mut command = program.command(&["--include-ignored", "--exact"]);
        command.args(tests).stderr(std::process::Stdio::null());
        self.servers.tell(&mut command);
        let mut said = BTreeMap::new();
        step::follow(command, DEADLINE, |line| said.extend(read(line)))?;
        Ok(said)
    }
}

fn judge(outcomes: &BTreeMap<String, Option<Outcome>>) -> Verdict {
    let those = |wanted: Option<Outcome>| -> Vec<String> {
        let those = outcomes.iter().filter(|(_, outcome)| **outcome == wanted);
        those.map(|(test, _)| test.clone()).collect()
    };
    let (unfinished, passed) = (those(None), those(Some(Outcome::Passed)));
    if !unfinished.is_empty() {
        Verdict::Unfinished(unfinished)
    } else if !passed.is_empty() {
        Verdict::Missed(passed)
    } else {
        Verdict::Found
    }
}

/// Reads a line of a test program: `test a::b ... FAILED`.
fn read(line: &str) -> Option<(String, Outcome)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match outcome {
        "ok" => Some((name.to_owned(), Outcome::Passed)),
        "FAILED" => Some((name.to_owned(), Outcome::Failed)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Outcome, Verdict, judge, read};

    #[test]
    fn lines_of_a_test_program_are_read() {
        assert_eq!(read("test a::b ... ok"), Some(("a::b".to_owned(), Outcome::Passed)));
        assert_eq!(read("test a::b ... FAILED"), Some(("a::b".to_owned(), Outcome::Failed)));
        for other in ["test a::b ... ignored, why", "test result: FAILED. 1 passed", "running 2 tests", ""] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn a_fault_is_found_only_by_tests_that_fail() {
        let verdict = |outcomes: &[Option<Outcome>]| {
            let named = (0..).zip(outcomes).map(|(n, outcome): (u8, _)| (n.to_string(), *outcome));
            judge(&named.collect::<BTreeMap<_, _>>())
        };
        let (passed, failed) = (Some(Outcome::Passed), Some(Outcome::Failed));
        assert_eq!(verdict(&[failed, failed]), Verdict::Found);
        assert_eq!(verdict(&[failed, passed]), Verdict::Missed(vec!["1".to_owned()]));
        assert!(matches!(verdict(&[failed, None]), Verdict::Unfinished(_)));
        assert!(matches!(verdict(&[passed, None]), Verdict::Unfinished(_)));
    }
}
