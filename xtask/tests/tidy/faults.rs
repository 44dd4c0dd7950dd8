//! Planted faults name what exists, so that they cannot rot.

use std::collections::BTreeSet;

use xtask::fault::Fault;

use crate::behaviours::functions;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<String> {
    let faults = match Fault::all(&tree.root) {
        Ok(faults) => faults,
        Err(error) => return vec![error.to_string()],
    };
    let functions = functions(tree);
    faults.iter().flat_map(|fault| defects(tree, &functions, fault)).collect()
}

fn defects(tree: &Tree, functions: &BTreeSet<&str>, fault: &Fault) -> Vec<String> {
    let mut findings = Vec::new();
    match tree.page(fault.file()) {
        None => findings.push(format!("{}.fault: no file {}", fault.name(), fault.file())),
        Some(source) => findings.extend(fault.plant(&source).err().map(|error| error.to_string())),
    }
    for proof in fault.fails() {
        if !tree.has_crate(proof.package()) {
            findings.push(format!("{}.fault: no package {}", fault.name(), proof.package()));
        }
        if !functions.contains(proof.function()) {
            findings.push(format!("{}.fault: no test {}", fault.name(), proof.test()));
        }
    }
    findings
}

#[test]
fn faults_that_have_rotted_are_found() {
    use crate::planted::Planted;
    let found = |from: &str, to: &str| {
        let fault =
            "# W.\nfile: crates/a/src/lib.rs\nfails: -p a --lib tests::t\nreplace:\n{ 1 }\nwith:\n{ 2 }\n";
        assert!(fault.contains(from));
        let tree = Planted::new()
            .member("crates/a")
            .file("crates/a/src/lib.rs", "fn one() -> u8 { 1 }\n#[test] fn t() {}")
            .file("xtask/planted/one-is-two.fault", &fault.replacen(from, to, 1));
        check(&tree.tree()).len()
    };
    assert_eq!(found("W", "W"), 0);
    assert_eq!(found("src/lib.rs", "src/other.rs"), 1);
    assert_eq!(found("{ 1 }", "{ 3 }"), 1);
    assert_eq!(found("{ 1 }", "}"), 1, "in two places");
    assert_eq!(found("-p a ", "-p b "), 1);
    assert_eq!(found("tests::t", "tests::u"), 1);
    assert_eq!(found("replace:", "displace:"), 1);
}
