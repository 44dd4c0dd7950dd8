//! The quickstart as a child process.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use cloakroom_conformance::stories::Instance;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A running quickstart; it is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Quickstart {
    _child: Child,
    address: SocketAddr,
}

impl Quickstart {
    /// Starts one on a free port, and waits until it listens.
    pub(crate) async fn start(adapter: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
        command.args(["--adapter", adapter, "--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
        let first = timeout(Duration::from_secs(20), lines.next_line()).await.expect("it listens in time");
        let line = first.expect("it can be read").expect("it says where it listens");
        let port = line.strip_prefix("http://localhost:").and_then(|rest| rest.split(' ').next());
        let port: u16 = port.and_then(|port| port.parse().ok()).expect("a port");
        Self { _child: child, address: ([127, 0, 0, 1], port).into() }
    }
}

impl Instance for Quickstart {
    fn address(&self) -> SocketAddr {
        self.address
    }
}
