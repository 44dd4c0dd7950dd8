//! The programs under test, as child processes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a program may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program of this workspace; it is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    _child: Child,
    address: SocketAddr,
}

impl Program {
    /// Starts one, and waits until it says where it listens.
    pub(crate) async fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(find(name));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.expect("it listens in time");
        let mut errors = child.stderr.take().expect("it has an output for errors");
        let Some(line) = first.expect("it can be read") else {
            let mut told = String::new();
            let _ = timeout(PATIENCE, errors.read_to_string(&mut told)).await;
            panic!("{name} ended before it listened: {told}");
        };
        // Or it would wait for a reader in the middle of its work.
        tokio::spawn(async move { tokio::io::copy(&mut errors, &mut tokio::io::sink()).await });
        let address = line.strip_prefix("listening on http://").expect("its line says where it listens");
        Self { _child: child, address: address.parse().expect("an address") }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Where Cargo puts what comes of a run.
pub(crate) fn artefacts() -> PathBuf {
    programs().parent().expect("the target directory").to_owned()
}

/// Where Cargo puts programs: above the directory of this test.
fn programs() -> PathBuf {
    let own = std::env::current_exe().expect("this is a program");
    own.parent().and_then(Path::parent).expect("Cargo's directory").to_owned()
}

fn find(name: &str) -> PathBuf {
    let program = programs().join(name);
    assert!(program.is_file(), "{name} is not built: run `cargo build --package {name}`");
    if let Some(source) = newer_source(&program) {
        println!("{name} is older than {source}; `cargo build --package {name}` builds it anew");
    }
    program
}

/// A source file that has changed since the program was built; the suite builds everything before it runs anything.
fn newer_source(program: &Path) -> Option<String> {
    let changed = |file: &Path| fs::metadata(file).and_then(|meta| meta.modified()).ok();
    let built = changed(program)?;
    let list = fs::read_to_string(program.with_extension("d")).ok()?;
    let sources = list.split_once(": ")?.1.split_whitespace();
    sources.filter(|source| changed(Path::new(source)) > Some(built)).map(str::to_owned).next()
}
