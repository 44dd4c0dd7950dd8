//! The application as a child process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::browser::Browser;
use crate::scratch::Scratch;

/// How long the program may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running application with data of its own; it is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    arguments: Vec<String>,
    home: Scratch,
}

impl Server {
    /// Starts one on a free port and an empty directory, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().copied().map(str::to_owned).collect();
        Self::spawn(Scratch::new(), arguments)
    }

    fn spawn(home: Scratch, arguments: Vec<String>) -> Self {
        let mut child = command()
            .args(["--listen", "127.0.0.1:0", "--database"])
            .arg(home.join("accounts.sqlite3"))
            .args(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("it has an output"));
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = output.read_line(&mut line).map(|_| line);
            tell.send(read).ok();
        });
        let line = told.recv_timeout(PATIENCE).expect("it listens in time").expect("it can be read");
        let address = line.trim_end().strip_prefix("listening on http://").expect("it says where it listens");
        let address = address.parse().expect("an address");
        Self { child, address, arguments, home }
    }

    /// A browser that was never here.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.address)
    }

    /// The file of the sessions.
    pub(crate) fn sessions(&self) -> PathBuf {
        self.home.join("sessions.sqlite3")
    }

    /// The file of the accounts.
    pub(crate) fn accounts(&self) -> PathBuf {
        self.home.join("accounts.sqlite3")
    }

    /// Asks it to end, and returns the code with which it did.
    fn terminate(&mut self) -> Option<i32> {
        let id = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id")).expect("not zero");
        kill_process(id, Signal::TERM).expect("it runs");
        self.child.wait().expect("it can be waited for").code()
    }

    /// Ends it, and starts another one on the same data and another port.
    pub(crate) fn restart(mut self) -> Self {
        assert_eq!(self.terminate(), Some(0));
        // The child has ended; what `Drop` does to it is nothing.
        let home = std::mem::replace(&mut self.home, Scratch::new());
        Self::spawn(home, std::mem::take(&mut self.arguments))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program until it ends by itself.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().expect("the program starts")
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_accounts"));
    command.stdin(Stdio::null());
    command
}
