//! A process and its children, for servers that are more than one process.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to die or to stand still.
const PATIENCE: Duration = Duration::from_secs(3);
/// The state of a process after `SIGSTOP`.
const FROZEN: char = 'T';
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(1);

/// The children of a process that stands still, so that it gets no more of them.
pub(super) fn children(parent: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    ids.filter(|id| look(*id).is_some_and(|(_, its_parent)| its_parent == parent.as_raw_nonzero().get()))
        .collect()
}

/// Sends a signal to each, and waits until it has had its effect.
pub(super) fn signal(members: &[Pid], signal: Signal) {
    for member in members {
        // Who is gone needs no signal.
        let _ = kill_process(*member, signal);
    }
    let start = Instant::now();
    while !members.iter().all(|member| done(*member, signal)) && start.elapsed() < PATIENCE {
        std::thread::sleep(POLL);
    }
}

/// Whether a process is frozen, with all of its threads.
pub(super) fn stands_still(process: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", process.as_raw_nonzero()));
    let mut stats =
        threads.into_iter().flatten().flatten().map(|thread| fs::read_to_string(thread.path().join("stat")));
    let frozen = |stat: &str| parse(stat).is_some_and(|(state, _)| state == FROZEN);
    look(process).is_some_and(|(state, _)| state == FROZEN)
        && stats.all(|stat| stat.is_ok_and(|stat| frozen(&stat)))
}

fn done(member: Pid, signal: Signal) -> bool {
    let dead = !is_alive(member);
    match signal {
        Signal::KILL => dead,
        Signal::STOP => dead || stands_still(member),
        _ => true,
    }
}

/// Whether a process has not ended.
pub(super) fn is_alive(id: Pid) -> bool {
    look(id).is_some_and(|(state, _)| !['Z', 'X'].contains(&state))
}

/// State and parent of a process.
fn look(id: Pid) -> Option<(char, i32)> {
    parse(&fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).ok()?)
}

/// Reads `12 (a name) S 1 …`; the name may have parentheses and spaces of its own.
fn parse(stat: &str) -> Option<(char, i32)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal};

    use super::{children, look, parse, signal, stands_still};

    #[test]
    fn lines_of_the_kernel_are_read() {
        assert_eq!(parse("12 (a) b) S 1 2"), Some(('S', 1)));
        assert_eq!(parse("12 (a"), None);
    }

    #[test]
    fn children_are_found_frozen_and_killed() {
        let mut child = Command::new("/bin/sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let id = Pid::from_child(&child);
        let own = rustix::process::getpid();
        assert!(children(own).contains(&id));
        assert!(!children(id).contains(&id));
        signal(&[id], Signal::STOP);
        assert!(stands_still(id) && !stands_still(own));
        signal(&[id], Signal::KILL);
        assert_eq!(look(id).map(|(state, _)| state), Some('Z'));
        child.wait().unwrap();
        assert_eq!(look(id), None);
    }
}
