//! A server in a process of its own, and the few words that are said to it without `wrk`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::cell::Cell;
use crate::scenario::Rolling;

/// A server in a process of its own, which ends with this value.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(cell: Cell, url: Option<&str>, rolling: Rolling) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", cell.contender.name(), cell.backend.name()]);
        command.args((rolling != Rolling::No).then_some("--rolling"));
        if let Some(url) = url {
            command.args(["--url", url]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().context("it was asked for")?).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("{cell} did not start"))?;
        Ok(Self { child, address })
    }

    /// A cookie header of a new session.
    pub fn fill(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        cookie(&answer)
    }

    /// The processor time that the server has used, in seconds.
    pub fn cpu(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in brackets, may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
        let ticks =
            |at| -> Result<f64> { Ok(fields.split_whitespace().nth(at).context("a field")?.parse()?) };
        Ok((ticks(11)? + ticks(12)?) / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The header that a browser would send after this answer.
fn cookie(answer: &str) -> Result<String> {
    let mut lines = answer.lines();
    let status = lines.next().context("an answer has a first line")?;
    ensure!(status.split(' ').nth(1).is_some_and(|code| code.starts_with('2')), "the server says {status}");
    let pairs: Vec<&str> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .filter_map(|(_, line)| line.split(';').next())
        .filter(|pair| !pair.ends_with('='))
        .collect();
    Ok(pairs.join("; "))
}

#[cfg(test)]
mod tests {
    use super::cookie;

    #[test]
    fn the_cookies_of_an_answer_are_those_that_a_browser_keeps() {
        let answer = "HTTP/1.1 200 OK\r\nset-cookie: a=1; Path=/\r\nSet-Cookie: gone=; Max-Age=0\r\nset-cookie: b=2\r\n\
            content-length: 2\r\n\r\nset-cookie: body=3";
        assert_eq!(cookie(answer).unwrap(), "a=1; b=2");
        assert_eq!(cookie("HTTP/1.1 200 OK\r\n\r\nok").unwrap(), "");
    }

    #[test]
    fn a_refusal_is_an_error() {
        assert!(cookie("HTTP/1.1 503 Service Unavailable\r\nset-cookie: a=1\r\n\r\n").is_err());
        assert!(cookie("").is_err());
    }
}
