//! Runs a server's client program.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// How long one run may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(2);

/// Runs a program to its end and returns what it printed, without the last line break.
///
/// What it prints passes through files in `directory`: nobody has to read along until the deadline.
pub(super) fn run(command: Command, directory: &Path) -> Result<String> {
    run_with(command, directory, "")
}

/// The same with something to read for the program.
pub(super) fn run_with(mut command: Command, directory: &Path, input: &str) -> Result<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = command.get_program().to_string_lossy().into_owned();
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let [out, err, feed] = ["out", "err", "in"].map(|end| directory.join(format!("client-{n}.{end}")));
    let cannot = |path: &Path| Error::io(format!("cannot use {}", path.display()));
    let create = |path: &Path| File::create(path).map_err(cannot(path));
    fs::write(&feed, input).map_err(cannot(&feed))?;
    command.stdin(File::open(&feed).map_err(cannot(&feed))?).stdout(create(&out)?).stderr(create(&err)?);
    let mut child = command.spawn().map_err(Error::io(format!("cannot start {name}")))?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait().map_err(Error::io(format!("cannot wait for {name}")))? {
            Some(status) => break Some(status),
            None if start.elapsed() > DEADLINE => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => thread::sleep(POLL),
        }
    };
    let read =
        |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).trim_end().to_owned();
    let (printed, complained) = (read(&out), read(&err));
    for file in [out, err, feed] {
        let _ = fs::remove_file(file);
    }
    match status {
        Some(status) if status.success() => Ok(printed),
        Some(status) => Err(Error::new(format!("{name} ended with {status}: {complained}"))),
        None => Err(Error::new(format!("{name} not done in {DEADLINE:?}: {complained}"))),
    }
}
