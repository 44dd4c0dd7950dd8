//! How many files a process may have open.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::{Error, Result};

/// Sets how many file descriptors a process may have, or itself where none is named, and tells how many it could have before.
///
/// What it has open stays open; with a limit below that, it can open nothing more. The limit can be raised again.
///
/// # Errors
///
/// There is no such process, or it is somebody else's.
pub fn limit_descriptors(process_id: Option<i32>, most: Option<u64>) -> Result<Option<u64>> {
    let process = match process_id {
        Some(id) => Some(Pid::from_raw(id).ok_or_else(|| Error::new("0 is no process"))?),
        None => None,
    };
    // What it may be raised to is inherited by the servers that tests start.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let before = prlimit(process, Resource::Nofile, Rlimit { current: most.or(maximum), maximum });
    let before = before.map_err(|errno| Error::io("cannot limit the descriptors")(errno.into()))?;
    Ok(before.current)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::limit_descriptors;

    /// A shell that opens a file once it is told to.
    fn opens_a_file(limit: impl FnOnce(i32)) -> bool {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read go; : 7< /dev/null"]).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = shell.spawn().unwrap();
        limit(child.id().cast_signed());
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        child.wait().unwrap().success()
    }

    #[test]
    fn nothing_more_is_opened_at_the_limit() {
        assert!(opens_a_file(|_| ()));
        assert!(!opens_a_file(|id| assert!(limit_descriptors(Some(id), Some(3)).unwrap() > Some(3))));
        assert!(opens_a_file(|id| {
            let before = limit_descriptors(Some(id), Some(3)).unwrap();
            assert_eq!(limit_descriptors(Some(id), before).unwrap(), Some(3));
        }));
        assert!(limit_descriptors(Some(0), None).is_err());
    }
}
