//! The table of behaviours is whole, and names tests and faults that exist.

use std::collections::{BTreeMap, BTreeSet};

use xtask::fault::Fault;

use crate::source::{is_word_character, occurrences};
use crate::tree::Tree;

/// What was read from the table.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rows: usize,
    pub(crate) not_applicable: usize,
    pub(crate) findings: Vec<String>,
}

/// How many behaviours there are.
pub(crate) const ALL: u32 = 280;

/// Reads rows of the form `| N | behaviour | proved by | planted fault |`, of which there is one for each number.
///
/// "Proved by" is a list of tests and laws in backticks, or `does not apply: reason`. "Planted fault" is a list
/// of faults of stores, `Fault::…`, and of files below `xtask/planted`, which make one of the row's tests fail.
pub(crate) fn check(tree: &Tree, page: &str, all: u32) -> Report {
    let functions = functions(tree);
    let mut report = Report { rows: 0, not_applicable: 0, findings: Vec::new() };
    let planted = Fault::all(&tree.root).unwrap_or_else(|error| {
        report.findings.push(error.to_string());
        Vec::new()
    });
    let known = Known::of(tree, &planted);
    let mut named = BTreeSet::new();
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
        let proofs: Vec<&str> =
            spans(proof).map(|name| name.rsplit("::").next().unwrap_or_default()).collect();
        if proofs.is_empty() {
            find("proved by nothing");
        }
        let unknown = proofs.iter().filter(|name| !functions.contains(*name));
        unknown.for_each(|name| find(&format!("no test or law is called `{name}`")));
        if spans(fault).next().is_none() {
            find("no planted fault");
        }
        for name in spans(fault) {
            match known.failing(name) {
                None => find(&format!("no fault is called `{name}`")),
                Some(tests) if !proofs.iter().any(|proof| tests.contains(*proof)) => {
                    find(&format!("`{name}` fails none of its tests"));
                }
                Some(_) => _ = named.insert(name),
            }
        }
    }
    let missing = (1..=all).filter(|number| !numbers.contains(number));
    report.findings.extend(missing.map(|number| format!("behaviour {number}: not in the table")));
    let beyond = numbers.iter().filter(|number| !(1..=all).contains(*number));
    report.findings.extend(beyond.map(|number| format!("behaviour {number}: there are only {all}")));
    let idle = planted.iter().map(Fault::name).filter(|name| !named.contains(name));
    report.findings.extend(idle.map(|name| format!("{name}.fault: no behaviour names it")));
    report
}

/// What the last column can name, and the tests that each fault makes fail.
struct Known(BTreeMap<String, BTreeSet<String>>);

impl Known {
    fn of(tree: &Tree, planted: &[Fault]) -> Self {
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for fault in planted {
            let tests = fault.fails().iter().map(|proof| proof.function().to_owned());
            known.insert(fault.name().to_owned(), tests.collect());
        }
        // The suite of the laws itself demands that they are found.
        for file in tree.sources("cloakroom-conformance") {
            let kind = match file.path.rsplit('/').next() {
                Some("faults.rs") => "Fault",
                Some("index_faults.rs") => "IndexFault",
                _ => continue,
            };
            for (law, faults) in pairs(&file.text) {
                let faults = faults.split(',').map(str::trim).filter(|fault| !fault.is_empty());
                for fault in faults.map(|fault| format!("{kind}::{fault}")) {
                    known.entry(fault).or_default().insert(law.to_owned());
                }
            }
        }
        Self(known)
    }

    fn failing(&self, name: &str) -> Option<&BTreeSet<String>> {
        self.0.get(name)
    }
}

/// The laws of a table and their faults: `("law", &[One, Other]),`.
fn pairs(source: &str) -> impl Iterator<Item = (&str, &str)> {
    let rows = source.split("TABLE").nth(1).and_then(|rest| rest.split("];").next()).unwrap_or_default();
    rows.split("&[").zip(rows.split("&[").skip(1)).filter_map(|(before, after)| {
        let law = before.rsplit('"').nth(1)?;
        Some((law, after.split(']').next()?))
    })
}

/// The names in backticks.
fn spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
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
pub(crate) fn functions(tree: &Tree) -> BTreeSet<&str> {
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
    let fault =
        "# W.\nfile: crates/a/src/lib.rs\nfails: -p a --test it coats_come_back\nreplace:\na\nwith:\nb\n";
    let planted = crate::planted::Planted::new()
        .member("crates/a")
        .member("crates/cloakroom-conformance")
        .file("crates/a/tests/it.rs", "#[test] fn coats_come_back() {}\n// fn hats_come_back\nfn shoes() {}")
        .file(
            "crates/cloakroom-conformance/tests/it/faults.rs",
            "TABLE: &[(&str, &[Fault])] = &[\n (\"shoes\", &[Tears]),\n (\n \"coats_come_back\", &[\n Burns,\n Tears, ]),\n ];\nlet x = (\"no\", &[More]);",
        )
        .file("xtask/planted/loses-coats.fault", fault);
    let tree = planted.tree();
    let found = |row: &str| check(&tree, row, 1).findings;
    let head = "| N | behaviour | proved by | planted fault |\n|---|---|---|---|\n";
    let good = "| 1 | b | `coats_come_back` | `loses-coats` |";
    let report = check(&tree, &format!("{head}{good}\n| 2 | b | does not apply: no hats | |\n"), 2);
    assert_eq!(
        (report.rows, report.not_applicable, report.findings.len()),
        (2, 1, 0),
        "{:?}",
        report.findings
    );
    for (row, says) in [
        (
            "| 1 | b | `hats_come_back`, `coats_come_back` | `loses-coats` |",
            "no test or law is called `hats_come_back`",
        ),
        ("| 1 | b | `laws::coats_come_back`, `a \\| b` | `loses-coats` |", "no test or law is called `a"),
        ("| 1 | b | | `loses-coats` |", "proved by nothing"),
        ("| 1 | b | `coats_come_back` | |", "no planted fault"),
        ("| 1 | b | `coats_come_back` | loses-coats |", "no planted fault"),
        (
            "| 1 | b | `coats_come_back` | `loses-coats`, `Fault::Melts` |",
            "no fault is called `Fault::Melts`",
        ),
        ("| 1 | b | `coats_come_back` | `loses-coats`, `C` |", "no fault is called `C`"),
        (
            "| 1 | b | `coats_come_back` | `Fault::Burns`, `Fault::Tears` |",
            "loses-coats.fault: no behaviour names it",
        ),
        ("| 1 | b | `shoes` | `loses-coats` |", "`loses-coats` fails none of its tests"),
        ("| 1 | b | `shoes` | `Fault::Burns`, `Fault::Tears` |", "`Fault::Burns` fails none of its tests"),
        ("| 1 | b | `shoes` | `Fault::More` |", "no fault is called `Fault::More`"),
        ("| 1 | b | does not apply: | |", "for no reason"),
        ("| 1 | b | `coats_come_back` |", "not four columns"),
        ("nothing", "behaviour 1: not in the table"),
        (&format!("{good}\n| 2 | b | does not apply: no hats | |"), "behaviour 2: there are only 1"),
        (&format!("{good}\n{good}"), "listed twice"),
    ] {
        let findings = found(row);
        assert!(findings.iter().any(|finding| finding.contains(says)), "{row}: {findings:?}");
    }
    assert_eq!(
        found("| 1 | `b|c` | `coats_come_back` | `loses-coats`, `Fault::Tears` |"),
        Vec::<String>::new()
    );
}
