//! The test programs that Cargo builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::step;
use crate::{Error, Result};

/// One test program: the unit tests of a crate, or its integration tests.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Executable {
    program: PathBuf,
    /// Where Cargo would run it.
    directory: PathBuf,
    /// Package and target, for people: `cloakroom-redis tests/it.rs`.
    pub(crate) label: String,
}

/// How the programs are built.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Profile {
    /// Like `cargo test`.
    Test,
    /// Optimised.
    Release,
}

impl Executable {
    /// Builds all of the workspace's.
    pub(crate) fn build(root: &Path, profile: Profile) -> Result<Vec<Self>> {
        Self::build_those(root, profile, &["--workspace"])
    }

    /// Builds those of one package.
    pub(crate) fn build_package(root: &Path, profile: Profile, package: &str) -> Result<Vec<Self>> {
        Self::build_those(root, profile, &["--package", package])
    }

    fn build_those(root: &Path, profile: Profile, which: &[&str]) -> Result<Vec<Self>> {
        let mut command = step::cargo();
        command.current_dir(root).arg("test").args(which).args(["--all-features", "--no-run"]);
        if profile == Profile::Release {
            command.arg("--release");
        }
        command.arg("--message-format=json-render-diagnostics");
        let messages = step::output(command)?;
        messages.lines().filter_map(|line| parse(line).transpose()).collect()
    }

    /// The program with these arguments, to be run as Cargo would.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.directory).env("CARGO_MANIFEST_DIR", &self.directory).args(arguments);
        command
    }
}

/// Reads one of Cargo's messages: a test program, or something else.
pub(super) fn parse(message: &str) -> Result<Option<Executable>> {
    let Ok(message) = serde_json::from_str::<Value>(message) else {
        return Ok(None);
    };
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    let is_test = message.pointer("/profile/test") == Some(&Value::Bool(true));
    let (Some("compiler-artifact"), true, Some(program)) = (text("/reason"), is_test, text("/executable"))
    else {
        return Ok(None);
    };
    let (Some(manifest), Some(source)) = (text("/manifest_path"), text("/target/src_path")) else {
        return Err(Error::new(format!("cargo does not say where {program} comes from")));
    };
    let directory = Path::new(manifest).parent().unwrap_or(Path::new("/")).to_owned();
    let package = directory.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let source = Path::new(source).strip_prefix(&directory).unwrap_or(Path::new(source));
    let label = format!("{package} {}", source.display());
    Ok(Some(Executable { program: program.into(), directory, label }))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn test_programs_are_found_among_cargos_messages() {
        let test = r#"{"reason":"compiler-artifact","manifest_path":"/w/crates/a/Cargo.toml",
            "target":{"src_path":"/w/crates/a/tests/it.rs"},"profile":{"test":true},"executable":"/w/t/it-1"}"#;
        assert_eq!(parse(test).unwrap().unwrap().label, "a tests/it.rs");
        assert_eq!(parse(&test.replace("true", "false")).unwrap(), None);
        assert_eq!(parse(&test.replace("\"/w/t/it-1\"", "null")).unwrap(), None);
        assert_eq!(parse(r#"{"reason":"build-finished","success":true}"#).unwrap(), None);
        assert!(parse(&test.replace("src_path", "path")).is_err());
    }
}
