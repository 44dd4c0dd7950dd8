//! `cargo xtask plant`: plants each fault in a copy of the tree, and demands that its tests fail.

mod jury;

use std::process::ExitCode;
use std::time::Instant;

use self::jury::{Jury, Verdict};
use super::backend::Backend;
use super::copy::Copy;
use super::facility::{Facilities, Facility};
use super::servers::Servers;
use super::step;
use crate::fault::{Fault, Proof};
use crate::{Error, Result, workspace};

/// What is done with the faults.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Task {
    /// Names them.
    List,
    /// Plants them: all, or the named ones.
    Plant(Vec<String>),
}

impl Task {
    pub(crate) fn parse(options: &[&str]) -> Result<Self> {
        let names = match options {
            [] => return Ok(Self::Plant(Vec::new())),
            ["--list"] => return Ok(Self::List),
            ["--only", names] => names,
            [option] => option.strip_prefix("--only=").unwrap_or_default(),
            _ => "",
        };
        let names: Vec<String> = names.split(',').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) {
            return Err(Error::new(format!("plant cannot read the options {}", options.join(" "))));
        }
        Ok(Self::Plant(names))
    }
}

pub(crate) fn run(task: &Task) -> Result<ExitCode> {
    let root = workspace::root();
    let faults = Fault::all(&root)?;
    let names = match task {
        Task::List => {
            faults.iter().for_each(|fault| step::say(&format!("{}: {}", fault.name(), fault.what())));
            return Ok(ExitCode::SUCCESS);
        }
        Task::Plant(names) => names,
    };
    let (faults, lacking) = possible(select(faults, names)?, &Facilities::default());
    let servers = Servers::start(&needed(&faults)?)?;
    let copy = Copy::of(&root)?;
    let jury = Jury::new(&copy, &servers);

    let start = Instant::now();
    let proofs: Vec<&Proof> = faults.iter().flat_map(Fault::fails).collect();
    let red = jury.without_fault(&proofs)?;
    if !red.is_empty() {
        return Err(Error::new(format!("without any fault, these do not pass:\n  {}", red.join("\n  "))));
    }
    step::say(&format!("{} tests pass without a fault ({})", distinct(&proofs), seconds(start)));

    let mut failed = Vec::new();
    for fault in &faults {
        let start = Instant::now();
        let planted = copy.plant(fault)?;
        let verdict = jury.with_fault(fault.fails());
        planted.take_out()?;
        let (word, more) = match verdict {
            Ok(Verdict::Found) => ("found", String::new()),
            Ok(Verdict::Missed(tests)) => ("MISSED", format!(": these pass with it: {}", tests.join(", "))),
            Ok(Verdict::Unfinished(tests)) => ("BROKEN", format!(": these do not end: {}", tests.join(", "))),
            Err(error) => ("BROKEN", format!(": {error}")),
        };
        step::say(&format!("{word} {} ({}){more}", fault.name(), seconds(start)));
        if word != "found" {
            failed.push(fault.name());
        }
    }
    lacking.iter().for_each(|lack| step::say(&format!("not planted: {lack}")));
    failed.iter().for_each(|name| step::say(&format!("failed: {name}")));
    step::say(&closing_line(faults.len() - failed.len(), failed.len(), lacking.len()));
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn select(faults: Vec<Fault>, names: &[String]) -> Result<Vec<Fault>> {
    if let Some(unknown) = names.iter().find(|name| !faults.iter().any(|fault| fault.name() == *name)) {
        return Err(Error::new(format!("no fault {unknown:?}; `cargo xtask plant --list` names them")));
    }
    let wanted = |fault: &Fault| names.is_empty() || names.iter().any(|name| name == fault.name());
    Ok(faults.into_iter().filter(wanted).collect())
}

/// Those whose tests this machine can run, and why it cannot run those of the others.
fn possible(faults: Vec<Fault>, facilities: &Facilities) -> (Vec<Fault>, Vec<String>) {
    let mut lacking = Vec::new();
    let mut is_possible = |fault: &Fault| {
        let lack = facilities.lack(fault.needs().unwrap_or_default());
        lacking.extend(lack.as_ref().map(|why| format!("{} ({why})", fault.name())));
        lack.is_none()
    };
    let faults = faults.into_iter().filter(|fault| is_possible(fault)).collect();
    (faults, lacking)
}

fn needed(faults: &[Fault]) -> Result<Vec<Backend>> {
    let mut backends = Vec::new();
    for needs in faults.iter().filter_map(Fault::needs) {
        let named = Backend::named_in(needs);
        if named.is_empty() && Facility::named_in(needs).next().is_none() {
            Backend::parse(needs)?;
        }
        let new: Vec<Backend> = named.into_iter().filter(|backend| !backends.contains(backend)).collect();
        backends.extend(new);
    }
    Ok(backends)
}

fn closing_line(passed: usize, failed: usize, skipped: usize) -> String {
    match skipped {
        0 => format!("{passed} passed, {failed} failed"),
        _ => format!("{passed} passed, {failed} failed, {skipped} skipped"),
    }
}

fn distinct(proofs: &[&Proof]) -> usize {
    let mut tests: Vec<_> = proofs.iter().map(|proof| (proof.target(), proof.test())).collect();
    tests.sort_unstable();
    tests.dedup();
    tests.len()
}

fn seconds(start: Instant) -> String {
    format!("{:.1} s", start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::{Task, closing_line, needed, possible, select};
    use crate::command::backend::Backend;
    use crate::command::facility::Facilities;
    use crate::fault::Fault;

    fn fault(name: &str, needs: &str) -> Fault {
        let text = format!("# W.\nfile: f\n{needs}fails: -p a --lib t\nreplace:\na\nwith:\nb\n");
        Fault::parse(name, &text).unwrap()
    }

    #[test]
    fn options_are_read() {
        let only = |names: &[&str]| Task::Plant(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(Task::parse(&[]).unwrap(), only(&[]));
        assert_eq!(Task::parse(&["--list"]).unwrap(), Task::List);
        assert_eq!(Task::parse(&["--only", "a"]).unwrap(), only(&["a"]));
        assert_eq!(Task::parse(&["--only=a,b"]).unwrap(), only(&["a", "b"]));
        for wrong in [&["--only"][..], &["--only", ""], &["--only="], &["a"], &["--list", "a"]] {
            assert!(Task::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn faults_are_chosen_by_name_and_servers_by_need() {
        let faults = || vec![fault("a", ""), fault("b", "needs: redis\n"), fault("c", "needs: redis\n")];
        assert_eq!(select(faults(), &[]).unwrap().len(), 3);
        let one = select(faults(), &["b".to_owned()]).unwrap();
        assert_eq!((one.len(), one[0].name()), (1, "b"));
        assert!(select(faults(), &["d".to_owned()]).is_err());
        assert_eq!(needed(&faults()).unwrap(), [Backend::Redis]);
        assert_eq!(needed(&[fault("a", "")]).unwrap(), []);
        assert!(needed(&[fault("a", "needs: rabbits\n")]).is_err());
        let both = [fault("a", "needs: cluster and namespaces\n"), fault("b", "needs: redis and mounts\n")];
        assert_eq!(needed(&both).unwrap(), [Backend::Cluster, Backend::Redis]);
        assert_eq!(needed(&[fault("a", "needs: mounts\n")]).unwrap(), []);
    }

    #[test]
    fn faults_whose_tests_the_machine_cannot_run_are_skipped_by_name() {
        let faults = vec![fault("a", "needs: cluster and namespaces\n"), fault("b", "needs: redis\n")];
        let (possible, lacking) = possible(faults, &Facilities::none());
        assert_eq!((possible.len(), possible[0].name()), (1, "b"));
        assert_eq!(lacking, ["a (this machine has no namespaces: not permitted)"]);
        assert_eq!(closing_line(1, 0, 1), "1 passed, 0 failed, 1 skipped");
        assert_eq!(closing_line(1, 0, 0), "1 passed, 0 failed");
    }
}
