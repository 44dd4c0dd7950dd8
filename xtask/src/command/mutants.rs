//! `cargo xtask mutants`: changes the code one place at a time, and looks for changes that no test notices.

mod survivors;
mod task;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use self::survivors::Survivors;
pub(crate) use self::task::Task;
use super::copy::Copy;
use super::step;
use crate::{Error, Result, workspace};

/// The version of `cargo-mutants` that is installed where there is none.
const VERSION: &str = "27.1.0";
/// The crates, and those whose tests may notice what is changed in them, nearest first.
const CRATES: [(&str, &[&str]); 2] =
    [("cloakroom-codec", &["cloakroom-codec", "cloakroom-core"]), ("cloakroom-core", &["cloakroom-core"])];
/// What is no part of a promise: test helpers of core, and what is only printed for developers.
const EXCLUDED: [&str; 4] =
    ["--exclude", "crates/cloakroom-core/src/testing/**", "--exclude-re", "impl .*Debug for "];
/// Where results are kept, below the root.
const RESULTS: &str = "target/mutants";

pub(crate) fn run(task: &Task) -> Result<ExitCode> {
    ensure()?;
    let root = workspace::root();
    let copy = Copy::of(&root)?;
    let home = root.join(RESULTS);
    fs::create_dir_all(&home).map_err(Error::io(format!("cannot make {}", home.display())))?;
    let diff = task.since.as_deref().map(|commit| diff(&root, &home, commit)).transpose()?;
    let mut survivors = Survivors::default();
    for (package, judges) in CRATES.into_iter().filter(|(package, _)| task.wants(package)) {
        let results = home.join(package);
        fs::create_dir_all(&results).map_err(Error::io(format!("cannot make {}", results.display())))?;
        if task.list {
            let mut list = mutants(&copy, package, task, diff.as_deref());
            list.arg("--list");
            step::run(list)?;
            continue;
        }
        let results = results.join("mutants.out");
        // An earlier run's would be taken for this one's where there is nothing to change.
        let _ = fs::remove_dir_all(&results);
        for (nth, judge) in judges.iter().enumerate() {
            if nth > 0 && !survivors::any(&results) {
                break;
            }
            let mut command = mutants(&copy, package, task, diff.as_deref());
            command.args(["--test-package", judge, "--in-place", "--minimum-test-timeout", "30"]);
            command.arg("--output").arg(results.parent().unwrap_or(&home));
            if nth > 0 {
                // Only what those before did not notice.
                command.arg("--iterate");
            }
            // Examples of the documentation take longer than all other tests.
            command.args(["--", "--tests"]);
            judge_of(command, judge)?;
        }
        survivors.read(&results)?;
    }
    if task.list {
        return Ok(ExitCode::SUCCESS);
    }
    let equivalent = fs::read_to_string(root.join(survivors::EQUIVALENT)).unwrap_or_default();
    survivors.close(&equivalent, &home.join("survivors.txt"))
}

/// The command, with what is to be changed.
fn mutants(copy: &Copy, package: &str, task: &Task, diff: Option<&Path>) -> Command {
    let mut command = copy.cargo();
    command.args(["mutants", "--no-config", "--colors", "never", "--all-features", "--package", package]);
    command.arg("--dir").arg(copy.tree()).args(EXCLUDED);
    // That a property fails is enough; to make its example smaller can take longer than a test may.
    command.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    for file in &task.files {
        command.args(["--file", file]);
    }
    if let Some(shard) = &task.shard {
        command.args(["--shard", shard]);
    }
    if let Some(diff) = diff {
        command.arg("--in-diff").arg(diff);
    }
    command
}

/// Runs the tests of one crate against mutants; survivors are no error yet.
fn judge_of(mut command: Command, judge: &str) -> Result<()> {
    step::say(&format!("\nthe tests of {judge} against mutants"));
    let status = command.status().map_err(Error::io("cannot run cargo mutants"))?;
    match status.code() {
        Some(ALL_CAUGHT | SOME_MISSED | SOME_TIMED_OUT) => Ok(()),
        Some(BASELINE_FAILED) => {
            Err(Error::new(format!("without any mutant, the tests of {judge} do not pass")))
        }
        _ => Err(Error::new(format!("cargo mutants ended with {status}"))),
    }
}

const ALL_CAUGHT: i32 = 0;
const SOME_MISSED: i32 = 2;
const SOME_TIMED_OUT: i32 = 3;
const BASELINE_FAILED: i32 = 4;

/// Makes sure that the tool is there.
fn ensure() -> Result<()> {
    let mut asked = step::cargo();
    asked.args(["mutants", "--version"]);
    if asked.output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    step::say("missing: cargo-mutants; installing it with Cargo, which takes some minutes");
    let mut install = step::cargo();
    install.args(["install", "--locked", "cargo-mutants", "--version", VERSION]);
    step::run(install)
}

/// What has changed since a commit, written to a file.
fn diff(root: &Path, home: &Path, commit: &str) -> Result<PathBuf> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["diff", "--no-color", "--no-ext-diff", commit, "--"]);
    let file = home.join("since.diff");
    fs::write(&file, step::output(git)?).map_err(Error::io(format!("cannot write {}", file.display())))?;
    Ok(file)
}
