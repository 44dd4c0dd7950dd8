//! `wrk`: its script, its call, and what it says.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Begins the line that the script prints at the end.
const MARK: &str = "cloakroom-bench:";

/// Asks with each cookie in turn, and says at the end what `wrk` counted.
const SCRIPT: &str = r#"
local requests, next = {}, 0
function init()
  for _, cookie in ipairs(cookies) do
    requests[#requests + 1] = wrk.format("GET", nil, {["Cookie"] = cookie})
  end
end
if #cookies > 0 then
  function request()
    next = next % #requests + 1
    return requests[next]
  end
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("cloakroom-bench: %d %d %d %d %d %d %d %.3f %.3f\n",
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.timeout,
    errors.status, latency:percentile(50), latency:percentile(99)))
end
"#;

/// What one run of `wrk` says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    pub requests: u64,
    pub seconds: f64,
    /// Connections that were not made, and requests that were not answered.
    pub socket_errors: u64,
    /// Answers that are no success.
    pub refusals: u64,
    /// In microseconds.
    pub p50: f64,
    pub p99: f64,
}

impl Said {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// Whether each request was answered with success, and there was one.
    pub const fn is_sound(&self) -> bool {
        self.socket_errors == 0 && self.refusals == 0 && self.requests > 0
    }

    /// Reads what the script printed.
    fn parse(text: &str) -> Result<Self> {
        let line =
            text.lines().find_map(|line| line.strip_prefix(MARK)).context("wrk did not come to its end")?;
        let numbers: Vec<f64> = line
            .split_whitespace()
            .map(|word| word.parse().with_context(|| format!("wrk says {word}")))
            .collect::<Result<_>>()?;
        let [requests, micros, connect, read, write, timeout, status, p50, p99] = *numbers else {
            anyhow::bail!("wrk says {} numbers", numbers.len())
        };
        ensure!(micros > 0.0, "wrk ran for no time");
        Ok(Self {
            requests: requests as u64,
            seconds: micros / 1e6,
            socket_errors: (connect + read + write + timeout) as u64,
            refusals: status as u64,
            p50,
            p99,
        })
    }
}

/// The text of a script that asks with these cookies.
pub fn script(cookies: &[String]) -> Result<String> {
    let mut text = String::from("local cookies = {\n");
    for cookie in cookies {
        ensure!(
            cookie.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && !cookie.contains("]=="),
            "a cookie that Lua cannot quote"
        );
        writeln!(text, "[==[{cookie}]==],")?;
    }
    text.push('}');
    text.push_str(SCRIPT);
    Ok(text)
}

/// Asks for so many seconds over so many connections.
pub fn run(
    script: &Path,
    address: SocketAddr,
    path: &str,
    connections: usize,
    seconds: usize,
) -> Result<Said> {
    let mut wrk = Command::new("wrk");
    wrk.arg("-t1").arg(format!("-c{connections}")).arg(format!("-d{seconds}s")).arg("--timeout=10s");
    wrk.arg("-s").arg(script).arg(format!("http://{address}{path}"));
    let output = wrk.output().context("wrk does not start (Debian's package: wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    Said::parse(&text)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::{Said, run, script};

    const REAL: &str = "Running 1s test @ http://127.0.0.1:1234/read
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms  503.91us   9.58ms   82.11%
  30000 requests in 1.00s, 3.51MB read
Requests/sec:  30000.12
Transfer/sec:      3.51MB
cloakroom-bench: 30000 1000000 0 0 0 0 0 910.000 2750.000
";

    #[test]
    fn what_wrk_says_is_read() {
        let said = Said::parse(REAL).unwrap();
        assert_eq!(
            said,
            Said { requests: 30_000, seconds: 1.0, socket_errors: 0, refusals: 0, p50: 910.0, p99: 2750.0 }
        );
        assert!(said.is_sound());
        assert_eq!(said.per_second(), 30_000.0);
    }

    #[test]
    fn any_error_spoils_a_run() {
        for (counts, refusals) in
            [("1 0 0 0 0", 0), ("0 1 0 0 0", 0), ("0 0 1 0 0", 0), ("0 0 0 1 0", 0), ("0 0 0 0 1", 1)]
        {
            let said = Said::parse(&format!("cloakroom-bench: 9 1000 {counts} 1.0 2.0")).unwrap();
            assert!(!said.is_sound(), "{counts}");
            assert_eq!((said.refusals, said.socket_errors), (refusals, 1 - refusals));
        }
        assert!(!Said::parse("cloakroom-bench: 0 1000 0 0 0 0 0 0.0 0.0").unwrap().is_sound());
    }

    #[test]
    fn half_an_answer_is_none() {
        for wrong in ["", "Running 1s test", "cloakroom-bench: 1 2 3", "cloakroom-bench: a 1 0 0 0 0 0 1 1"] {
            assert!(Said::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cookies_are_quoted_for_lua() {
        assert!(script(&["id=abc".to_owned()]).unwrap().contains("[==[id=abc]==],"));
        assert!(script(&["id=a]==]".to_owned()]).is_err());
        assert!(script(&["id=\n".to_owned()]).is_err());
    }

    /// Answers over as many connections as come, each tenth time with `refusal`.
    fn serve(refusal: &'static str) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                thread::spawn(move || {
                    for number in 1.. {
                        let mut line = String::new();
                        while line != "\r\n" {
                            line.clear();
                            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                                return;
                            }
                        }
                        let status = if number % 10 == 0 { refusal } else { "200 OK" };
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok");
                        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    #[test]
    #[ignore = "needs wrk"]
    fn a_server_that_refuses_some_requests_fails() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("script.lua");
        std::fs::write(&file, script(&["id=a".to_owned(), "id=b".to_owned()]).unwrap()).unwrap();
        for (refusal, is_sound) in
            [("200 OK", true), ("503 Service Unavailable", false), ("409 Conflict", false)]
        {
            let said = run(&file, serve(refusal), "/read", 2, 1).unwrap();
            assert_eq!(said.is_sound(), is_sound, "{refusal}: {said:?}");
            assert!(said.p50 > 0.0 && said.p99 >= said.p50 && said.requests > 0);
        }
    }
}
