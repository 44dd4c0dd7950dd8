//! What servers that work together have in common.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::{Host, RedisServer};
use crate::{Error, Result};

/// How long all of them may take to agree.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often they are asked.
const POLL: Duration = Duration::from_millis(20);

/// Those that answer, and were not cut off.
pub(super) fn up(servers: &[RedisServer]) -> impl Iterator<Item = &RedisServer> {
    let is_cut_off = |server: &RedisServer| server.host().is_some_and(Host::is_cut_off);
    servers.iter().filter(move |server| !is_cut_off(server) && server.is_up())
}

pub(super) fn server(servers: &[RedisServer], port: u16) -> Result<&RedisServer> {
    servers.iter().find(|server| server.port() == port).ok_or_else(|| nobody(port))
}

pub(super) fn server_mut(servers: &mut [RedisServer], port: u16) -> Result<&mut RedisServer> {
    servers.iter_mut().find(|server| server.port() == port).ok_or_else(|| nobody(port))
}

fn nobody(port: u16) -> Error {
    Error::new(format!("no server of this fleet has the port {port}"))
}

/// The calls of each command on those that are up, together.
pub(super) fn command_stats(servers: &[RedisServer]) -> Result<BTreeMap<String, u64>> {
    let mut sum = BTreeMap::new();
    for server in up(servers) {
        for (command, calls) in server.command_stats()? {
            *sum.entry(command).or_default() += calls;
        }
    }
    Ok(sum)
}

/// The part of a URL before the hosts.
pub(super) fn userinfo(user: &Option<(String, String)>, password: &Option<String>) -> String {
    match (user, password) {
        (Some((name, password)), _) => format!("{name}:{password}@"),
        (None, Some(password)) => format!(":{password}@"),
        (None, None) => String::new(),
    }
}

/// The hosts of a URL.
pub(super) fn hosts(servers: &[RedisServer]) -> String {
    servers
        .iter()
        .map(|server| format!("{}:{}", server.address(), server.port()))
        .collect::<Vec<_>>()
        .join(",")
}

/// The value in a line of `INFO` like `role:master`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> &'a str {
    let mut pairs = info.lines().filter_map(|line| line.trim_end().split_once(':'));
    pairs.find(|(its_name, _)| *its_name == name).map(|(_, value)| value).unwrap_or_default()
}

/// Waits until a question is answered with yes; errors are a no, and the last one is told.
pub(super) fn wait(what: &str, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    loop {
        let answer = ready();
        if let Ok(true) = answer {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            let why = answer.err().map(|error| format!(": {error}")).unwrap_or_default();
            return Err(Error::new(format!("{what} was not there after {PATIENCE:?}{why}")));
        }
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::{field, userinfo};

    #[test]
    fn fields_are_read_by_their_whole_name() {
        assert_eq!(field("# Replication\r\nrole:slave\r\nmaster_port:12\r\n", "master_port"), "12");
        assert_eq!(field("role:slave", "master"), "");
    }

    #[test]
    fn the_user_wins_over_the_password_of_everybody() {
        let (user, password) = (Some(("app".to_owned(), "h4t".to_owned())), Some("s3cret".to_owned()));
        assert_eq!(userinfo(&user, &password), "app:h4t@");
        assert_eq!(userinfo(&None, &password), ":s3cret@");
        assert_eq!(userinfo(&None, &None), "");
    }
}
