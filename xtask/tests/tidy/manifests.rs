//! What can be inherited is inherited, and what cannot be is there.

use crate::tree::{Crate, Tree};

/// Crates whose newest dependency asks for a newer compiler than the workspace promises.
const OWN_RUST_VERSION: [&str; 4] = ["cloakroom-sqlx", "cloakroom-faults", "accounts", "testbed"];

pub(crate) fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for member in &tree.crates {
        let problems = shared(member).into_iter().chain(described(tree, member));
        findings.extend(problems.map(|problem| format!("{}/Cargo.toml: {problem}", member.directory)));
    }
    findings
}

/// What holds for every member.
fn shared(member: &Crate) -> Vec<String> {
    let mut problems = Vec::new();
    if member.manifest.get("lints", "workspace") != Some("true") {
        problems.push("no `[lints] workspace = true`".to_owned());
    }
    for key in ["version", "edition", "rust-version", "license"] {
        let exempt = key == "rust-version" && OWN_RUST_VERSION.contains(&member.name());
        if member.manifest.get("package", &format!("{key}.workspace")) != Some("true") && !exempt {
            problems.push(format!("`{key}` is not inherited"));
        }
    }
    let listed = member.manifest.entries().iter().filter(|entry| entry.section.ends_with("dependencies"));
    for entry in listed {
        let (key, value) = (&entry.key, &entry.value);
        let inherited = key.ends_with(".workspace") || value.contains("workspace = true");
        let local = value.contains("path = ") && !value.contains("version = ");
        if !inherited && !local {
            problems.push(format!("the version of `{key}` is not inherited"));
        }
    }
    problems
}

/// What holds for members that strangers find in a registry.
fn described(tree: &Tree, member: &Crate) -> Vec<String> {
    let mut problems = Vec::new();
    if member.manifest.get("package", "description").is_none() {
        problems.push("no description".to_owned());
    }
    if !member.is_published() {
        return problems;
    }
    if member.manifest.get("package.metadata.docs.rs", "all-features") != Some("true") {
        problems.push("no `[package.metadata.docs.rs] all-features = true`".to_owned());
    }
    let page = tree.page(&format!("{}/README.md", member.directory)).unwrap_or_default();
    if page.trim().is_empty() {
        problems.push("no README.md".to_owned());
    }
    problems
}

#[test]
fn defects_of_manifests_are_found() {
    use crate::planted::{MANIFEST, in_file};
    let found = |manifest: &str| in_file("crates/a/Cargo.toml", manifest, check);
    assert_eq!(found(MANIFEST), 0);
    for line in ["workspace = true", "edition.workspace = true", "all-features = true", "description = \"d\""]
    {
        assert!(found(&MANIFEST.replace(line, "")) > 0, "{line}");
    }
    assert_eq!(found(&MANIFEST.replace("version.workspace = true", "version = \"1.0.0\"")), 2);
    let with = |line: &str| found(&format!("{MANIFEST}\n[dependencies]\n{line}\n"));
    assert_eq!(with("serde = \"1\""), 1);
    assert_eq!(with("serde = { version = \"1\", features = [\"derive\"] }"), 1);
    assert_eq!(with("serde.workspace = true\ntokio = { workspace = true, features = [\"rt\"] }"), 0);
    assert_eq!(with("a = { path = \"../a\" }"), 0);
    assert_eq!(with("a = { path = \"../a\", version = \"1\" }"), 1);
    assert_eq!(in_file("crates/a/README.md", "\n", check), 1);
}
