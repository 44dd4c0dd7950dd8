//! An ignored test has a reason: what it needs, how long it takes, what it measures, or why it does not apply.
//! `cargo xtask` decides by these.

use crate::source::{line_of, occurrences};
use crate::tree::{SourceFile, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<String> {
    tree.files().flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<String> {
    let code = &file.views.code;
    let mut findings = Vec::new();
    // A macro that hands a reason on is judged where the reason stands.
    for at in occurrences(code, "#[ignore").filter(|at| !file.text[*at..].starts_with("#[ignore = $")) {
        let reason = file.text[at..].strip_prefix("#[ignore = \"").and_then(|rest| rest.split('"').next());
        let measures = function_after(code, at).is_some_and(|name| name.starts_with("measure_"));
        let good = match reason {
            Some(reason) if measures => reason.starts_with("measures "),
            Some(reason) => ["needs ", "takes ", "faults "].iter().any(|start| reason.starts_with(start)),
            None => false,
        };
        if !good {
            let line = line_of(code, at);
            findings.push(format!(
                "{}:{line}: the reason of an ignored test begins with `needs `, `takes ` or `faults `; with `measures ` if the \
                 test's name begins with `measure_`",
                file.path
            ));
        }
    }
    findings
}

/// The name of the function that an attribute stands on; none where it is an argument of a macro.
fn function_after(code: &str, at: usize) -> Option<&str> {
    let rest = &code[at..];
    let start = occurrences(rest, "fn ").next()?;
    let is_argument = rest[..start].contains([')', ';', '}']);
    let name = rest[start + 3..].split(|character: char| !crate::source::is_word_character(character)).next();
    name.filter(|_| !is_argument)
}

#[test]
fn ignored_tests_without_a_known_reason_are_found() {
    use crate::planted::in_file;
    let it = "crates/a/tests/it.rs";
    assert_eq!(in_file(it, "#[test]\n#[ignore]\nfn a() {}\n", check), 1);
    assert_eq!(in_file(it, "#[test]\n#[ignore = \"flaky\"]\nfn a() {}\n", check), 1);
    assert_eq!(in_file(it, "#[test]\n#[ignore = \"measures a\"]\nfn a() {}\n", check), 1);
    assert_eq!(in_file(it, "#[test]\n#[ignore = \"needs redis\"]\nfn measure_a() {}\n", check), 1);
    assert_eq!(in_file(it, "laws!(A, #[ignore = \"slow\"]);\nfn measure_a() {}\n", check), 1);
    let good = "laws!(A, #[ignore = \"needs redis: run it\"]);\nfn measure_b() {}\n#[test]\n\
        #[ignore = \"measures logins\"]\nfn measure_a() {}\n#[ignore = \"needs redis\"]\nasync fn c() {}\n";
    assert_eq!(in_file(it, good, check), 0);
    assert_eq!(in_file(it, "#[ignore = \"takes a minute\"]\nfn a() {}\n", check), 0);
    assert_eq!(in_file(it, "#[ignore = \"faults redis: run it\"]\nfn a() {}\n", check), 0);
    // Only a list of tests says what does not apply, and hands the reason on.
    assert_eq!(in_file(it, "#[ignore = $why]\nfn a() {}\n", check), 0);
    assert_eq!(in_file(it, "#[ignore = \"does not apply: it is hard\"]\nfn a() {}\n", check), 1);
}
