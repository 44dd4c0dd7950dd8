//! How many instructions a request takes, by callgrind: the same whatever else the machine does.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{Entry, SECTION};
use crate::cell::{Backend, Cell, Contender};
use crate::figure::Figure;
use crate::scenario::{Rolling, Scenario};
use crate::worker::Cookie;

const FEW: usize = 100;
const MANY: usize = 600;

pub(super) fn count(cell: Cell, url: Option<&str>, tasks: &[Entry]) -> Result<()> {
    if !is_counted(cell) {
        return Ok(());
    }
    let rolling = |scenario: &Scenario| scenario.rolling() != Rolling::No;
    let counted =
        tasks.iter().filter(|(_, scenario, cookie)| *cookie != Cookie::Forged && !rolling(scenario));
    for (name, scenario, cookie) in counted {
        let [few, many] = [FEW, MANY].map(|times| total(cell, url, *scenario, *cookie, times));
        // A tenth of the requests warm up.
        let more = (MANY - FEW) as f64 * 1.1;
        let each = (many? as f64 - few? as f64) / more;
        let who = [cell.contender.name(), cell.backend.name(), name];
        Figure::of_rounds(SECTION, who, "instructions", "", &[each]).print()?;
    }
    Ok(())
}

fn total(cell: Cell, url: Option<&str>, scenario: Scenario, cookie: Cookie, times: usize) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
    command.args(["once", cell.contender.name(), cell.backend.name()]);
    command.args(["--scenario", scenario.name(), "--times", &times.to_string()]);
    command.args((cookie == Cookie::Idle).then_some("--idle-cookie"));
    if let Some(url) = url {
        command.args(["--url", url]);
    }
    let output = command.output().context("valgrind is not there")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{cell} {} under valgrind: {said}", scenario.name());
    collected(&said).with_context(|| format!("valgrind says {said}"))
}

/// What is slow fifty times over is counted where it tells most.
fn is_counted(cell: Cell) -> bool {
    use Contender::{CloakroomAxum, TowerSessions014};
    match cell.backend {
        Backend::None | Backend::Memory | Backend::Cookie => !Contender::ASIDE.contains(&cell.contender),
        Backend::Redis => [CloakroomAxum, TowerSessions014].contains(&cell.contender),
        _ => false,
    }
}

/// The number behind `Collected :`.
fn collected(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn what_callgrind_counted_is_read() {
        assert_eq!(
            collected("==1== Events    : Ir\n==1== Collected : 376413865\n==1== \n"),
            Some(376_413_865)
        );
        assert_eq!(collected("==1== Process terminating"), None);
    }
}
