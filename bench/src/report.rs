//! The page about a run: what was reached, then ratios, then the numbers behind them.

mod costs;
mod loads;
mod rest;
pub mod run;
pub mod table;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::curves::chart;
use crate::figure::Figure;
use crate::report::run::Run;
use crate::report::table::number;
use crate::targets::{Outcome, Target, Verdict, targets};

/// `report FILE OUTPUT.md`: writes the page, and the charts into a directory beside it that is called the same.
pub fn main(words: &[String]) -> Result<()> {
    let [lines, output] = words else { bail!("report FILE OUTPUT.md") };
    let text = std::fs::read_to_string(lines).with_context(|| lines.clone())?;
    let run = Run::parse(&text).with_context(|| lines.clone())?;
    let output = Path::new(output);
    let directory = output.with_extension("");
    let name = directory.file_name().and_then(|name| name.to_str()).context("OUTPUT.md")?;
    let curves: Vec<Figure> = run.section("curves").cloned().collect();
    let charts = chart::charts(&curves);
    if !charts.is_empty() {
        std::fs::create_dir_all(&directory)?;
    }
    for (name, text) in &charts {
        std::fs::write(directory.join(name), text)?;
    }
    let charts: Vec<String> = charts.into_iter().map(|(file, _)| format!("{name}/{file}")).collect();
    for what in unexplained(&run) {
        eprintln!("warning: \"{what}\" was missed, and `targets/why.rs` does not say why");
    }
    std::fs::write(output, page(&run, &charts)?).with_context(|| output.display().to_string())
}

/// The targets that were missed and of which nobody says why.
fn unexplained(run: &Run) -> Vec<String> {
    let missed = all_targets(run).into_iter().filter(|target| target.judge(run).verdict == Verdict::Missed);
    missed.filter(|target| target.why.is_empty()).map(|target| target.what).collect()
}

/// Those of the machine that the run was measured on.
fn all_targets(run: &Run) -> Vec<Target> {
    targets(run.first().map_or(1, |header| header.machine.cores))
}

/// The whole page, with links to the charts.
fn page(run: &Run, charts: &[String]) -> Result<String> {
    let mut text = String::from("# Performance\n\n");
    text.push_str("<!-- Written by `cargo xtask bench`: change the benchmark, not this page. -->\n\n");
    machine(run, &mut text)?;
    text.push_str(METHOD);
    what_was_reached(run, &mut text)?;
    for section in [costs::section, loads::section, rest::section] {
        text.push_str(&section(run));
    }
    text.push_str(&rest::curves(run, charts));
    text.push_str(&rest::conflicts(run));
    text.push_str(&rest::memory_store(run));
    text.push_str(&rest::builds(run));
    Ok(text)
}

const METHOD: &str = "\
## How it was measured

Cloakroom, its peers, handlers without sessions (`bare-axum`, `bare-actix`) and handlers that call the client of a server
themselves (`raw-client`) answer the same routes with the same values. They take turns, round after round, and a figure is
the median of its rounds; where a target is a ratio of two figures, it is the median of the ratios of each round. One machine ran everything: the driver, the servers and whoever was measured shared its processors.
What is asked on axum is asked in a task, as each connection of a server is.
So times are there to be compared within a table, and say little about another machine. A `~` stands before numbers whose
rounds differ by more than a quarter of the median.

| | |
|---|---|
| S0 | no layer at all |
| S1 | the layer; no cookie, and nobody asks for the session |
| S2 | a valid cookie, and nobody asks for the session |
| S3 | reads one of ten values, 600 bytes in all |
| S4 | reads that value and writes it anew |
| S5 | as S3, and sessions are kept alive by their use |
| S5 touched | as S5, and each request writes the new time to live, as peers do in S5 |
| S6 | no cookie: a new session of ten values |
| S7 | as S3 with a hundred values, 32 KiB in all |

*Counted*, and the same in each run but for what pools do in the background: allocations and their bytes, by the allocator of the process; instructions, by callgrind;
round trips, statements and bytes, by a proxy before the server. callgrind hides the processor's instructions for SHA and AES,
so cryptography, of which Cloakroom has more than the others, looks several times as dear there as it is. Instructions were
counted in memory, in cookies and, of some, on Redis; not of S5 nor of forged cookies.
PostgreSQL and MariaDB do not wait for their disk (`fsync=off` and its like), and no server saves what it holds.
*Timed*: the processor time of the process, where what one request costs was bound to one processor together with the servers,
 which holds the driver and whoever is measured, and not the server; throughput and
latency, by `wrk`, with a server in another process. *Over the bare handler* is a figure less that of the same framework's
handler without sessions, asked with a cookie of 86 bytes where the request has one; a sealed cookie has about a kilobyte more, which the
driver copies, so that many of the bytes allocated with `cookie:` are the driver's.
Ratios are marked with `~` as well. A target stands among those met or missed by the median of this run, `~` or not: where it is near the
bound, another run may say otherwise.

What to bear in mind: Cloakroom encrypts and authenticates what it stores, and binds it to its key in the store; the stores of
tower-sessions, actix-session and axum_session keep plain text, and the cookies of tower-sessions and, without a key as by
default, of axum_session are not signed. axum_session as by default keeps what it has seen in its process for an hour and asks
no server meanwhile: `axum-session` is that, `axum-session-nocache` asks. actix-session loads each session that has a cookie,
whether the handler asks for it or not. S5 favours Cloakroom: tower-sessions and actix-session write the new time to live at each
request, and Cloakroom only when a tenth of the idle time has gone, as by default, which is 250 ms here. The sessions of a round are
made for it and asked for 40 ms, so that in S5 none is due: S5 is S3 again, as it is for a user who asks often, and the targets of S5 say no
more than that keeping alive costs nothing where nothing is due. `S5 touched` is what a request costs that writes the new time to live.
Outside of S5 the sessions of Cloakroom are touched after 15 minutes instead of one, so that no long run is measured with touches.
The peers' stores of PostgreSQL and MariaDB have a pool of `sqlx` as their documentation sets it up, which asks each connection whether
it is alive before it is lent, as can be turned off, and after it; Cloakroom and `raw-client` have connections of their own that they ask nothing.
A write of Cloakroom takes effect only where nobody else has written since the session was read, and its number comes back behind
it: on Redis that is a script and an echo, which take the server several times as long as the `SET` with which the others overwrite
what is there.

";

fn machine(run: &Run, text: &mut String) -> Result<()> {
    let header = run.first().context("there is no header")?;
    let machine = &header.machine;
    writeln!(text, "| | |\n|---|---|")?;
    writeln!(
        text,
        "| machine | {}, {} cores, {} MiB of memory, Linux {} |",
        machine.cpu, machine.cores, machine.memory_mib, machine.kernel
    )?;
    for (header, sections) in run.headers() {
        let names: Vec<String> = sections.iter().map(|section| section.replace('_', " ")).collect();
        let loads = sections.iter().flat_map(|section| run.section(section)).filter_map(|figure| figure.load);
        let bounds = loads.fold(None, |bounds: Option<(f64, f64)>, load| {
            Some(bounds.map_or((load, load), |(least, most)| (least.min(load), most.max(load))))
        });
        let meanwhile = bounds.map_or(String::new(), |(least, most)| {
            let to = if most > least { format!(" to {}", number(most)) } else { String::new() };
            format!(" before it and of {}{to} meanwhile", number(least))
        });
        writeln!(
            text,
            "| {} | `{}` on {}, at a load of {}{meanwhile} |",
            names.join(", "),
            header.command,
            header.date,
            header.load
        )?;
    }
    let versions: Vec<String> =
        header.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    writeln!(text, "| versions | {} |\n", versions.join("; "))?;
    Ok(())
}

fn what_was_reached(run: &Run, text: &mut String) -> Result<()> {
    let targets = all_targets(run);
    let outcomes: Vec<Outcome<'_>> = targets.iter().map(|target| target.judge(run)).collect();
    let count = |verdict| outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
    writeln!(
        text,
        "## What was set out for\n\n\
         Of {} targets {} are met, {} are missed, and {} were not measured in this run. Allocations and processor time are over \
         the bare handler, and so are those of the peer that does best. Peers are those on the same framework that ask the server; \
         axum_session as by default, which answers from its process for an hour, is none of them where there is a server.\n",
        outcomes.len(),
        count(Verdict::Met),
        count(Verdict::Missed),
        count(Verdict::NotMeasured)
    )?;
    text.push_str("| what | best peer | target | Cloakroom | |\n|---|---|---|---|---|\n");
    for outcome in &outcomes {
        writeln!(text, "| {} |", outcome.cells().join(" | "))?;
    }
    text.push('\n');
    let missed = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Missed);
    for target in missed.map(|outcome| outcome.target).filter(|target| !target.why.is_empty()) {
        writeln!(text, "- *{}*: {}", target.what, target.why)?;
    }
    text.push('\n');
    Ok(())
}

#[cfg(test)]
pub mod tests;
