//! How many files a process may have open.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Pid;

use super::account::Account;
use super::client;
use crate::{Error, Result};

/// Sets how many file descriptors a process may have; none: as many as it may be given.
///
/// What it has open stays open. It is done under the account of the process: root may not everywhere do it for others.
pub(super) fn limit(account: Account, process: Pid, most: Option<u64>, directory: &Path) -> Result<()> {
    let id = process.as_raw_nonzero();
    let most = match most {
        Some(most) => most.to_string(),
        None => highest(id.get())?,
    };
    let mut command = Command::new("prlimit");
    command.current_dir("/").args(["--pid", &id.to_string(), &format!("--nofile={most}:")]);
    account.lend_to(&mut command);
    client::run(command, directory).map(drop)
}

/// The hard limit, in a line like `Max open files            1024                 524288               files`.
fn highest(process: i32) -> Result<String> {
    let path = format!("/proc/{process}/limits");
    let limits = fs::read_to_string(&path).map_err(Error::io(format!("cannot read {path}")))?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let highest = line.and_then(|line| line.split_whitespace().nth(1));
    highest.map(str::to_owned).ok_or_else(|| Error::new(format!("{path} names no limit of files")))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use rustix::process::Pid;

    use super::{Account, limit};

    /// A shell that opens a file once it is told to.
    fn opens_a_file(limits: &[Option<u64>]) -> bool {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read go; : 7< /dev/null"]).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = shell.spawn().unwrap();
        for most in limits {
            limit(Account::Own, Pid::from_child(&child), *most, &std::env::temp_dir()).unwrap();
        }
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        child.wait().unwrap().success()
    }

    #[test]
    fn nothing_more_is_opened_at_the_limit() {
        assert!(opens_a_file(&[]));
        assert!(!opens_a_file(&[Some(3)]));
        assert!(opens_a_file(&[Some(3), None]));
    }
}
