//! Single figures, curves, conflicts, the memory store, and builds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::loads::with_unit;
use super::run::Run;
use super::table::{Table, marked, order, times, who};
use crate::figure::Figure;

const NOT_MEASURED: &str = "Not measured in this run.\n\n";

fn sorted<'a>(run: &'a Run, section: &'a str) -> Vec<&'a Figure> {
    let mut figures: Vec<&Figure> = run.section(section).collect();
    figures.sort_by(|one, other| order(one).cmp(&order(other)));
    figures
}

/// What needs no application.
pub fn section(run: &Run) -> String {
    let mut table = Table::default();
    for figure in sorted(run, "singles") {
        let row = format!("{}, {}, {}", figure.figure, figure.contender, figure.scenario);
        table.set(&row, "", with_unit(figure));
    }
    let text = "## By itself\n\n".to_owned();
    if table.is_empty() { text + NOT_MEASURED } else { text + &table.markdown("") + "\n" }
}

/// The charts, and what growth costs.
pub fn curves(run: &Run, charts: &[String]) -> String {
    let mut text = String::from(
        "## Many sessions, and large ones\n\nThe processor time of one request, over the number of sessions in the store and \
         over the bytes of a session. The sealed cookie of a session ends where a browser would no longer take it.\n\n",
    );
    let mut points: BTreeMap<(usize, usize, String), Points<'_>> = BTreeMap::new();
    for figure in run.section("curves") {
        let Some((scenario, point)) = figure.scenario.split_once(' ') else { continue };
        let Some((what, x)) = point.split_once('=') else { continue };
        let Ok(x) = x.parse::<f64>() else { continue };
        let (backend, contender, _) = order(figure);
        let points = points.entry((backend, contender, format!("{scenario} by {what}"))).or_default();
        points.who = who(figure);
        points.places.push((x, figure));
    }
    if points.is_empty() {
        return text + NOT_MEASURED;
    }
    let mut table = Table::default();
    for ((_, _, column), points) in &mut points {
        points.places.sort_by(|one, other| one.0.total_cmp(&other.0));
        if let (Some((from, few)), Some((to, many))) = (points.places.first(), points.places.last()) {
            let cell = format!("{} ({from} to {to})", times(many.value / few.value));
            table.set(&points.who, column, cell);
        }
    }
    let _ = writeln!(text, "How often as much at the end as at the start:\n\n{}", table.markdown(""));
    for chart in charts {
        let name = chart.rsplit('/').next().unwrap_or(chart).trim_end_matches(".svg").replace('-', ", ");
        let _ = writeln!(text, "![Processor time of a request: {name}]({chart})\n");
    }
    text
}

#[derive(Default)]
struct Points<'a> {
    who: String,
    places: Vec<(f64, &'a Figure)>,
}

/// What is told of writers, what matters most first.
const CONFLICTS: [&str; 6] = [
    "kept updates",
    "lost updates",
    "acknowledged updates",
    "retries an update",
    "slowest writer",
    "fastest writer",
];

/// Many writers on one session.
pub fn conflicts(run: &Run) -> String {
    let text = String::from(
        "## Many writers on one session\n\nEach writer counts up in the same session, as fast as it is answered. An update is \
         *lost* if it was acknowledged and is not in the session afterwards; the shares are those of one writer, where 1 is \
         what each would have if all had as much. `axum-session-nocache` drops what it keeps for one request while another still uses it, and \
         answers most requests beside each other with an error.\n\n",
    );
    by_writers(text, &sorted(run, "conflicts"))
}

fn by_writers(text: String, figures: &[&Figure]) -> String {
    let mut figures = figures.to_vec();
    // `8 writers` before `64 writers`.
    let writers =
        |figure: &Figure| figure.scenario.split(' ').next().and_then(|word| word.parse::<usize>().ok());
    let rank = |figure: &Figure| CONFLICTS.iter().position(|known| *known == figure.figure);
    figures.sort_by_key(|figure| {
        let (backend, contender, _) = order(figure);
        (backend, writers(figure), contender, rank(figure).unwrap_or(CONFLICTS.len()))
    });
    let mut table = Table::default();
    for figure in figures {
        let row = format!("{}, {}", who(figure), figure.scenario);
        let column = match &*figure.unit {
            "count" => figure.figure.clone(),
            unit => format!("{}, {unit}", figure.figure),
        };
        table.set(&row, &column, marked(figure, figure.value));
    }
    if table.is_empty() { text + NOT_MEASURED } else { text + &table.markdown("") + "\n" }
}

/// The memory store beside one map behind one lock.
pub fn memory_store(run: &Run) -> String {
    let text = String::from(
        "## The memory store\n\nBeside one `HashMap` behind one `RwLock`, with records as large as those of sessions of 600 \
         bytes. Throughput is the median of processes, in each of which both stores take turns: how records come to lie in memory is another \
         in each. Bytes are as asked of the allocator. A pause is that of one task with nobody beside it, the least of three \
         rounds for each verb, so that the scheduler's do not count; of the one map it is one sweep through all of it.\n\n",
    );
    let mut table = Table::default();
    for figure in sorted(run, "memory_store") {
        let row = format!("{}, {}", figure.figure, figure.scenario);
        table.set(&row, &figure.contender, with_unit(figure));
    }
    if table.is_empty() { text + NOT_MEASURED } else { text + &table.markdown("") + "\n" }
}

/// Cold builds.
pub fn builds(run: &Run) -> String {
    let text = String::from(
        "## Building it\n\nAn application that counts visits, built cold and optimised, with its own lock file and no other \
         crates. Each was built once.\n\n",
    );
    let mut table = Table::default();
    for figure in sorted(run, "builds") {
        let column = match &*figure.unit {
            "count" => figure.figure.clone(),
            unit => format!("{}, {unit}", figure.figure),
        };
        table.set(&who(figure), &column, marked(figure, figure.value));
    }
    if table.is_empty() { text + NOT_MEASURED } else { text + &table.markdown("") + "\n" }
}
