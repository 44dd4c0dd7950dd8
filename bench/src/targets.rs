//! What was set out to be reached, and whether this run reached it.

mod list;
mod why;

use std::fmt;

use crate::figure::middle_and_spread;
use crate::report::run::Run;
use crate::report::table::{as_shown, mark, number, times};

pub use list::targets;

/// One thing to reach.
#[derive(Clone, Debug)]
pub struct Target {
    /// For people.
    pub what: String,
    /// What is measured, of us.
    pub ours: Reading,
    /// Who else is measured in the same way.
    pub peers: &'static [&'static str],
    pub measure: Measure,
    pub bound: Bound,
    /// What remains and why; said only where the target is missed.
    pub why: &'static str,
}

/// Which figure.
#[derive(Clone, Debug)]
pub struct Reading {
    pub section: &'static str,
    pub contender: &'static str,
    pub backend: &'static str,
    pub scenario: String,
    pub figure: &'static str,
    pub unit: &'static str,
    /// Whether the handlers without sessions are taken off.
    pub over_bare: bool,
}

/// What is held against the bound.
#[derive(Clone, Debug)]
pub enum Measure {
    /// The figure itself.
    Itself,
    /// How often as much as the best peer.
    AgainstPeers,
    /// How often as much as another figure.
    Against(Reading),
}

/// Where the target is met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Met,
    Missed,
    /// The run has no such figure.
    NotMeasured,
}

/// A target beside what a run says.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    pub target: &'a Target,
    /// What the bound is about, by how much its rounds differ, and of us alone.
    pub measured: Option<f64>,
    pub spread: f64,
    pub own: Option<f64>,
    /// Who is the best of the peers, and their value.
    pub best: Option<(&'static str, f64)>,
    pub verdict: Verdict,
}

impl Reading {
    fn value(&self, run: &Run, contender: &str) -> Option<f64> {
        let Self { section, backend, scenario, figure, .. } = self;
        if self.over_bare {
            run.over_bare([contender, backend, scenario, figure])
        } else {
            run.value([section, contender, backend, scenario, figure])
        }
    }

    fn rounds(&self, run: &Run, contender: &str) -> Option<Vec<f64>> {
        let Self { section, backend, scenario, figure, .. } = self;
        if self.over_bare {
            run.rounds_over_bare([contender, backend, scenario, figure])
        } else {
            run.rounds([section, contender, backend, scenario, figure])
        }
    }

    fn show(&self, value: f64) -> String {
        self.with_unit(&number(value))
    }

    fn with_unit(&self, number: &str) -> String {
        let space = if ["", "×"].contains(&self.unit) { "" } else { " " };
        format!("{number}{space}{}", self.unit)
    }
}

impl Target {
    /// How often as much as `other` of that contender, and by how much that differs.
    fn beside(&self, run: &Run, other: &Reading, contender: &str) -> Option<(f64, f64)> {
        let own = self.ours.rounds(run, self.ours.contender)?;
        let others = other.rounds(run, contender)?;
        if own.len() == others.len() {
            return ratio(&own, &others);
        }
        ratio(&[self.ours.value(run, self.ours.contender)?], &[other.value(run, contender)?])
    }

    /// What the run says of it.
    pub fn judge(&self, run: &Run) -> Outcome<'_> {
        let own = self.ours.value(run, self.ours.contender);
        let peers = self.peers.iter().filter_map(|peer| Some((*peer, self.ours.value(run, peer)?)));
        let best = match self.bound {
            Bound::AtMost(_) => peers.min_by(|one, other| one.1.total_cmp(&other.1)),
            Bound::AtLeast(_) => peers.max_by(|one, other| one.1.total_cmp(&other.1)),
        };
        let measured = match &self.measure {
            Measure::Itself => own.map(|own| {
                let rounds = self.ours.rounds(run, self.ours.contender).unwrap_or_default();
                (own, middle_and_spread(&rounds).1)
            }),
            Measure::AgainstPeers => best.and_then(|(peer, _)| self.beside(run, &self.ours, peer)),
            Measure::Against(other) => self.beside(run, other, other.contender),
        };
        let (measured, spread) = measured.unzip();
        let verdict = match measured {
            None => Verdict::NotMeasured,
            Some(measured) if self.bound.holds(measured) => Verdict::Met,
            Some(_) => Verdict::Missed,
        };
        Outcome { target: self, measured, spread: spread.unwrap_or_default(), own, best, verdict }
    }
}

/// The median of the ratios of what was measured in the same round, so that a machine that is now faster and now slower
/// decides nothing; that of the medians where rounds were not kept.
///
/// Nothing is said of what costs nothing, or less: its figure is noise.
fn ratio(ones: &[f64], others: &[f64]) -> Option<(f64, f64)> {
    let ratios: Vec<f64> =
        ones.iter().zip(others).filter(|(_, other)| **other > 0.0).map(|(one, other)| one / other).collect();
    (ratios.len() * 2 > others.len()).then(|| middle_and_spread(&ratios))
}

impl Bound {
    /// Whether the number that the page shows keeps to the target: whoever compares the two comes to the same end.
    fn holds(self, value: f64) -> bool {
        let shown = as_shown(value);
        match self {
            Self::AtMost(most) => shown <= most,
            Self::AtLeast(least) => shown >= least,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {}", number(*most)),
            Self::AtLeast(least) => write!(f, "≥ {}", number(*least)),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::NotMeasured => "not measured",
        })
    }
}

impl Outcome<'_> {
    fn is_ratio(&self) -> bool {
        !matches!(self.target.measure, Measure::Itself)
    }

    /// The cells of its row: what, the best peer, the target, what was measured, the verdict.
    pub fn cells(&self) -> [String; 5] {
        let ours = &self.target.ours;
        let best = self.best.map_or("–".to_owned(), |(who, value)| format!("{} ({who})", ours.show(value)));
        let bound = match self.is_ratio() {
            true => format!("{}×", self.target.bound),
            false => ours.with_unit(&self.target.bound.to_string()),
        };
        let measured = match (self.measured, self.own) {
            (Some(ratio), Some(own)) if self.is_ratio() => format!("{} ({})", times(ratio), ours.show(own)),
            (Some(value), _) => ours.show(value),
            (None, _) => "–".to_owned(),
        };
        let measured = format!("{}{measured}", mark(self.spread));
        [self.target.what.clone(), best, bound, measured, self.verdict.to_string()]
    }
}

#[cfg(test)]
mod tests;
