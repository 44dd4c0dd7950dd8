//! Every `.rs` file is reachable from the root of a target; a forgotten `mod` line hides code and its tests.

use std::collections::BTreeSet;

use crate::source::{line_of, occurrences};
use crate::tree::{Crate, SourceFile, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<String> {
    tree.crates.iter().flat_map(orphans).collect()
}

fn orphans(member: &Crate) -> Vec<String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<String> = member.files.iter().map(|file| file.path.clone()).collect();
    next.retain(|path| is_root(member, path));
    while let Some(path) = next.pop() {
        if reached.insert(path.clone())
            && let Some(file) = member.files.iter().find(|file| file.path == path)
        {
            next.extend(modules(member, file));
        }
    }
    let orphans = member.files.iter().filter(|file| !reached.contains(&file.path));
    orphans.map(|file| format!("{}: no `mod` leads to it", file.path)).collect()
}

/// Whether Cargo finds it by itself.
fn is_root(member: &Crate, path: &str) -> bool {
    let inside: Vec<&str> = path.trim_start_matches(&member.directory).split('/').skip(1).collect();
    matches!(
        inside.as_slice(),
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "examples" | "benches", _]
            | ["tests" | "examples" | "benches", _, "main.rs"]
    )
}

/// The files that the `mod name;` lines of a file lead to.
fn modules(member: &Crate, file: &SourceFile) -> Vec<String> {
    let (parent, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let stem = name.trim_end_matches(".rs");
    let owns_folder = stem == "mod" || is_root(member, &file.path);
    let folder = if owns_folder { parent.to_owned() } else { format!("{parent}/{stem}") };
    let code = &file.views.code;
    let mut found = Vec::new();
    for at in occurrences(code, "mod ") {
        let rest = &code[at + "mod ".len()..];
        let Some((module, _)) = rest.split_once(';').filter(|(module, _)| !module.contains(['{', '\n']))
        else {
            continue;
        };
        match path_attribute(file, at) {
            Some(path) => found.push(format!("{parent}/{path}")),
            None => {
                let module = module.trim().trim_start_matches("r#");
                found.push(format!("{folder}/{module}.rs"));
                found.push(format!("{folder}/{module}/mod.rs"));
            }
        }
    }
    found
}

/// The path of a `#[path = "…"]` on the line before.
fn path_attribute(file: &SourceFile, at: usize) -> Option<&str> {
    let line = line_of(&file.text, at).checked_sub(2)?;
    let attribute = file.text.lines().nth(line)?.trim();
    attribute.strip_prefix("#[path = \"")?.strip_suffix("\"]")
}

#[test]
fn a_file_that_no_mod_line_names_is_found() {
    let planted = crate::planted::Planted::new()
        .member("crates/a")
        .file(
            "crates/a/src/lib.rs",
            "// mod lost;\nmod kept;\npub mod inner { }\n#[path = \"odd/name.rs\"]\nmod odd;\n",
        )
        .file("crates/a/src/kept.rs", "mod deep;")
        .file("crates/a/src/kept/deep.rs", "")
        .file("crates/a/src/odd/name.rs", "")
        .file("crates/a/src/lost.rs", "")
        .file("crates/a/src/kept/lost.rs", "")
        .file("crates/a/tests/it/main.rs", "mod story;")
        .file("crates/a/tests/it/story.rs", "")
        .file("crates/a/tests/it/lost.rs", "")
        .file("crates/a/tests/other.rs", "");
    let found = check(&planted.tree());
    let expected = ["crates/a/src/kept/lost.rs", "crates/a/src/lost.rs", "crates/a/tests/it/lost.rs"];
    assert_eq!(found, expected.map(|path| format!("{path}: no `mod` leads to it")));
}
