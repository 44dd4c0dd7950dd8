//! The lines of a file of figures, read and found again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::figure::Figure;
use crate::machine::Header;

/// The parts of a run, by the names that the figures have.
pub const SECTIONS: [&str; 7] = ["costs", "singles", "load", "curves", "conflicts", "memory_store", "builds"];

/// Where a figure stands: section, contender, backend, scenario and what was measured.
type Place = [String; 5];

/// All figures of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// In the order of the file: the first for all, the others for sections that were measured anew.
    headers: Vec<(Header, Vec<String>)>,
    figures: BTreeMap<Place, Figure>,
}

impl Run {
    /// Reads a header and the figures below it, and again, until the end.
    ///
    /// A figure twice is an error, and so are sections that were measured on different machines or versions.
    pub fn parse(text: &str) -> Result<Self> {
        let mut run = Self { headers: Vec::new(), figures: BTreeMap::new() };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        for (number, line) in lines {
            run.take(line).with_context(|| format!("line {}", number + 1))?;
        }
        ensure!(!run.headers.is_empty(), "there is no header");
        Ok(run)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        if let Ok(header) = serde_json::from_str::<Header>(line) {
            if let Some((first, _)) = self.headers.first() {
                // A section names the servers that it needs.
                let agrees = |(name, version)| header.versions.get(name).is_none_or(|other| other == version);
                let same = first.machine == header.machine && first.versions.iter().all(agrees);
                ensure!(same, "this was measured on another machine, or with other versions, than the rest");
            }
            self.headers.push((header, Vec::new()));
            return Ok(());
        }
        let mut line: Value = serde_json::from_str(line)?;
        // JSON has no word for what is no number, as of rounds that never were.
        if line.get("value") == Some(&Value::Null) {
            return Ok(());
        }
        if let Some(spread) = line.get_mut("spread").filter(|spread| spread.is_null()) {
            *spread = 0.into();
        }
        let figure: Figure = serde_json::from_value(line)?;
        ensure!(SECTIONS.contains(&&*figure.section), "no section {}", figure.section);
        let (_, sections) = self.headers.last_mut().context("a figure before the header")?;
        if !sections.contains(&figure.section) {
            sections.push(figure.section.clone());
        }
        let Figure { section, contender, backend, scenario, figure: what, .. } = &figure;
        let place = [section, contender, backend, scenario, what].map(String::clone);
        match self.figures.entry(place) {
            Entry::Vacant(vacant) => drop(vacant.insert(figure)),
            Entry::Occupied(there) => bail!("a second time: {}", there.key().join(", ")),
        }
        Ok(())
    }

    pub fn first(&self) -> Option<&Header> {
        self.headers.first().map(|(header, _)| header)
    }

    /// Each header that has figures, with their sections.
    pub fn headers(&self) -> impl Iterator<Item = (&Header, &[String])> {
        let measured = self.headers.iter().filter(|(_, sections)| !sections.is_empty());
        measured.map(|(header, sections)| (header, &**sections))
    }

    pub fn get(&self, place: [&str; 5]) -> Option<&Figure> {
        self.figures.get(&place.map(str::to_owned))
    }

    pub fn value(&self, place: [&str; 5]) -> Option<f64> {
        self.get(place).map(|figure| figure.value).filter(|value| value.is_finite())
    }

    /// The same less what the handlers without sessions cost; of the section `costs`.
    pub fn over_bare(&self, [contender, backend, scenario, figure]: [&str; 4]) -> Option<f64> {
        let value = self.value(["costs", contender, backend, scenario, figure])?;
        Some(value - self.value(["costs", bare(contender), "none", floor(scenario), figure])?)
    }

    /// The rounds of a figure, in their order.
    pub fn rounds(&self, place: [&str; 5]) -> Option<Vec<f64>> {
        let figure = self.get(place).filter(|figure| figure.value.is_finite())?;
        Some(if figure.each.is_empty() { vec![figure.value] } else { figure.each.clone() })
    }

    /// The same less what the handlers without sessions cost: in that round, where they took turns with it.
    pub fn rounds_over_bare(&self, [contender, backend, scenario, figure]: [&str; 4]) -> Option<Vec<f64>> {
        let mut rounds = self.rounds(["costs", contender, backend, scenario, figure])?;
        let floors = self.rounds(["costs", bare(contender), "none", floor(scenario), figure])?;
        let floor = self.value(["costs", bare(contender), "none", floor(scenario), figure])?;
        let together = backend == "memory" && floors.len() == rounds.len();
        for (at, round) in rounds.iter_mut().enumerate() {
            *round -= floors.get(at).copied().filter(|_| together).unwrap_or(floor);
        }
        Some(rounds)
    }

    pub fn section<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Figure> {
        self.figures.values().filter(move |figure| figure.section == name)
    }
}

/// Handlers on the same framework without sessions.
pub fn bare(contender: &str) -> &'static str {
    if contender.contains("actix") { "bare-actix" } else { "bare-axum" }
}

/// What a request without a session costs, if it brings as much.
fn floor(scenario: &str) -> &'static str {
    if ["S0", "S1", "S6"].contains(&scenario) { "S0" } else { "S0 cookie" }
}

#[cfg(test)]
mod tests {
    use super::{Run, bare};
    use crate::cell::{Contender, Framework};
    use crate::report::tests::{HEADER, line};

    #[test]
    fn a_figure_twice_or_of_an_unknown_section_is_an_error() {
        let one = line(["costs", "cloakroom-axum", "memory", "S3", "cpu"], 1.0);
        assert!(Run::parse(&format!("{HEADER}\n{one}\n")).is_ok());
        let error = Run::parse(&format!("{HEADER}\n{one}\n{one}\n")).unwrap_err();
        assert!(format!("{error:#}").contains("a second time"), "{error:#}");
        let other = line(["cots", "cloakroom-axum", "memory", "S3", "cpu"], 1.0);
        let error = Run::parse(&format!("{HEADER}\n{other}\n")).unwrap_err();
        assert!(format!("{error:#}").contains("no section cots"), "{error:#}");
    }

    #[test]
    fn figures_have_a_header() {
        let one = line(["costs", "cloakroom-axum", "memory", "S3", "cpu"], 1.0);
        assert!(Run::parse("").is_err());
        assert!(Run::parse(&one).is_err());
        assert!(Run::parse(&format!("{HEADER}\nnonsense\n")).is_err());
        assert!(Run::parse(&format!("{HEADER}\n{{}}\n")).is_err());
    }

    #[test]
    fn what_is_no_number_was_not_measured() {
        let place = ["costs", "cloakroom-axum", "memory", "S3", "cpu"];
        let run = Run::parse(&format!("{HEADER}\n{}\n", line(place, f64::NAN))).unwrap();
        assert_eq!(run.value(place), None);
    }

    #[test]
    fn sections_may_be_measured_anew_with_the_same_versions() {
        let one = line(["costs", "cloakroom-axum", "memory", "S3", "cpu"], 1.0);
        let two = line(["load", "cloakroom-axum", "memory", "S3 c32", "p50"], 1.0);
        let run = Run::parse(&format!("{HEADER}\n{one}\n{HEADER}\n{HEADER}\n{two}\n")).unwrap();
        let sections: Vec<&[String]> = run.headers().map(|(_, sections)| sections).collect();
        assert_eq!(sections, [["costs"], ["load"]]);
        let other = HEADER.replace("1.90.0", "1.91.0");
        assert!(Run::parse(&format!("{HEADER}\n{one}\n{other}\n{two}\n")).is_err());
        let fewer = HEADER.replace(",\"axum\":\"0.8.9\"", "");
        assert_ne!(fewer, HEADER);
        assert!(Run::parse(&format!("{HEADER}\n{one}\n{fewer}\n{two}\n")).is_ok(), "without a server");
    }

    #[test]
    fn bare_handlers_are_taken_off_with_a_cookie_where_the_request_has_one() {
        let lines = [
            line(["costs", "bare-axum", "none", "S0", "cpu"], 1.0),
            line(["costs", "bare-axum", "none", "S0 cookie", "cpu"], 1.5),
            line(["costs", "bare-actix", "none", "S0", "cpu"], 10.0),
            line(["costs", "cloakroom-axum", "memory", "S1", "cpu"], 3.0),
            line(["costs", "cloakroom-axum", "memory", "S2", "cpu"], 3.0),
            line(["costs", "cloakroom-axum", "memory", "S6", "cpu"], 3.0),
            line(["costs", "cloakroom-actix", "memory", "S1", "cpu"], 30.0),
            line(["costs", "cloakroom-actix", "memory", "S2", "cpu"], 30.0),
        ];
        let run = Run::parse(&format!("{HEADER}\n{}\n", lines.join("\n"))).unwrap();
        let over = |who, scenario| run.over_bare([who, "memory", scenario, "cpu"]);
        assert_eq!(over("cloakroom-axum", "S1"), Some(2.0));
        assert_eq!(over("cloakroom-axum", "S2"), Some(1.5));
        assert_eq!(over("cloakroom-axum", "S6"), Some(2.0));
        assert_eq!(over("cloakroom-actix", "S1"), Some(20.0));
        assert_eq!(over("cloakroom-actix", "S2"), None, "no bare figure");
        assert_eq!(over("cloakroom-axum", "S3"), None);
    }

    #[test]
    fn each_contender_is_held_against_its_own_framework() {
        for contender in Contender::ALL {
            let name = match contender.framework() {
                Framework::Axum => "bare-axum",
                Framework::Actix => "bare-actix",
            };
            assert_eq!(bare(contender.name()), name, "{}", contender.name());
        }
    }
}
