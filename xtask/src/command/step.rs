//! One step of a command: says what runs, runs it, says how long it took.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where a command line tool prints")]

use std::error::Error as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Result};

/// How many arguments of a command are shown.
const SHOWN: usize = 12;

/// Prints one line.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints an error and what caused it.
pub(crate) fn complain(error: &Error) {
    eprintln!("error: {error}");
    if let Some(source) = error.source() {
        eprintln!("caused by: {source}");
    }
}

/// Runs a command to its successful end.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let (shown, start) = (shown(&command), Instant::now());
    say(&format!("$ {shown}"));
    let status = command.status().map_err(Error::io(format!("cannot run {shown}")))?;
    finish(&shown, start, status)
}

/// Runs a command to its successful end and returns what it printed.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let (shown, start) = (shown(&command), Instant::now());
    say(&format!("$ {shown}"));
    let output =
        command.stderr(Stdio::inherit()).output().map_err(Error::io(format!("cannot run {shown}")))?;
    finish(&shown, start, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command, prints each line of its output, and shows it to `read`; how it ended is for the caller to judge.
///
/// After the deadline the command is killed: a test that hangs is a failed test.
pub(crate) fn stream(command: Command, deadline: Duration, mut read: impl FnMut(&str)) -> Result<ExitStatus> {
    say(&format!("$ {}", shown(&command)));
    follow(command, deadline, |line| {
        say(line);
        read(line);
    })
}

/// The same without a word.
pub(crate) fn follow(
    mut command: Command,
    deadline: Duration,
    mut read: impl FnMut(&str),
) -> Result<ExitStatus> {
    let shown = shown(&command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(Error::io(format!("cannot run {shown}")))?;
    let watch = Watch::over(&child, deadline);
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while stdout.read_until(b'\n', &mut bytes).map_err(Error::io(format!("cannot read {shown}")))? > 0 {
            let line = String::from_utf8_lossy(&bytes);
            read(line.trim_end_matches('\n'));
            bytes.clear();
        }
    }
    // Before the child is waited for: until then its id belongs to nobody else.
    watch.end();
    child.wait().map_err(Error::io(format!("cannot wait for {shown}")))
}

/// Kills a child that takes too long.
struct Watch {
    done: Sender<()>,
    watcher: JoinHandle<()>,
}

impl Watch {
    fn over(child: &Child, deadline: Duration) -> Self {
        let (done, watched) = mpsc::channel();
        let pid = Pid::from_child(child);
        let watcher = thread::spawn(move || {
            if watched.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout) {
                say(&format!("not done after {deadline:?}: killed"));
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        Self { done, watcher }
    }

    fn end(self) {
        drop(self.done);
        let _ = self.watcher.join();
    }
}

/// Cargo, without what the `cargo run` above us has put into the environment: it would rebuild what looks at it.
///
/// ```no_run
/// let status = xtask::cargo().args(["build", "--package", "testbed"]).status()?;
/// assert!(status.success());
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|p| name_text.starts_with(p))
        {
            command.env_remove(&name);
        }
    }
    command
}

fn finish(shown: &str, start: Instant, status: ExitStatus) -> Result<()> {
    say(&format!("  took {:.1} s", start.elapsed().as_secs_f64()));
    if status.success() { Ok(()) } else { Err(Error::new(format!("{shown} ended with {status}"))) }
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let cargo = program.file_name().is_some_and(|name| name == "cargo");
    let program = if cargo { "cargo".into() } else { program.to_string_lossy() };
    let words = command.get_args().take(SHOWN).map(|argument| {
        let argument = argument.to_string_lossy();
        if argument.is_empty() || argument.contains(' ') {
            format!("'{argument}'")
        } else {
            argument.into_owned()
        }
    });
    let more = command.get_args().len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("… and {more} more"));
    std::iter::once(program.into_owned()).chain(words).chain(more).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{shown, stream};

    #[test]
    fn commands_are_shown_as_typed_and_cut_when_long() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "a b", ""]);
        assert_eq!(shown(&command), "cargo test 'a b' ''");
        command.args(vec!["c"; 20]);
        assert!(shown(&command).ends_with("c … and 11 more"), "{}", shown(&command));
    }

    #[test]
    fn a_command_that_hangs_is_killed_and_its_output_was_read() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo first; exec sleep 60"]);
        let (start, mut lines) = (Instant::now(), Vec::new());
        let status = stream(command, Duration::from_millis(200), |line| lines.push(line.to_owned())).unwrap();
        assert!(!status.success());
        assert_eq!(lines, ["first"]);
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
