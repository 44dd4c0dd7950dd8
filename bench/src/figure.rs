//! One measured number.

use serde::{Deserialize, Serialize};

/// One measured number: the median of its rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The part of the run: `memory_store`, `load`, `curves`, `conflicts`, `builds`.
    pub section: String,
    pub contender: String,
    pub backend: String,
    /// `S0` to `S7`, or what stands in its place in this section.
    pub scenario: String,
    /// What was measured.
    pub figure: String,
    pub value: f64,
    pub unit: String,
    pub rounds: usize,
    /// The greatest less the least of the rounds, as a part of the median.
    pub spread: f64,
    /// The rounds, in the order in which they were measured, where there is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<f64>,
    /// How many tasks waited for a processor, over the minute before it was printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
}

impl Figure {
    /// The median of `rounds`, of which there must be one.
    pub fn of_rounds(section: &str, who: [&str; 3], figure: &str, unit: &str, rounds: &[f64]) -> Self {
        let (value, spread) = middle_and_spread(rounds);
        let [contender, backend, scenario] = who.map(str::to_owned);
        Self {
            section: section.to_owned(),
            contender,
            backend,
            scenario,
            figure: figure.to_owned(),
            value,
            unit: unit.to_owned(),
            rounds: rounds.len(),
            spread,
            each: if rounds.len() > 1 { rounds.to_vec() } else { Vec::new() },
            load: None,
        }
    }

    /// Prints it as one line of JSON, with the load of the machine.
    pub fn print(&self) -> anyhow::Result<()> {
        let load = Some(crate::machine::load()?.parse()?);
        println!("{}", serde_json::to_string(&Self { load, ..self.clone() })?);
        Ok(())
    }
}

/// The median, and the greatest less the least as a part of it.
pub fn middle_and_spread(rounds: &[f64]) -> (f64, f64) {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = median(&sorted);
    let (least, greatest) =
        (sorted.first().copied().unwrap_or(f64::NAN), sorted.last().copied().unwrap_or(f64::NAN));
    (middle, if middle == 0.0 { 0.0 } else { (greatest - least) / middle.abs() })
}

/// The middle of sorted numbers, or the mean of the two in the middle.
pub fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (Some(odd), 1) => *odd,
        (Some(upper), _) => {
            sorted.get(middle.wrapping_sub(1)).map_or(f64::NAN, |lower| (lower + upper) / 2.0)
        }
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::Figure;

    #[test]
    fn a_figure_is_the_median_of_its_rounds_with_their_spread() {
        let of = |rounds: &[f64]| Figure::of_rounds("load", ["a", "b", "S3"], "x", "1/s", rounds);
        assert_eq!((of(&[3.0, 1.0, 2.0]).value, of(&[3.0, 1.0, 2.0]).spread), (2.0, 1.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]).value, 2.5);
        assert_eq!((of(&[0.0, 0.0]).value, of(&[0.0, 0.0]).spread), (0.0, 0.0));
        assert!(of(&[]).value.is_nan());
    }
}
