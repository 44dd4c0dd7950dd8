//! The program of which there are three instances.

use std::path::PathBuf;
use std::process::Stdio;

use fleet::{Error, Result};
use serde_json::Value;
use tokio::process::Command;

/// Builds the testbed; Cargo says on standard error what it does.
pub(crate) async fn build() -> Result<PathBuf> {
    let trouble = |what: String| Error::Trouble(what);
    let mut command = Command::from(xtask::cargo());
    // Cargo finds the workspace from here, wherever this was called.
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["build", "--package", "testbed", "--bin", "testbed"]);
    command.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stderr(Stdio::inherit());
    let output =
        command.output().await.map_err(|error| trouble(format!("the testbed cannot be built: {error}")))?;
    if !output.status.success() {
        return Err(trouble(format!("the testbed cannot be built: cargo ended with {}", output.status)));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let built = messages.lines().filter_map(program).next_back();
    built.ok_or_else(|| trouble("cargo does not say where the testbed is".to_owned()))
}

/// Where one of Cargo's messages says that the program is.
fn program(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_testbed = message.pointer("/target/name")? == "testbed";
    is_testbed.then(|| message.get("executable")?.as_str().map(PathBuf::from))?
}
