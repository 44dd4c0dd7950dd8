//! The testbed as a child process.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use cloakroom_conformance::stories::{Instance, Settings};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long the program may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The two adapters.
pub(crate) const ADAPTERS: [&str; 2] = ["axum", "actix"];

/// A running testbed; it is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Testbed {
    child: Child,
    address: SocketAddr,
}

/// How a testbed ended that was not meant to run on.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Testbed {
    /// Starts one on a free port, and waits until it listens.
    pub(crate) async fn start(adapter: &str, store: &str, settings: &Settings) -> Self {
        Self::start_with(adapter, store, settings, &[]).await
    }

    /// Starts one with further arguments.
    pub(crate) async fn start_with(
        adapter: &str,
        store: &str,
        settings: &Settings,
        arguments: &[&str],
    ) -> Self {
        let mut command = command();
        command.args(["--adapter", adapter, "--store", store]).args(settings.arguments()).args(arguments);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the testbed starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
        let first =
            timeout(PATIENCE, lines.next_line()).await.expect("it listens in time").expect("it can be read");
        let line = first.unwrap_or_else(|| panic!("the testbed ended before it listened"));
        let address = line.strip_prefix("listening on http://").expect("its only line says where it listens");
        let address = address.parse().expect("an address");
        Self { child, address }
    }

    /// Sends `SIGTERM`, and returns the code with which it ended.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().expect("it runs");
        let id = rustix::process::Pid::from_raw(i32::try_from(id).expect("a process id")).expect("not zero");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
        timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends in time")
            .expect("it can be waited for")
            .code()
    }
}

impl Instance for Testbed {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Runs the program until it ends by itself.
pub(crate) async fn run(arguments: &[&str]) -> Ended {
    let mut child = command()
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the testbed starts");
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let all = async {
        let (a, b, status) =
            tokio::join!(out.read_to_string(&mut stdout), err.read_to_string(&mut stderr), child.wait());
        a.expect("text");
        b.expect("text");
        status.expect("it can be waited for").code()
    };
    let code = timeout(PATIENCE, all)
        .await
        .unwrap_or_else(|_| panic!("{arguments:?} is served; it is to be refused"));
    Ended { code, stdout, stderr }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}
