//! `cargo xtask ci`: everything that a change must pass.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;

use super::step;
use crate::{Error, Result, workspace};

#[cfg(test)]
mod tests;

/// The tests, where README.md does not say how to run them.
const FALLBACK: &str = "cargo xtask test";

pub(crate) fn run() -> Result<ExitCode> {
    let root = workspace::root();
    let mut failures = Vec::new();
    for command in checks(&root)? {
        if let Err(error) = step::run(command) {
            step::complain(&error);
            failures.push(error.to_string());
        }
    }
    if !failures.is_empty() {
        return Err(Error::new(format!("before any test:\n  {}", failures.join("\n  "))));
    }
    let readme = fs::read_to_string(root.join("README.md")).unwrap_or_default();
    let line = test_command(&readme).unwrap_or_else(|| {
        step::say("README.md names no test command");
        FALLBACK.to_owned()
    });
    step::say(&format!("$ {line}"));
    let status = typed(&root, &line)?.status().map_err(Error::io(format!("cannot run {line}")))?;
    // Nothing more is said: the last line is that of the tests.
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Format, lints, documentation, each published crate built by itself, and the bridges from other crates.
fn checks(root: &Path) -> Result<Vec<Command>> {
    let cargo = |arguments: &str| {
        let mut command = step::cargo();
        command.current_dir(root).args(arguments.split_whitespace());
        command
    };
    let mut documentation = cargo("doc --workspace --no-deps --all-features");
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    let mut commands = vec![
        cargo("fmt --all -- --check"),
        cargo("clippy --workspace --all-targets --all-features -- -D warnings"),
        documentation,
    ];
    let metadata = step::output(cargo("metadata --format-version 1 --no-deps"))?;
    for package in published(&metadata)? {
        // By itself: in the workspace another crate's features may fill a gap.
        commands.push(cargo(&format!("check -p {}", package.name)));
        if package.name == FRONT_DOOR {
            let alone = package.features.iter().filter(|feature| *feature != "default");
            commands.extend(alone.map(|feature| {
                cargo(&format!("check -p {FRONT_DOOR} --no-default-features --features {feature}"))
            }));
        }
    }
    // Workspaces of their own, whose other crates are in no lock file of ours, and would stop fitting with each of our
    // dependencies.
    for (manifest, target) in ALONE {
        commands.push(cargo(&format!("fmt --manifest-path {manifest} -- --check")));
        commands.push(cargo(&format!("test --manifest-path {manifest} --target-dir {target}")));
    }
    Ok(commands)
}

/// The manifests of the workspaces beside ours, and where they are built.
const ALONE: [(&str, &str); 2] =
    [("examples/moving/Cargo.toml", "target/moving"), ("bench/Cargo.toml", "target/bench")];
/// The crate whose features users choose from.
const FRONT_DOOR: &str = "cloakroom";

#[derive(Debug, Eq, PartialEq)]
struct Package {
    name: String,
    features: Vec<String>,
}

fn published(metadata: &str) -> Result<Vec<Package>> {
    let metadata: Value =
        serde_json::from_str(metadata).map_err(|error| Error::new(format!("cargo metadata: {error}")))?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let published = packages.filter(|package| package.get("publish").is_none_or(Value::is_null));
    let read = |package: &Value| {
        let name = package.get("name")?.as_str()?.to_owned();
        let features = package.get("features")?.as_object()?.keys().cloned().collect();
        Some(Package { name, features })
    };
    published
        .map(|package| read(package).ok_or_else(|| Error::new("cargo metadata: a package without a name")))
        .collect()
}

/// The command that a page gives for the tests: the line of a fenced block that runs `cargo xtask test`.
fn test_command(page: &str) -> Option<String> {
    let mut fenced = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced && line.trim_start().starts_with(FALLBACK) {
            let command = line.split(" #").next().unwrap_or(line);
            return Some(command.trim().to_owned());
        }
    }
    None
}

/// A line as it was typed, word by word; no shell reads it.
fn typed(root: &Path, line: &str) -> Result<Command> {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("cargo") => {
            let mut command = step::cargo();
            command.current_dir(root).args(words);
            Ok(command)
        }
        _ => Err(Error::new(format!("not a cargo command: {line}"))),
    }
}
