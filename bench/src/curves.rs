//! What a request costs as sessions become many, and as they become large.

pub mod chart;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rustix::time::{ClockId, clock_gettime};

use crate::cell::{Backend, Cell, Contender};
use crate::contender::Setup;
use crate::driver::{self, Driver};
use crate::figure::Figure;
use crate::options::{Options, Urls};
use crate::scenario::{Rolling, Scenario};
use crate::values;

const SECTION: &str = "curves";
const FIGURE: &str = "CPU a request";
const BY_COUNT: &str = "sessions";
const BY_SIZE: &str = "bytes";
const COUNTS: [usize; 4] = [1000, 10_000, 100_000, 1_000_000];
const SIZES: [usize; 8] = [100, 300, 1000, 3000, 8192, 16_384, 32_768, 64_000];
/// Of each session, when they are large.
const FEW: usize = 64;
/// What browsers take of a cookie.
const COOKIE: usize = 4096;
const CONTENDERS: [Contender; 4] =
    [Contender::CloakroomAxum, Contender::TowerSessions014, Contender::AxumSession, Contender::ActixSession];

/// Measures the curves.
pub fn main(words: &[String]) -> Result<()> {
    let options = Options::parse(words, &["--quick"], &["--urls", "--backends", "--most", "--rounds"])?;
    let quick = options.has("--quick");
    let plan = Plan {
        rounds: options.number("--rounds", 5)?,
        most: options.number("--most", if quick { 10_000 } else { 1_000_000 })?,
        requests: if quick { 1000 } else { 2000 },
    };
    let urls = Urls::parse(options.get("--urls").unwrap_or_default())?;
    let backends = options.list("--backends", "memory,redis,cookie", Backend::parse)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for backend in backends.into_iter().filter(|backend| !backend.is_server() || urls.has(*backend)) {
        let url = urls.of(backend);
        let local = tokio::task::LocalSet::new();
        runtime.block_on(local.run_until(by_size(plan, backend, url)))?;
        if backend != Backend::Cookie {
            let local = tokio::task::LocalSet::new();
            runtime.block_on(local.run_until(by_count(plan, backend, url)))?;
        }
    }
    Ok(())
}

/// Draws what was measured: `draw FILE-OF-LINES DIRECTORY`.
pub fn draw(words: &[String]) -> Result<()> {
    let [lines, directory] = words else { anyhow::bail!("draw FILE DIRECTORY") };
    let text = std::fs::read_to_string(lines).with_context(|| lines.clone())?;
    let figures = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let figures: Vec<Figure> = figures.filter(|figure: &Figure| figure.section == SECTION).collect();
    ensure!(!figures.is_empty(), "{lines} has no curves");
    std::fs::create_dir_all(directory)?;
    for (name, text) in chart::charts(&figures) {
        std::fs::write(Path::new(directory).join(name), text)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Plan {
    rounds: usize,
    most: usize,
    requests: usize,
}

struct Entrant {
    cell: Cell,
    driver: Box<dyn Driver>,
    cookies: Vec<String>,
}

async fn entrants(backend: Backend, url: Option<&str>) -> Result<Vec<Entrant>> {
    let mut entrants = Vec::new();
    for cell in CONTENDERS.map(|contender| Cell { contender, backend }) {
        if cell.contender.backends().contains(&backend) {
            let setup = Setup { cell, url: url.map(str::to_owned), rolling: Rolling::No };
            entrants.push(Entrant { cell, driver: driver::driver(&setup).await?, cookies: Vec::new() });
        }
    }
    // Cookies of actix-web beside those of axum: what the frameworks cost is to be taken off.
    if backend == Backend::Cookie {
        let cell = Cell { contender: Contender::CloakroomActix, backend };
        let setup = Setup { cell, url: None, rolling: Rolling::No };
        entrants.push(Entrant { cell, driver: driver::driver(&setup).await?, cookies: Vec::new() });
    }
    Ok(entrants)
}

async fn by_count(plan: Plan, backend: Backend, url: Option<&str>) -> Result<()> {
    let mut entrants = entrants(backend, url).await?;
    // It takes ten times as long for a new session on a server as the others.
    entrants.retain(|entrant| entrant.cell.contender != Contender::AxumSession || !backend.is_server());
    for count in COUNTS.into_iter().filter(|count| *count <= plan.most) {
        for entrant in &mut entrants {
            while entrant.cookies.len() < count {
                let cookie = fill(&mut *entrant.driver, "/fill").await?;
                // So that those who ask in turn do not go through memory in turn.
                let place = mixed(entrant.cookies.len()) % (entrant.cookies.len() + 1);
                entrant.cookies.push(cookie);
                let last = entrant.cookies.len() - 1;
                entrant.cookies.swap(place, last);
            }
        }
        for scenario in [Scenario::S3, Scenario::S4] {
            measure(plan, &mut entrants, scenario, BY_COUNT, count).await?;
        }
    }
    Ok(())
}

async fn by_size(plan: Plan, backend: Backend, url: Option<&str>) -> Result<()> {
    let mut entrants = entrants(backend, url).await?;
    for size in SIZES {
        values::set_size(size);
        let mut able = Vec::new();
        for mut entrant in entrants {
            entrant.cookies.clear();
            while entrant.cookies.len() < FEW {
                match fill(&mut *entrant.driver, "/fill-sized").await {
                    Ok(cookie) if cookie.len() <= COOKIE => entrant.cookies.push(cookie),
                    // A cookie that is refused, or that browsers would not take.
                    _ if backend == Backend::Cookie => break,
                    Ok(_) => anyhow::bail!("{} has a long cookie", entrant.cell),
                    Err(error) => return Err(error),
                }
            }
            if entrant.cookies.len() == FEW {
                able.push(entrant);
            }
        }
        entrants = able;
        measure(plan, &mut entrants, Scenario::S3, BY_SIZE, size).await?;
        // A write changes one of ten values to one of 58 bytes: sessions are filled anew for each size.
        measure(plan, &mut entrants, Scenario::S4, BY_SIZE, size).await?;
    }
    Ok(())
}

async fn fill(driver: &mut dyn Driver, path: &str) -> Result<String> {
    let lines = driver.fill(path, None).await?;
    let pairs = lines.iter().filter_map(|line| line.split(';').next()).filter(|pair| !pair.ends_with('='));
    Ok(pairs.collect::<Vec<_>>().join("; "))
}

/// Lets each of them answer in turn, and prints the processor time of a request.
async fn measure(
    plan: Plan,
    entrants: &mut [Entrant],
    scenario: Scenario,
    what: &str,
    x: usize,
) -> Result<()> {
    let mut rounds = vec![Vec::new(); entrants.len()];
    for round in 0..=plan.rounds {
        for (entrant, rounds) in entrants.iter_mut().zip(&mut rounds) {
            // Another part of the sessions in each round.
            let from = (round * plan.requests) % entrant.cookies.len();
            let cookies = entrant.cookies[from..].iter().take(plan.requests).cloned().collect();
            let before = spent();
            entrant.driver.ask(scenario.path(), &cookies, plan.requests).await?;
            // The first round warms up.
            if round > 0 {
                rounds.push((spent() - before) * 1e6 / plan.requests as f64);
            }
        }
    }
    for (entrant, rounds) in entrants.iter().zip(&rounds) {
        let Cell { contender, backend } = entrant.cell;
        let scenario = format!("{} {what}={x}", scenario.name());
        Figure::of_rounds(SECTION, [contender.name(), backend.name(), &scenario], FIGURE, "us", rounds)
            .print()?;
    }
    Ok(())
}

/// The processor time of this process, in seconds.
fn spent() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn mixed(number: usize) -> usize {
    let word = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((word ^ (word >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 20) as usize
}
