//! Many writers on one session: what comes through, what is lost, and who waits.

mod counters;
mod counting;
mod shares;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use tower::Service as _;

use crate::cell::{Backend, Cell, Contender};
use crate::conflicts::counting::Conflicts;
use crate::conflicts::shares::Shares;
use crate::contender::Setup;
use crate::figure::Figure;
use crate::options::{Options, Urls};
use crate::scenario::Rolling;

const SECTION: &str = "conflicts";
const BACKENDS: &str = "memory,redis,postgres";
const CONTENDERS: [Contender; 5] = [
    Contender::CloakroomAxum,
    Contender::TowerSessions014,
    Contender::TowerSessions015,
    Contender::AxumSession,
    Contender::AxumSessionNocache,
];

pub fn main(words: &[String]) -> Result<()> {
    let options =
        Options::parse(words, &["--quick"], &["--urls", "--backends", "--writers", "--rounds", "--seconds"])?;
    let (rounds, seconds) = if options.has("--quick") { (3, 1) } else { (5, 1) };
    let (rounds, seconds) = (options.number("--rounds", rounds)?, options.number("--seconds", seconds)?);
    let urls = Urls::parse(options.get("--urls").unwrap_or_default())?;
    let backends = options.list("--backends", BACKENDS, Backend::parse)?;
    let writers: Vec<usize> = options.list("--writers", "1,8,64", |text| Ok(text.parse()?))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for backend in backends.into_iter().filter(|backend| !backend.is_server() || urls.has(*backend)) {
        for &writers in &writers {
            let plan = Plan { backend, writers, rounds, time: Duration::from_secs(seconds as u64) };
            // In a task, so that whoever drives is no thread of its own.
            let url = urls.of(backend).map(str::to_owned);
            runtime.block_on(async move { tokio::spawn(alternate(plan, url)).await? })?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Plan {
    backend: Backend,
    writers: usize,
    rounds: usize,
    time: Duration,
}

/// What one round came to.
#[derive(Debug)]
struct Round {
    /// How long it took until the last writer was answered.
    seconds: f64,
    done: u64,
    retries: f64,
    shares: Shares,
    lost: u64,
    /// The answer 409.
    conflicts: u64,
    /// The answer 503.
    unavailable: u64,
    /// Any other answer that is no success.
    failed: u64,
}

async fn alternate(plan: Plan, url: Option<String>) -> Result<()> {
    let mut entrants = Vec::new();
    for cell in CONTENDERS.map(|contender| Cell { contender, backend: plan.backend }) {
        if cell.contender.backends().contains(&plan.backend) {
            let setup = Setup { cell, url: url.clone(), rolling: Rolling::No };
            let conflicts = Conflicts::default();
            entrants.push((cell, counters::application(&setup, &conflicts).await?, conflicts, Vec::new()));
        }
    }
    for round in 0..=plan.rounds {
        for (cell, app, conflicts, rounds) in &mut entrants {
            let taken = write(plan, app, conflicts).await.with_context(|| cell.to_string())?;
            // The first round warms up.
            if round > 0 {
                rounds.push(taken);
            }
        }
    }
    let mut lost = 0;
    for (cell, _, _, rounds) in &entrants {
        print(plan, *cell, rounds)?;
        if cell.contender == Contender::CloakroomAxum {
            lost += rounds.iter().map(|round| round.lost).sum::<u64>();
        }
    }
    ensure!(lost == 0, "Cloakroom lost {lost} updates on {}", plan.backend.name());
    Ok(())
}

/// Lets the writers count in a session of their own for a while.
async fn write(plan: Plan, app: &Router, conflicts: &Conflicts) -> Result<Round> {
    let started = call(&mut app.clone(), "/start", None).await?;
    let cookies = started.headers().get_all(header::SET_COOKIE).into_iter();
    let pairs: Vec<&str> = cookies.filter_map(|line| line.to_str().ok()?.split(';').next()).collect();
    let cookie: Arc<str> = pairs.join("; ").into();
    let [refused, unavailable, failed]: [Arc<AtomicU64>; 3] = Default::default();
    conflicts.store(0, Ordering::Relaxed);
    let start = Instant::now();
    let writers: Vec<_> = (0..plan.writers)
        .map(|_| {
            let (mut app, cookie) = (app.clone(), Arc::clone(&cookie));
            let (refused, unavailable, failed) = (refused.clone(), unavailable.clone(), failed.clone());
            tokio::spawn(async move {
                let mut done: u64 = 0;
                while start.elapsed() < plan.time {
                    match call(&mut app, "/count", Some(&cookie)).await?.status() {
                        status if status.is_success() => done += 1,
                        StatusCode::CONFLICT => drop(refused.fetch_add(1, Ordering::Relaxed)),
                        StatusCode::SERVICE_UNAVAILABLE => drop(unavailable.fetch_add(1, Ordering::Relaxed)),
                        _ => drop(failed.fetch_add(1, Ordering::Relaxed)),
                    }
                    // As the socket of a real client would.
                    tokio::task::yield_now().await;
                }
                anyhow::Ok(done)
            })
        })
        .collect();
    let mut updates = Vec::new();
    for writer in writers {
        updates.push(writer.await??);
    }
    let seconds = start.elapsed().as_secs_f64();
    let done: u64 = updates.iter().sum();
    let total = total(app, &cookie).await?;
    Ok(Round {
        seconds,
        done,
        retries: conflicts.load(Ordering::Relaxed) as f64 / done.max(1) as f64,
        shares: Shares::of(&updates),
        lost: done.saturating_sub(total),
        conflicts: refused.load(Ordering::Relaxed),
        unavailable: unavailable.load(Ordering::Relaxed),
        failed: failed.load(Ordering::Relaxed),
    })
}

/// How far the session counted. One that is gone at the end has lost all that was counted in it.
async fn total(app: &Router, cookie: &str) -> Result<u64> {
    let answer = call(&mut app.clone(), "/total", Some(cookie)).await?;
    if !answer.status().is_success() {
        return Ok(0);
    }
    let text = axum::body::to_bytes(answer.into_body(), 100).await?;
    Ok(std::str::from_utf8(&text)?.parse()?)
}

async fn call(app: &mut Router, path: &str, cookie: Option<&str>) -> Result<Response> {
    let request = Request::builder().uri(path).header(header::HOST, "localhost");
    let request = cookie.into_iter().fold(request, |request, cookie| request.header(header::COOKIE, cookie));
    Ok(app.call(request.body(Body::empty())?).await.unwrap_or_else(|never| match never {}))
}

fn print(plan: Plan, cell: Cell, rounds: &[Round]) -> Result<()> {
    let scenario = format!("{} writers", plan.writers);
    let who = [cell.contender.name(), cell.backend.name(), &*scenario];
    let print = |figure: &str, unit: &str, pick: &dyn Fn(&Round) -> f64| {
        let rounds: Vec<f64> = rounds.iter().map(pick).collect();
        Figure::of_rounds(SECTION, who, figure, unit, &rounds).print()
    };
    print("acknowledged updates", "1/s", &|round| round.done as f64 / round.seconds)?;
    print("kept updates", "1/s", &|round| (round.done - round.lost) as f64 / round.seconds)?;
    if cell.contender == Contender::CloakroomAxum {
        print("retries an update", "count", &|round| round.retries)?;
    }
    print("slowest writer", "of an equal share", &|round| round.shares.slowest)?;
    print("fastest writer", "of an equal share", &|round| round.shares.fastest)?;
    print("lost updates", "of those acknowledged", &|round| round.lost as f64 / round.done.max(1) as f64)?;
    print("answers 409", "count", &|round| round.conflicts as f64)?;
    print("answers 503", "count", &|round| round.unavailable as f64)?;
    print("other failures", "count", &|round| round.failed as f64)
}
