//! The table of behaviours names tests that exist.

use std::collections::BTreeSet;

use crate::source::{is_word_character, occurrences};
use crate::tree::Tree;

/// What was read from the table.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rows: usize,
    pub(crate) not_applicable: usize,
    pub(crate) findings: Vec<String>,
}

/// Reads rows of the form `| N | behaviour | proved by | planted fault |`.
///
/// "Proved by" is a list of tests and laws in backticks, or `does not apply: reason`.
pub(crate) fn check(tree: &Tree, page: &str) -> Report {
    let functions = functions(tree);
    let mut report = Report { rows: 0, not_applicable: 0, findings: Vec::new() };
    let mut numbers = BTreeSet::new();
    for line in page.lines() {
        let cells: Vec<&str> = cells(line);
        let Some(Ok(number)) = cells.first().map(|cell| cell.parse::<u32>()) else {
            continue;
        };
        report.rows += 1;
        let mut find = |what: &str| report.findings.push(format!("behaviour {number}: {what}"));
        if !numbers.insert(number) {
            find("listed twice");
        }
        let [_, _, proof, fault] = cells.as_slice() else {
            find("not four columns");
            continue;
        };
        if let Some(reason) = proof.strip_prefix("does not apply") {
            report.not_applicable += 1;
            if reason.trim_start_matches(':').trim().is_empty() {
                find("does not apply, for no reason");
            }
            continue;
        }
        let names: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            find("proved by nothing");
        }
        let unknown =
            names.iter().filter(|name| !functions.contains(name.rsplit("::").next().unwrap_or_default()));
        unknown.for_each(|name| find(&format!("no test or law is called `{name}`")));
        if fault.is_empty() {
            find("no planted fault");
        }
    }
    if report.rows == 0 {
        report.findings.push("no rows".to_owned());
    }
    report
}

/// The cells of a table's row; a `\|` or a bar in backticks is part of a cell.
fn cells(line: &str) -> Vec<&str> {
    let Some(row) = line.trim().strip_prefix('|').and_then(|rest| rest.strip_suffix('|')) else {
        return Vec::new();
    };
    let (mut cells, mut start, mut quoted, mut before) = (Vec::new(), 0, false, ' ');
    for (at, character) in row.char_indices() {
        match character {
            '`' => quoted = !quoted,
            '|' if !quoted && before != '\\' => {
                cells.push(row[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        before = character;
    }
    cells.push(row[start..].trim());
    cells
}

/// The names of all functions in the tree.
fn functions(tree: &Tree) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for file in tree.files() {
        let code = &file.views.code;
        let after = occurrences(code, "fn ").map(|at| &code[at + 3..]);
        names.extend(after.filter_map(|rest| rest.split(|c| !is_word_character(c)).next()));
    }
    names
}

#[test]
fn defects_of_the_table_are_found() {
    let planted = crate::planted::Planted::new()
        .member("crates/a")
        .file("crates/a/tests/it.rs", "#[test] fn coats_come_back() {}\n// fn hats_come_back\n");
    let tree = planted.tree();
    let found = |row: &str| check(&tree, row).findings.len();
    let head = "| N | behaviour | proved by | planted fault |\n|---|---|---|---|\n";
    let good = format!("{head}| 1 | b | `coats_come_back` | c |\n| 2 | b | does not apply: no hats | |\n");
    let report = check(&tree, &good);
    assert_eq!(
        (report.rows, report.not_applicable, report.findings.len()),
        (2, 1, 0),
        "{:?}",
        report.findings
    );
    assert_eq!(found("| 1 | b | `hats_come_back` | c |"), 1);
    assert_eq!(found("| 1 | b | `laws::coats_come_back`, `a \\| b` | c |"), 1);
    assert_eq!(found("| 1 | `b|c` | `coats_come_back` | d |"), 0);
    assert_eq!(found("| 1 | b | | c |"), 1);
    assert_eq!(found("| 1 | b | `coats_come_back` | |"), 1);
    assert_eq!(found("| 1 | b | does not apply: | |"), 1);
    assert_eq!(found("| 1 | b | `coats_come_back` |"), 1);
    assert_eq!(found("| 1 | b | `coats_come_back` | c |\n| 1 | d | `coats_come_back` | e |"), 1);
    assert_eq!(found("nothing"), 1);
}
