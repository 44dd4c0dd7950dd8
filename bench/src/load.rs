//! Loads over HTTP: the contenders on one backend in turns, round after round.

mod server;
mod wrk;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

use crate::cell::{Backend, Cell, Contender};
use crate::figure::Figure;
use crate::load::server::Server;
use crate::load::wrk::Said;
use crate::options::{Options, Urls};
use crate::scenario::{Rolling, Scenario};

const SECTION: &str = "load";
/// More than there are connections, so that no two requests have one session at a time.
const SESSIONS: usize = 512;
/// Few enough for each of them to be used before it is idle for too long.
const ROLLING_SESSIONS: usize = 64;

/// What is asked of each contender.
struct Plan<'a> {
    scenario: Scenario,
    connections: usize,
    rounds: usize,
    seconds: usize,
    urls: &'a Urls,
}

pub fn main(words: &[String]) -> Result<()> {
    let named =
        ["--scenarios", "--connections", "--backends", "--contenders", "--rounds", "--seconds", "--urls"];
    let options = Options::parse(words, &["--quick"], &named)?;
    let quick = options.has("--quick");
    let urls = Urls::parse(options.get("--urls").unwrap_or_default())?;
    let scenarios =
        options.list("--scenarios", if quick { "S3" } else { "S1,S2,S3,S4,S5,S6,S7" }, Scenario::parse)?;
    let connections =
        options.list("--connections", if quick { "32" } else { "1,32,256" }, |text| Ok(text.parse()?))?;
    let backends =
        options.list("--backends", "memory,cookie,redis,memcached,postgres,mariadb", Backend::parse)?;
    let contenders = match options.get("--contenders") {
        Some(_) => options.list("--contenders", "", Contender::parse)?,
        None => Contender::ALL.to_vec(),
    };
    let chosen = quick || ["--scenarios", "--connections"].iter().any(|name| options.get(name).is_some());
    let (rounds, seconds) = if quick { (3, 1) } else { (5, 1) };
    let (rounds, seconds) = (options.number("--rounds", rounds)?, options.number("--seconds", seconds)?);
    let mut red = Vec::new();
    for backend in backends.into_iter().filter(|backend| !backend.is_server() || urls.has(*backend)) {
        let cells: Vec<Cell> = Cell::all()
            .filter(|cell| [Backend::None, backend].contains(&cell.backend))
            .filter(|cell| cell.backend == Backend::None || contenders.contains(&cell.contender))
            .collect();
        for &scenario in &scenarios {
            for &connections in &connections {
                if !chosen && !belongs(backend, scenario, connections) {
                    continue;
                }
                let plan = Plan { scenario, connections, rounds, seconds, urls: &urls };
                red.extend(alternate(&plan, backend, &cells)?);
            }
        }
    }
    ensure!(red.is_empty(), "not every request was answered with success: {}", red.join(", "));
    Ok(())
}

/// What is asked where nobody chose: all combinations would take hours.
fn belongs(backend: Backend, scenario: Scenario, connections: usize) -> bool {
    match (backend, scenario) {
        (Backend::Memory | Backend::Redis, Scenario::S3) => true,
        (Backend::Memory, Scenario::S1 | Scenario::S2 | Scenario::S6)
        | (Backend::Redis, Scenario::S4 | Scenario::S6)
        | (_, Scenario::S3) => connections == 32,
        _ => false,
    }
}

/// One contender under load.
struct Entrant {
    cell: Cell,
    server: Server,
    cookies: Vec<String>,
    rounds: Vec<Round>,
}

#[derive(Clone, Copy)]
struct Round {
    said: Said,
    /// The processor time of the server, in microseconds a request.
    cpu: f64,
}

/// Lets the contenders on one backend take turns, and tells which of them failed.
fn alternate(plan: &Plan<'_>, backend: Backend, cells: &[Cell]) -> Result<Vec<String>> {
    let scenario = plan.scenario;
    let mut entrants = Vec::new();
    let mut red = Vec::new();
    let name = |cell: Cell| format!("{cell} {} c{}", scenario.name(), plan.connections);
    for &cell in cells {
        match enter(plan, cell) {
            Ok(entrant) => entrants.push(entrant),
            Err(error) => red.push(format!("{}: {error:#}", name(cell))),
        }
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("cookies.lua");
    for round in 0..=plan.rounds {
        let mut failed = Vec::new();
        for (at, entrant) in entrants.iter_mut().enumerate() {
            match turn(plan, entrant, &file) {
                // The first round warms up.
                Ok(taken) if round > 0 => entrant.rounds.push(taken),
                Ok(_) => {}
                Err(error) => {
                    red.push(format!("{}: {error:#}", name(entrant.cell)));
                    failed.push(at);
                }
            }
        }
        for at in failed.into_iter().rev() {
            drop(entrants.remove(at));
        }
    }
    print(plan, backend, &entrants)?;
    for line in &red {
        let (cell, _) = line.split_once(' ').unwrap_or((line, ""));
        let (contender, _) = cell.split_once('/').unwrap_or((cell, ""));
        let who = [contender, backend.name(), &label(plan)];
        Figure::of_rounds(SECTION, who, "failed", "cells", &[1.0]).print()?;
    }
    Ok(red)
}

fn enter(plan: &Plan<'_>, cell: Cell) -> Result<Entrant> {
    let url = plan.urls.of(cell.backend);
    let server = Server::start(cell, url, plan.scenario.rolling())?;
    let mut entrant = Entrant { cell, server, cookies: Vec::new(), rounds: Vec::new() };
    fill(plan, &mut entrant, SESSIONS)?;
    Ok(entrant)
}

fn fill(plan: &Plan<'_>, entrant: &mut Entrant, sessions: usize) -> Result<()> {
    let Some(path) = plan.scenario.fill() else { return Ok(()) };
    entrant.cookies = (0..sessions).map(|_| entrant.server.fill(path)).collect::<Result<_>>()?;
    // Bare handlers give none.
    entrant.cookies.retain(|cookie| !cookie.is_empty());
    Ok(())
}

fn turn(plan: &Plan<'_>, entrant: &mut Entrant, file: &std::path::Path) -> Result<Round> {
    if plan.scenario.rolling() != Rolling::No {
        fill(plan, entrant, ROLLING_SESSIONS)?;
    }
    std::fs::write(file, wrk::script(&entrant.cookies)?)?;
    let before = entrant.server.cpu()?;
    let path = plan.scenario.path();
    let said = wrk::run(file, entrant.server.address, path, plan.connections, plan.seconds)?;
    let (errors, refusals) = (said.socket_errors, said.refusals);
    ensure!(said.is_sound(), "{refusals} refusals and {errors} errors of {} requests", said.requests);
    Ok(Round { said, cpu: (entrant.server.cpu()? - before) * 1e6 / said.requests as f64 })
}

fn label(plan: &Plan<'_>) -> String {
    format!("{} c{}", plan.scenario.name(), plan.connections)
}

fn print(plan: &Plan<'_>, backend: Backend, entrants: &[Entrant]) -> Result<()> {
    let scenario = label(plan);
    let floors: BTreeMap<&str, &Entrant> =
        entrants.iter().map(|entrant| (entrant.cell.contender.name(), entrant)).collect();
    for entrant in entrants {
        let contender = entrant.cell.contender;
        let who = [contender.name(), backend.name(), &*scenario];
        let of = |pick: fn(&Round) -> f64| entrant.rounds.iter().map(pick).collect::<Vec<f64>>();
        let print = |figure: &str, unit: &str, rounds: &[f64]| {
            Figure::of_rounds(SECTION, who, figure, unit, rounds).print()
        };
        print("throughput", "1/s", &of(|round| round.said.per_second()))?;
        print("p50", "us", &of(|round| round.said.p50))?;
        print("p99", "us", &of(|round| round.said.p99))?;
        print("server CPU a request", "us", &of(|round| round.cpu))?;
        let bare = match contender.framework() {
            crate::cell::Framework::Axum => Contender::BareAxum,
            crate::cell::Framework::Actix => Contender::BareActix,
        };
        for floor in [bare, Contender::RawClient] {
            let Some(floor) = floors.get(floor.name()).filter(|floor| floor.cell != entrant.cell) else {
                continue;
            };
            let ratios: Vec<f64> = entrant
                .rounds
                .iter()
                .zip(&floor.rounds)
                .map(|(own, floor)| own.said.per_second() / floor.said.per_second())
                .collect();
            print(&format!("throughput over {}", floor.cell.contender.name()), "ratio", &ratios)?;
        }
    }
    Ok(())
}

impl Backend {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|backend| backend.name() == text)
            .with_context(|| format!("no backend {text}"))
    }
}

impl Contender {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|contender| contender.name() == text);
        found.with_context(|| format!("no contender {text}"))
    }
}
