//! What one request costs in a process.

use std::fmt::Write as _;

use super::loads::with_unit;
use super::run::{Run, bare};
use super::table::{Table, folded, mark, number, order, times, who};
use crate::figure::{Figure, middle_and_spread};

/// What a figure of this section stands for, and how it is shown.
struct Kind {
    figure: &'static str,
    title: &'static str,
    over_bare: bool,
    /// Whether how often as much as ours is said first.
    ratios: bool,
}

const KINDS: [Kind; 10] = [
    Kind { figure: "allocations", title: "allocations", over_bare: true, ratios: false },
    Kind { figure: "round trips", title: "round trips to the server", over_bare: false, ratios: false },
    Kind { figure: "statements", title: "statements or commands", over_bare: false, ratios: false },
    Kind { figure: "cpu", title: "processor time, µs", over_bare: true, ratios: true },
    Kind { figure: "instructions", title: "instructions", over_bare: true, ratios: true },
    Kind { figure: "bytes", title: "bytes allocated", over_bare: true, ratios: true },
    Kind { figure: "reallocations", title: "reallocations", over_bare: true, ratios: false },
    Kind { figure: "set-cookie", title: "bytes of `Set-Cookie`", over_bare: false, ratios: false },
    Kind { figure: "bytes up", title: "bytes to the server", over_bare: false, ratios: false },
    Kind { figure: "bytes down", title: "bytes from the server", over_bare: false, ratios: false },
];

pub fn section(run: &Run) -> String {
    let mut figures: Vec<&Figure> = run.section("costs").collect();
    figures.sort_by(|one, other| order(one).cmp(&order(other)));
    let mut text =
        String::from("## What one request costs\n\nIn one process, without a network before it.\n\n");
    if figures.is_empty() {
        return text + "Not measured in this run.\n\n";
    }
    for kind in &KINDS {
        let of_kind: Vec<&Figure> =
            figures.iter().copied().filter(|figure| figure.figure == kind.figure).collect();
        let (mut ratios, mut absolute) = (Table::default(), Table::default());
        for figure in of_kind.iter().filter(|figure| figure.backend != "none") {
            let Some(value) = value(run, kind, figure) else { continue };
            let rounds = rounds(run, kind, figure);
            let cell = format!("{}{}", mark(middle_and_spread(&rounds).1), number(value));
            absolute.set(&who(figure), &figure.scenario, cell);
            if let Some((ratio, spread)) = beside_ours(run, kind, figure, value) {
                ratios.set(&who(figure), &figure.scenario, format!("{}{}", mark(spread), times(ratio)));
            }
        }
        let (ratios, absolute) = (ratios.with_sorted_columns(), absolute.with_sorted_columns());
        let over = if kind.over_bare { ", over the bare handler" } else { "" };
        if kind.ratios && !ratios.is_empty() {
            let _ = writeln!(
                text,
                "### {}: how often as much as Cloakroom{over}\n\n{}",
                kind.title.trim_end_matches(", µs"),
                ratios.markdown("")
            );
            text.push_str(&folded(&format!("{} a request{over}", kind.title), &absolute.markdown("")));
        } else if !absolute.is_empty() {
            let _ = writeln!(text, "### {} a request{over}\n\n{}", kind.title, absolute.markdown(""));
        }
    }
    let failed = figures.iter().filter(|figure| figure.figure == "failed");
    let failed: Vec<String> = failed.map(|figure| format!("{} {}", who(figure), figure.scenario)).collect();
    if !failed.is_empty() {
        let _ = writeln!(
            text,
            "Did not answer every request with success, and are not listed: {}.\n",
            failed.join("; ")
        );
    }
    text + &floors(&figures)
}

fn value(run: &Run, kind: &Kind, figure: &Figure) -> Option<f64> {
    if kind.over_bare {
        run.over_bare([&figure.contender, &figure.backend, &figure.scenario, kind.figure])
    } else {
        Some(figure.value)
    }
}

fn rounds(run: &Run, kind: &Kind, figure: &Figure) -> Vec<f64> {
    let rounds = if kind.over_bare {
        run.rounds_over_bare([&figure.contender, &figure.backend, &figure.scenario, kind.figure])
    } else {
        run.rounds([&figure.section, &figure.contender, &figure.backend, &figure.scenario, kind.figure])
    };
    rounds.unwrap_or_default()
}

/// How often as much as Cloakroom on the same framework and backend, if that is not noise, and by how much its rounds differ.
fn beside_ours(run: &Run, kind: &Kind, figure: &Figure, value: f64) -> Option<(f64, f64)> {
    let ours = if bare(&figure.contender) == "bare-actix" { "cloakroom-actix" } else { "cloakroom-axum" };
    let there = run.get(["costs", ours, &figure.backend, &figure.scenario, kind.figure])?;
    let least = there.value / 50.0;
    let ours_value = self::value(run, kind, there)?;
    let each: Vec<f64> = rounds(run, kind, figure)
        .iter()
        .zip(rounds(run, kind, there))
        .map(|(theirs, ours)| theirs / ours)
        .collect();
    (figure.contender != ours && ours_value > least && value > 0.0)
        .then(|| (value / ours_value, middle_and_spread(&each).1))
}

/// What the driver and the frameworks cost, which was taken off above.
fn floors(figures: &[&Figure]) -> String {
    let mut table = Table::default();
    for figure in figures.iter().filter(|figure| figure.backend == "none") {
        let row = format!("{}, {}", figure.contender, figure.scenario);
        table.set(&row, &figure.figure, with_unit(figure));
    }
    if table.is_empty() {
        return String::new();
    }
    let summary =
        "What the driver and the frameworks cost; that of `bare-axum` and `bare-actix` is taken off above";
    folded(summary, &table.markdown(""))
}
