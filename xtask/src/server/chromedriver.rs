//! ChromeDriver, and the browsers that it starts.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::port::on_free_ports;
use super::{PrivateDirectory, Process, family};
use crate::Result;
use crate::install::Program;

#[cfg(test)]
mod tests;

/// How long it may take to answer for the first time.
const START: Duration = Duration::from_secs(20);
/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// One `chromedriver`: a WebDriver server that starts and drives Chromium.
///
/// It has a private directory, with room for the profiles of its browsers. Dropping the value ends it and every process of
/// every browser that it started, also of one that hangs, and removes the directory.
///
/// ```no_run
/// use xtask::server::ChromedriverServer;
///
/// let driver = ChromedriverServer::start()?;
/// assert!(driver.url().starts_with("http://127.0.0.1:"));
/// # Ok::<(), xtask::Error>(())
/// ```
#[derive(Debug)]
pub struct ChromedriverServer {
    // First, so that the process is gone before its directory goes.
    process: Process,
    directory: PrivateDirectory,
    port: u16,
}

impl ChromedriverServer {
    /// Starts one and waits until it answers. No browser runs yet.
    ///
    /// # Errors
    ///
    /// `chromedriver` or `chromium` is missing, or the driver did not answer within 20 seconds; the message then shows what
    /// it said.
    pub fn start() -> Result<Self> {
        // It would say so only to the first client, and less clearly.
        Program::Chromium.path()?;
        let directory = PrivateDirectory::create("chromium")?;
        let spawn = |[port]: [u16; 1]| {
            let mut command = Program::Chromedriver.command()?;
            command.arg(format!("--port={port}")).current_dir(directory.path());
            // What a browser writes outside of its profile.
            for variable in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
                command.env(variable, directory.path());
            }
            Process::spawn(command, &directory.join("log"))
        };
        let wait = |process: &mut Process, [port]: [u16; 1]| process.wait_until(START, || is_ready(port));
        let (process, [port]) = on_free_ports(spawn, wait)?;
        Ok(Self { process, directory, port })
    }

    /// Where it takes commands: `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A directory that goes with this value, for the profiles of its browsers.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// How many processes its browsers consist of at this moment.
    #[must_use]
    pub fn processes(&self) -> usize {
        descendants(self.process.pid()).len()
    }
}

impl Drop for ChromedriverServer {
    fn drop(&mut self) {
        let browsers = descendants(self.process.pid());
        self.process.kill9_family();
        family::signal(&browsers, Signal::KILL);
    }
}

/// Its children, and theirs.
fn descendants(parent: Pid) -> Vec<Pid> {
    let children = family::children(parent);
    children.into_iter().flat_map(|child| std::iter::once(child).chain(descendants(child))).collect()
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        write!(stream, "GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
        // It may keep the connection: what is awaited is the answer, not its end.
        let (mut answer, mut bytes) = (Vec::new(), [0; 1024]);
        loop {
            let length = stream.read(&mut bytes)?;
            answer.extend_from_slice(bytes.get(..length).unwrap_or_default());
            let ready = String::from_utf8_lossy(&answer).contains("\"ready\":true");
            if ready || length == 0 {
                return Ok(ready);
            }
        }
    };
    ask().unwrap_or(false)
}
