//! Files of figures: headers, and lines of JSON below them.

use serde_json::Value;

use super::section::Section;

/// What a line says it belongs to; `None` for a header.
fn section(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    Some(line.get("section")?.as_str()?.to_owned())
}

/// The lines that stay when sections are measured anew: those of the others, below their headers.
pub(super) fn without(lines: &str, sections: &[&str]) -> String {
    let (mut kept, mut header) = (String::new(), None);
    for line in lines.lines().filter(|line| line.starts_with('{')) {
        match section(line) {
            None => header = Some(line),
            Some(name) if sections.contains(&&*name) => {}
            Some(_) => {
                for line in header.take().into_iter().chain([line]) {
                    kept.push_str(line);
                    kept.push('\n');
                }
            }
        }
    }
    kept
}

/// Whether each section has figures.
pub(super) fn is_complete(lines: &str) -> bool {
    let found: Vec<String> = lines.lines().filter_map(section).collect();
    Section::ALL.into_iter().all(|section| found.iter().any(|name| name == section.in_figures()))
}

#[cfg(test)]
mod tests {
    use super::{Section, is_complete, without};

    #[test]
    fn what_is_measured_anew_goes_with_its_header() {
        let lines = "{\"machine\":1}\n{\"section\":\"a\",\"value\":1}\n{\"machine\":2}\n{\"section\":\"b\"}\n{\"section\":\"a\",\"value\":2}\n";
        assert_eq!(without(lines, &["a"]), "{\"machine\":2}\n{\"section\":\"b\"}\n");
        assert_eq!(without(lines, &["b"]), lines.replace("{\"section\":\"b\"}\n", ""));
        assert_eq!(without(lines, &["c"]), lines);
        assert_eq!(without(lines, &["a", "b"]), "");
    }

    #[test]
    fn figures_are_complete_with_all_sections() {
        let line = |section: Section| format!("{{\"section\":\"{}\"}}\n", section.in_figures());
        let lines: String = Section::ALL.into_iter().map(line).collect();
        assert!(is_complete(&lines));
        assert!(!is_complete(&lines.replace("curves", "conflicts")));
        assert!(!is_complete(""));
    }
}
