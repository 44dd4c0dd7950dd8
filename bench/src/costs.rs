//! What one request costs: counted and timed in this process, without a network between the driver and the application.

mod counted;
mod instructions;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

use crate::cell::{Backend, Cell, Contender};
use crate::figure::Figure;
use crate::options::{Options, Urls};
use crate::scenario::Scenario;
use crate::worker::{Cookie, Cost, Process, Task};

const SECTION: &str = "costs";

struct Plan {
    rounds: usize,
    /// How long one round of one cell takes, in seconds of processor time.
    seconds: f64,
    scenarios: Vec<Scenario>,
}

/// `costs [--quick] [--urls …] [--backends …] [--contenders …] [--scenarios …] [--rounds N] [--without instructions]`
pub fn main(words: &[String]) -> Result<()> {
    let named = ["--urls", "--backends", "--contenders", "--scenarios", "--rounds"];
    let options = Options::parse(words, &["--quick", "--instructions", "--no-instructions"], &named)?;
    let quick = options.has("--quick");
    let urls = Urls::parse(options.get("--urls").unwrap_or_default())?;
    let plan = Plan {
        rounds: options.number("--rounds", if quick { 5 } else { 11 })?,
        seconds: if quick { 0.02 } else { 0.04 },
        scenarios: options.list("--scenarios", "S1,S2,S3,S4,S5,S5 touched,S6,S7", Scenario::parse)?,
    };
    let default = if quick { "memory,redis" } else { "memory,cookie,redis,memcached,postgres,mariadb" };
    let backends = options.list("--backends", default, Backend::parse)?;
    let contenders = match options.get("--contenders") {
        Some(_) => options.list("--contenders", "", Contender::parse)?,
        None => Contender::ALL.into_iter().chain(Contender::ASIDE).collect(),
    };
    let with_instructions = options.has("--instructions") || !quick && !options.has("--no-instructions");
    // The bare handlers take turns with those whose costs are the smallest.
    let groups = std::iter::once(vec![Backend::None, Backend::Memory])
        .filter(|_| backends.contains(&Backend::Memory))
        .chain(backends.iter().filter(|backend| **backend != Backend::Memory).map(|backend| vec![*backend]));
    let mut red = Vec::new();
    for group in groups {
        let cells: Vec<Cell> = Cell::all()
            .chain(Cell::aside())
            .filter(|cell| group.contains(&cell.backend) && contenders.contains(&cell.contender))
            .filter(|cell| !cell.backend.is_server() || urls.has(cell.backend))
            .collect();
        eprintln!("costs: {}", cells.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        if let Err(error) = measure(&plan, &cells, &urls, with_instructions) {
            eprintln!("costs: {error:#}");
            red.push(format!("{error:#}"));
        }
    }
    ensure!(red.is_empty(), "not everything was measured: {}", red.join("; "));
    Ok(())
}

/// What is measured of cells that take turns.
fn measure(plan: &Plan, cells: &[Cell], urls: &Urls, with_instructions: bool) -> Result<()> {
    let of = |cell: &Cell| urls.of(cell.backend);
    let mut failures = alternate(plan, cells, of)?;
    for cell in cells.iter().filter(|cell| cell.backend.is_server()) {
        let url = of(cell).context("a server has a URL")?;
        let able = failures.able(*cell, tasks(*cell, &plan.scenarios));
        counted::count(*cell, url, &able).or_else(|error| failures.note(*cell, "", error))?;
    }
    for cell in cells.iter().filter(|_| with_instructions) {
        let able = failures.able(*cell, tasks(*cell, &plan.scenarios));
        instructions::count(*cell, of(cell), &able).or_else(|error| failures.note(*cell, "", error))?;
    }
    Ok(())
}

/// What peers answered with an error: it is told, and they are not asked for it again.
#[derive(Default)]
struct Failures(Vec<(Cell, &'static str)>);

impl Failures {
    /// Passes on a failure of our own, of a floor or of a raw client: then the run is worth nothing.
    fn note(&mut self, cell: Cell, name: &'static str, error: anyhow::Error) -> Result<()> {
        if !cell.contender.is_peer() {
            return Err(error);
        }
        eprintln!("costs: {cell} {name}: {error:#}");
        self.0.push((cell, name));
        let who = [cell.contender.name(), cell.backend.name(), name];
        Figure::of_rounds(SECTION, who, "failed", "", &[1.0]).print()
    }

    fn able(&self, cell: Cell, tasks: Vec<Entry>) -> Vec<Entry> {
        let failed = |name| self.0.contains(&(cell, name));
        tasks.into_iter().filter(|(name, ..)| !failed("") && !failed(name)).collect()
    }
}

/// What is asked of a cell, with the name that its figures go by.
type Entry = (&'static str, Scenario, Cookie);

/// What is asked of a cell, with the names that the figures go by.
fn tasks(cell: Cell, scenarios: &[Scenario]) -> Vec<Entry> {
    if cell.backend == Backend::None {
        return vec![("S0", Scenario::S0, Cookie::AsUsual), ("S0 cookie", Scenario::S0, Cookie::Idle)];
    }
    let fits = |scenario: &&Scenario| {
        // A Memcached of 64 MiB evicts what is large before it is asked for.
        let small = matches!(cell.backend, Backend::Cookie | Backend::Memcached);
        let too_large = small && **scenario == Scenario::S7;
        let not_there = cell.contender == Contender::RawClient
            && matches!(scenario, Scenario::S1 | Scenario::S2 | Scenario::S5 | Scenario::S5Touched);
        let around = cell.contender == Contender::CloakroomAround
            && !matches!(scenario, Scenario::S1 | Scenario::S2 | Scenario::S3);
        let anyway = **scenario == Scenario::S5Touched && !cell.contender.is_ours();
        !too_large && !not_there && !around && !anyway
    };
    let mut tasks: Vec<_> =
        scenarios.iter().filter(fits).map(|&scenario| (scenario.name(), scenario, Cookie::AsUsual)).collect();
    if cell.contender != Contender::RawClient && scenarios.contains(&Scenario::S2) {
        tasks.push(("forged cookie", Scenario::S2, Cookie::Forged));
    }
    tasks
}

/// Asks all cells in turns, round after round.
fn alternate<'a>(plan: &Plan, cells: &[Cell], url: impl Fn(&Cell) -> Option<&'a str>) -> Result<Failures> {
    let mut workers = Vec::new();
    for cell in cells {
        workers.push(Process::start(*cell, url(cell))?);
    }
    let (mut entrants, mut failures) = (Vec::new(), Failures::default());
    for (at, worker) in workers.iter_mut().enumerate() {
        for (name, scenario, cookie) in tasks(worker.cell, &plan.scenarios) {
            let times = match enough(plan, worker, scenario, cookie) {
                Ok(times) => times,
                Err(error) => {
                    failures.note(worker.cell, name, error)?;
                    *worker = Process::start(worker.cell, url(&worker.cell))?;
                    continue;
                }
            };
            entrants.push(Entrant {
                worker: at,
                name,
                task: Task { scenario, cookie, times },
                costs: Vec::new(),
            });
        }
    }
    // Scenario by scenario, so that what is held against each other is measured at nearly the same time.
    entrants.sort_by_key(|entrant| (entrant.name, entrant.worker));
    for round in 0..plan.rounds {
        // Nobody is always the first.
        let first = round * entrants.len() / plan.rounds;
        entrants.rotate_left(first);
        for Entrant { worker, name, task, costs } in &mut entrants {
            let worker = workers.get_mut(*worker).context("it was started")?;
            match worker.ask(task) {
                Ok(cost) => costs.push(cost),
                Err(error) => {
                    failures.note(worker.cell, name, error)?;
                    *worker = Process::start(worker.cell, url(&worker.cell))?;
                }
            }
        }
        entrants.rotate_right(first);
        entrants.retain(|entrant| {
            let cell = workers.get(entrant.worker).map(|worker| worker.cell);
            !failures.0.iter().any(|(failed, name)| Some(*failed) == cell && *name == entrant.name)
        });
    }
    for Entrant { worker, name, task, costs } in &entrants {
        let cell = workers.get(*worker).context("it was started")?.cell;
        report(cell, name, task.times, costs)?;
    }
    Ok(failures)
}

/// One scenario of one contender.
struct Entrant {
    worker: usize,
    name: &'static str,
    task: Task,
    costs: Vec<Cost>,
}

/// How many requests take as long as a round shall.
fn enough(plan: &Plan, worker: &mut Process, scenario: Scenario, cookie: Cookie) -> Result<usize> {
    const FIRST: usize = 200;
    let cost = worker.ask(&Task { scenario, cookie, times: FIRST })?;
    let each = cost.cpu / FIRST as f64;
    Ok(((plan.seconds / each.max(1e-7)) as usize).clamp(FIRST, 200_000))
}

fn report(cell: Cell, name: &str, times: usize, costs: &[Cost]) -> Result<()> {
    let of = |get: fn(&Cost) -> f64, scale: f64| -> Vec<f64> {
        costs.iter().map(|cost| get(cost) / scale).collect()
    };
    let each = times as f64;
    let figures: BTreeMap<&str, (&str, Vec<f64>)> = BTreeMap::from([
        ("allocations", ("", of(|cost| cost.allocations, each))),
        ("reallocations", ("", of(|cost| cost.reallocations, each))),
        ("bytes", ("B", of(|cost| cost.bytes, each))),
        ("cpu", ("us", of(|cost| cost.cpu * 1e6, each))),
        ("set-cookie", ("B", of(|cost| cost.set_cookie, 1.0))),
    ]);
    for (figure, (unit, rounds)) in figures {
        Figure::of_rounds(SECTION, [cell.contender.name(), cell.backend.name(), name], figure, unit, &rounds)
            .print()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::tasks;
    use crate::cell::{Backend, Cell, Contender};
    use crate::scenario::Scenario;

    fn names(contender: Contender, backend: Backend) -> Vec<&'static str> {
        tasks(Cell { contender, backend }, &Scenario::ALL[1..]).into_iter().map(|(name, ..)| name).collect()
    }

    #[test]
    fn a_peer_that_fails_is_asked_no_more_and_one_of_ours_ends_the_run() {
        let mut failures = super::Failures::default();
        let peer = Cell { contender: Contender::AxumSession, backend: Backend::Redis };
        failures.note(peer, "S5", anyhow::anyhow!("500")).unwrap();
        let able = failures.able(peer, tasks(peer, &Scenario::ALL[1..]));
        assert!(!able.is_empty() && able.iter().all(|(name, ..)| *name != "S5"));
        for contender in [Contender::CloakroomAxum, Contender::RawClient, Contender::BareAxum] {
            let cell = Cell { contender, backend: Backend::Redis };
            assert!(failures.note(cell, "S5", anyhow::anyhow!("500")).is_err(), "{cell}");
        }
    }

    #[test]
    fn each_cell_is_asked_what_it_can_do() {
        assert_eq!(names(Contender::BareAxum, Backend::None), ["S0", "S0 cookie"]);
        assert_eq!(names(Contender::RawClient, Backend::Redis), ["S3", "S4", "S6", "S7"]);
        assert!(!names(Contender::CloakroomAxum, Backend::Cookie).contains(&"S7"), "no cookie is so large");
        let all = ["S1", "S2", "S3", "S4", "S5", "S5 touched", "S6", "S7", "forged cookie"];
        assert_eq!(names(Contender::CloakroomAxum, Backend::Redis), all);
        assert!(
            !names(Contender::TowerSessions014, Backend::Redis).contains(&"S5 touched"),
            "S5 is that already"
        );
    }
}
