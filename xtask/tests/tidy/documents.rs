//! Pages name what exists.

use std::collections::BTreeSet;
use std::fs;

use crate::source::words;
use crate::tree::Tree;

/// The names in backticks of a page: paths lead somewhere, and every word of the rest occurs in code or manifests.
pub(crate) fn names(tree: &Tree, page: &str) -> Vec<String> {
    let known = known_words(tree);
    let mut findings = Vec::new();
    for span in spans(page) {
        if is_path(span) {
            if !leads_somewhere(tree, span) {
                findings.push(format!("`{span}`: no such file"));
            }
        } else {
            let unknown = words(span).map(|(_, word)| word).filter(|word| !known.contains(*word));
            findings.extend(unknown.map(|word| format!("`{span}`: nothing is called {word}")));
        }
    }
    findings
}

/// The commands of a page that start something of this workspace: subcommands, packages, examples.
pub(crate) fn commands(tree: &Tree, page: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = page.lines().flat_map(|line| line.match_indices("cargo ").map(move |(at, _)| &line[at..]));
    for line in lines {
        let line = line.split(['`', '#', '|']).next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        if words.first() == Some(&"xtask") {
            let subcommand = words.get(1).copied().unwrap_or_default();
            let known = xtask::cli::SUBCOMMANDS.contains(&subcommand) || subcommand == "--help";
            if !known {
                findings.push(format!("{line}: no such subcommand"));
            }
        }
        for pair in words.windows(2).filter(|pair| ["-p", "--package"].contains(&pair[0])) {
            if !tree.has_crate(pair[1]) && is_name(pair[1]) {
                findings.push(format!("{line}: no such package"));
            }
        }
    }
    findings
}

/// The page says how to run the tests, in a fenced block.
pub(crate) fn test_command(_tree: &Tree, page: &str) -> Vec<String> {
    let fenced = page.split("```").skip(1).step_by(2);
    let found = fenced.flat_map(str::lines).any(|line| line.trim_start().starts_with("cargo xtask test"));
    if found { Vec::new() } else { vec!["no fenced block with `cargo xtask test`".to_owned()] }
}

/// An unreleased section on top, and crates that exist: `- **added** (cloakroom-redis): …`.
pub(crate) fn changelog(tree: &Tree, page: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let first = page.lines().find_map(|line| line.strip_prefix("## ")).unwrap_or_default();
    if first.trim_matches(['[', ']']) != "Unreleased" {
        findings.push("the first section is not `## Unreleased`".to_owned());
    }
    for line in page.lines().filter(|line| line.starts_with("- **")) {
        let crates = line.split_once("** (").and_then(|(_, rest)| rest.split_once("):"));
        match crates {
            None => findings.push(format!("{line}: not `- **verb** (crate): …`")),
            Some((crates, _)) => {
                let unknown = crates.split(", ").filter(|name| !tree.has_crate(name) && *name != "all");
                findings.extend(unknown.map(|name| format!("{line}: no crate is called {name}")));
            }
        }
    }
    findings
}

/// The inline code of a page.
fn spans(page: &str) -> Vec<&str> {
    let prose = page.split("```").step_by(2);
    prose.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

fn is_path(span: &str) -> bool {
    span.contains('/') || [".rs", ".md", ".toml"].iter().any(|end| span.ends_with(end))
}

/// A path from the root, from a crate, from a crate's sources, or a file's bare name.
fn leads_somewhere(tree: &Tree, span: &str) -> bool {
    let path = span.trim_end_matches('/');
    let homes = tree.crates.iter().map(|member| tree.root.join(&member.directory));
    let mut places: Vec<_> = homes.flat_map(|home| [home.join("src"), home]).collect();
    places.push(tree.root.clone());
    places.push(tree.root.join("crates"));
    let ends_so = |file: &str| file.ends_with(&format!("/{path}")) || file.ends_with(&format!("/{path}.rs"));
    places.iter().any(|place| place.join(path).exists()) || tree.files().any(|file| ends_so(&file.path))
}

fn known_words(tree: &Tree) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut add = |text: &str| known.extend(words(text).map(|(_, word)| word.to_owned()));
    for file in tree.files() {
        add(&file.text);
        add(&file.path);
    }
    for member in &tree.crates {
        add(&fs::read_to_string(tree.root.join(&member.directory).join("Cargo.toml")).unwrap_or_default());
    }
    for page in ["Cargo.toml", ".cargo/config.toml", "clippy.toml"] {
        add(&tree.page(page).unwrap_or_default());
    }
    xtask::cli::SUBCOMMANDS.iter().for_each(|subcommand| add(subcommand));
    ["cargo", "xtask", "test"].iter().for_each(|word| add(word));
    known
}

/// A package's name, not a placeholder.
fn is_name(word: &str) -> bool {
    word.chars().all(|character| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || "-_".contains(character)
    })
}

#[cfg(test)]
mod tests;
