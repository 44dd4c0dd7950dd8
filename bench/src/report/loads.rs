//! What comes through over HTTP.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::run::Run;
use super::table::{Table, folded, mark, marked, order, times, who};
use crate::figure::Figure;

/// Ratios first; what is there for context is folded.
const RATIOS: [(&str, &str); 3] = [
    ("throughput over raw-client", "Throughput beside a handler that calls the server's client itself"),
    ("throughput over bare-axum", "Throughput beside a handler on axum without sessions"),
    ("throughput over bare-actix", "Throughput beside a handler on actix-web without sessions"),
];
const CONTEXT: [(&str, &str); 4] = [
    ("throughput", "Requests a second"),
    ("p50", "Latency of the half, µs"),
    ("p99", "Latency of 99 in 100, µs"),
    ("server CPU a request", "Processor time of the server's process a request, µs"),
];

pub fn section(run: &Run) -> String {
    let mut text = String::from(
        "## Over HTTP\n\n`wrk` asks over 1, 32 or 256 connections and shares the machine with the server. Not everything is asked of \
         everybody: S5 and S7 of nobody, over 1 and 256 connections S3 alone and only where sessions are in memory or on Redis, and of \
         the other backends S3 over 32. The handlers without sessions and those with the client alone are asked without a cookie.\n\n",
    );
    let mut figures: Vec<&Figure> = run.section("load").collect();
    if figures.is_empty() {
        return text + "Not measured in this run.\n\n";
    }
    figures.sort_by(|one, other| order(one).cmp(&order(other)));
    let connections: BTreeSet<usize> = figures.iter().filter_map(|figure| Some(split(figure)?.1)).collect();
    for connections in connections {
        let plural = if connections == 1 { "" } else { "s" };
        let _ = writeln!(text, "### {connections} connection{plural}\n");
        for (figure, title) in RATIOS {
            let table = table(&figures, figure, connections, |figure| {
                format!("{}{}", mark(figure.spread), times(figure.value))
            });
            if !table.is_empty() {
                let _ = writeln!(text, "{title}:\n\n{}", table.markdown(""));
            }
        }
        for (figure, title) in CONTEXT {
            let table = table(&figures, figure, connections, |figure| marked(figure, figure.value));
            if !table.is_empty() {
                text.push_str(&folded(title, &table.markdown("")));
            }
        }
    }
    let mut failed = figures.iter().filter(|figure| figure.figure == "failed").peekable();
    if failed.peek().is_some() {
        text.push_str("Did not answer every request with success, and are not listed:\n\n");
        for figure in failed {
            let _ = writeln!(text, "- {} {}", who(figure), figure.scenario);
        }
        text.push('\n');
    }
    text
}

/// `S3 c32`.
fn split(figure: &Figure) -> Option<(&str, usize)> {
    let (scenario, connections) = figure.scenario.split_once(" c")?;
    Some((scenario, connections.parse().ok()?))
}

fn table(figures: &[&Figure], what: &str, connections: usize, show: impl Fn(&Figure) -> String) -> Table {
    let mut table = Table::default();
    for figure in figures.iter().filter(|figure| figure.figure == what && figure.value.is_finite()) {
        if let Some((scenario, _)) = split(figure).filter(|(_, count)| *count == connections) {
            table.set(&who(figure), scenario, show(figure));
        }
    }
    table.with_sorted_columns()
}

/// Of a value with its unit.
pub fn with_unit(figure: &Figure) -> String {
    let unit = match &*figure.unit {
        "count" | "cells" => "",
        "ratio" => return format!("{}{}", mark(figure.spread), times(figure.value)),
        "" if figure.figure.contains(" over ") => {
            return format!("{}{}", mark(figure.spread), times(figure.value));
        }
        "us" => "µs",
        "bytes" => "B",
        unit => unit,
    };
    format!("{} {unit}", marked(figure, figure.value)).trim_end().to_owned()
}
