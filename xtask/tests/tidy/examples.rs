//! No example of the documentation is ignored: it would rot unseen.

use crate::source::line_of;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.files() {
        findings.extend(fences(&file.views.comments).map(|line| found(&file.path, line)));
    }
    for member in &tree.crates {
        let path = format!("{}/README.md", member.directory);
        let page = tree.page(&path).unwrap_or_default();
        findings.extend(fences(&page).map(|line| found(&path, line)));
    }
    findings
}

fn found(path: &str, line: usize) -> String {
    format!("{path}:{line}: an ignored example; use `no_run`, `compile_fail`, `text` or make it run")
}

/// The lines of fences whose words contain `ignore`.
fn fences(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices("```").filter_map(move |(at, _)| {
        let information = text[at + 3..].lines().next().unwrap_or_default();
        let ignored = information.split([',', ' ']).any(|word| word.starts_with("ignore"));
        ignored.then(|| line_of(text, at))
    })
}

#[test]
fn ignored_examples_are_found() {
    use crate::planted::in_file;
    let lib = "crates/a/src/lib.rs";
    assert_eq!(in_file(lib, "/// ```ignore\n/// a\n/// ```\n", check), 1);
    assert_eq!(in_file(lib, "//! ```rust,ignore\n//! ```\n", check), 1);
    assert_eq!(in_file("crates/a/README.md", "```rust, ignore-windows\n```\n", check), 1);
    assert_eq!(
        in_file(lib, "/// ```no_run\n/// ignore\n/// ```\nconst A: &str = \"```ignore\";\n", check),
        0
    );
}
