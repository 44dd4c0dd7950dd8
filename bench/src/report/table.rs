//! Tables of Markdown, and numbers as they stand in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cell::{Backend, Contender};
use crate::figure::Figure;

/// What stands where nothing was measured.
const NOTHING: &str = "–";
/// Rounds that differ by more of their median are marked.
const RESTLESS: f64 = 0.25;

/// A table: a name for each row, and its cells by the names of the columns.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<(String, BTreeMap<String, String>)>,
}

impl Table {
    /// Sets a cell. Rows and columns come in the order in which they are first named.
    pub fn set(&mut self, row: &str, column: &str, text: String) {
        if !self.columns.iter().any(|known| known == column) {
            self.columns.push(column.to_owned());
        }
        let at = self.rows.iter().position(|(name, _)| name == row).unwrap_or_else(|| {
            self.rows.push((row.to_owned(), BTreeMap::new()));
            self.rows.len() - 1
        });
        if let Some((_, cells)) = self.rows.get_mut(at) {
            cells.insert(column.to_owned(), text);
        }
    }

    /// The columns by their names, for rows that do not all have the same ones.
    pub fn with_sorted_columns(mut self) -> Self {
        self.columns.sort();
        self
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table, with `corner` over the names of the rows.
    pub fn markdown(&self, corner: &str) -> String {
        let mut text = format!("| {corner} | {} |\n|---|", self.columns.join(" | "));
        text.push_str(&"---:|".repeat(self.columns.len()));
        text.push('\n');
        for (name, cells) in &self.rows {
            let cell = |column| cells.get(column).map_or(NOTHING, String::as_str);
            let cells: Vec<&str> = self.columns.iter().map(cell).collect();
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
        text
    }
}

/// Three digits, or all before the point, without zeros that say nothing.
pub fn number(value: f64) -> String {
    let text = rounded(value);
    if !text.contains('.') {
        return thousands(&text);
    }
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// The number that a page shows, as a number.
pub fn as_shown(value: f64) -> f64 {
    rounded(value).parse().unwrap_or(value)
}

fn rounded(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 99.95 => 0,
        middle if middle >= 9.995 => 1,
        small if small >= 0.095 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// `1 234 567`, with spaces that do not break.
fn thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// The value of a figure, marked where its rounds differ by much.
pub fn marked(figure: &Figure, value: f64) -> String {
    format!("{}{}", mark(figure.spread), number(value))
}

/// What stands before a number whose rounds differ by this part of it.
pub fn mark(spread: f64) -> &'static str {
    if spread.abs() > RESTLESS { "~" } else { "" }
}

/// How often as much.
pub fn times(ratio: f64) -> String {
    format!("{}×", number(ratio))
}

/// A section that a reader opens.
pub fn folded(summary: &str, inside: &str) -> String {
    format!("<details><summary>{summary}</summary>\n\n{inside}\n</details>\n\n")
}

/// Contenders and backends as they are listed elsewhere: ours, then our peers.
pub fn order(figure: &Figure) -> (usize, usize, &str) {
    let mut contenders = Contender::ALL.iter().chain(&Contender::ASIDE);
    let contender = contenders.position(|known| known.name() == figure.contender);
    let backend = Backend::ALL.iter().position(|known| known.name() == figure.backend);
    (backend.unwrap_or(usize::MAX), contender.unwrap_or(usize::MAX), &figure.scenario)
}

/// `cloakroom-axum, redis`.
pub fn who(figure: &Figure) -> String {
    format!("{}, {}", figure.contender, figure.backend)
}

#[cfg(test)]
mod tests {
    use super::{Table, as_shown, number, times};

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0001, "0"),
            (3.0, "3"),
            (2.345, "2.35"),
            (0.0614, "0.061"),
            (0.5, "0.5"),
            (12.34, "12.3"),
            (-1.5, "-1.5"),
            (120.4, "120"),
            (100.0, "100"),
            (1_234_567.0, "1\u{a0}234\u{a0}567"),
            (-12_345.0, "-12\u{a0}345"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(times(1.05), "1.05×");
        let shown = [2048.4, 10.04, 1.304, 0.004, -0.0001].map(as_shown);
        assert_eq!(shown, [2048.0, 10.0, 1.3, 0.004, 0.0]);
    }

    #[test]
    fn a_cell_that_is_not_set_is_a_dash() {
        let mut table = Table::default();
        assert!(table.is_empty());
        table.set("one", "S3", "1".to_owned());
        table.set("two", "S4", "2".to_owned());
        assert_eq!(
            table.markdown("who"),
            "| who | S3 | S4 |\n|---|---:|---:|\n| one | 1 | – |\n| two | – | 2 |\n"
        );
    }
}
