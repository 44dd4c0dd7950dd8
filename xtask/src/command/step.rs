//! One step of a command: says what runs, runs it, says how long it took.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where a command line tool prints")]

use std::error::Error as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use crate::{Error, Result};

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
pub(crate) fn stream(mut command: Command, mut read: impl FnMut(&str)) -> Result<ExitStatus> {
    let shown = shown(&command);
    say(&format!("$ {shown}"));
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(Error::io(format!("cannot run {shown}")))?;
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while stdout.read_until(b'\n', &mut bytes).map_err(Error::io(format!("cannot read {shown}")))? > 0 {
            let line = String::from_utf8_lossy(&bytes);
            let line = line.trim_end_matches('\n');
            say(line);
            read(line);
            bytes.clear();
        }
    }
    child.wait().map_err(Error::io(format!("cannot wait for {shown}")))
}

/// Cargo, without what the `cargo run` above us has put into the environment: it would rebuild what looks at it.
pub(crate) fn cargo() -> Command {
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
    let words = command.get_args().map(|argument| {
        let argument = argument.to_string_lossy();
        if argument.is_empty() || argument.contains(' ') {
            format!("'{argument}'")
        } else {
            argument.into_owned()
        }
    });
    std::iter::once(program.into_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
