//! What a URL says: where the server is, who we are, how long we wait.

use std::path::PathBuf;
use std::time::Duration;

use cloakroom_core::Error;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::place::Place;
use crate::prefix::Prefix;

mod hosts;

/// Everything that a URL can say.
pub(crate) struct Target {
    pub(crate) servers: Servers,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// How sentinels are greeted.
    pub(crate) sentinel_user: Option<String>,
    pub(crate) sentinel_password: Option<String>,
    pub(crate) database: u32,
    pub(crate) prefix: Prefix,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    /// How many replicas a write waits for.
    pub(crate) wait: u8,
    pub(crate) wait_timeout: Duration,
    /// The file of the authorities to trust.
    pub(crate) ca: Option<PathBuf>,
}

/// Which servers there are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Servers {
    /// One.
    Single(Place),
    /// Whichever these call the primary of the service.
    Sentinel { sentinels: Vec<Place>, service: String },
    /// The cluster that these are nodes of.
    Cluster { seeds: Vec<Place> },
}

impl Servers {
    pub(crate) fn are_reached_by_tls(&self) -> bool {
        match self {
            Self::Single(place) => place.is_tls(),
            Self::Sentinel { sentinels: places, .. } | Self::Cluster { seeds: places } => {
                places.iter().any(Place::is_tls)
            }
        }
    }
}

/// Reads a URL. No error shows any of it but the name of a parameter.
pub(crate) fn parse(text: &str) -> Result<Target, Error> {
    let (text, others) = hosts::split(text)?;
    let url = hosts::read(&text)?;
    if url.fragment().is_some() {
        return Err(misconfigured(
            "the Redis URL holds a `#`, which means nothing here; in a password it is written %23",
        ));
    }
    let (servers, database) = servers(&url, &others)?;
    let mut target = Target {
        servers,
        user: decoded(url.username())?.filter(|user| !user.is_empty()),
        password: decoded(url.password().unwrap_or_default())?.filter(|password| !password.is_empty()),
        sentinel_user: None,
        sentinel_password: None,
        database,
        prefix: Prefix::default(),
        timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        wait: 0,
        wait_timeout: Duration::from_millis(500),
        ca: None,
    };
    // Percent-encoded like the rest of the URL, not as a form is: a `+` is a plus.
    let mut seen = Vec::new();
    for pair in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name)?.unwrap_or_default();
        target.set(&name, &decoded(value)?.unwrap_or_default())?;
        if seen.contains(&name) {
            return Err(misconfigured("the Redis URL has a parameter twice: leave one of them out"));
        }
        seen.push(name);
    }
    if target.user.is_some() && target.password.is_none() {
        return Err(misconfigured("the Redis URL names a user without a password: write user:password@host"));
    }
    if target.sentinel_user.is_some() && target.sentinel_password.is_none() {
        return Err(misconfigured("`sentinel_user` in the Redis URL needs `sentinel_pass`"));
    }
    Ok(target)
}

impl Target {
    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let unix = matches!(self.servers, Servers::Single(Place::Unix { .. }));
        let sentinel = matches!(self.servers, Servers::Sentinel { .. });
        match name {
            "prefix" => self.prefix = value.parse()?,
            "timeout" => self.timeout = duration(value)?,
            "connect_timeout" => self.connect_timeout = duration(value)?,
            "wait" => self.wait = replicas(value)?,
            "wait_timeout" => self.wait_timeout = duration(value)?,
            "ca" if self.servers.are_reached_by_tls() => self.ca = Some(PathBuf::from(value)),
            "ca" => return Err(misconfigured("`ca` needs a Redis URL that begins with rediss")),
            "sentinel_user" if sentinel => self.sentinel_user = Some(value.to_owned()),
            "sentinel_pass" if sentinel => self.sentinel_password = Some(value.to_owned()),
            "sentinel_user" | "sentinel_pass" => {
                return Err(misconfigured("`sentinel_user` and `sentinel_pass` are for redis+sentinel://"));
            }
            "db" if unix => self.database = database(value)?,
            "user" if unix => self.user = Some(value.to_owned()),
            "pass" if unix => self.password = Some(value.to_owned()),
            "db" | "user" | "pass" => {
                return Err(misconfigured(
                    "`db`, `user` and `pass` are for redis+unix://; else write redis://user:password@host/database",
                ));
            }
            _ => {
                return Err(misconfigured(
                    "the Redis URL has an unknown parameter; there are `prefix`, `timeout`, `connect_timeout`, `wait`, `wait_timeout`, `ca` with rediss, `sentinel_user`, `sentinel_pass` with redis+sentinel://, and `db`, `user`, `pass` with redis+unix://",
                ));
            }
        }
        Ok(())
    }
}

/// The servers that a URL is about, with the number of the database.
fn servers(url: &Url, others: &[String]) -> Result<(Servers, u32), Error> {
    let path = url.path().trim_start_matches('/');
    match url.scheme() {
        "redis+unix" => {
            if url.host().is_some() {
                return Err(misconfigured(
                    "the path of the socket begins after three slashes: write redis+unix:///path/to/socket",
                ));
            }
            match decoded(url.path())? {
                Some(path) if path.len() > 1 && path.starts_with('/') => {
                    Ok((Servers::Single(Place::Unix { path: path.into() }), 0))
                }
                _ => Err(misconfigured("the Redis URL names no socket: write redis+unix:///path/to/socket")),
            }
        }
        "redis" | "rediss" => Ok((Servers::Single(hosts::place(url, PORT)?), database(path)?)),
        "redis+sentinel" | "rediss+sentinel" => {
            let (service, number) = path.split_once('/').unwrap_or((path, ""));
            let service = decoded(service)?.unwrap_or_default();
            if service.is_empty() {
                return Err(misconfigured(
                    "the Redis URL names no service: write redis+sentinel://host:port,host:port/service",
                ));
            }
            let sentinels = hosts::all(url, others, SENTINEL_PORT)?;
            Ok((Servers::Sentinel { sentinels, service }, database(number)?))
        }
        "redis+cluster" | "rediss+cluster" => match database(path)? {
            0 => Ok((Servers::Cluster { seeds: hosts::all(url, others, PORT)? }, 0)),
            _ => Err(misconfigured("a Redis cluster has only the database 0: leave it out of the URL")),
        },
        _ => Err(misconfigured(
            "a Redis URL begins with redis://, rediss://, redis+unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://",
        )),
    }
}

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

fn database(text: &str) -> Result<u32, Error> {
    match text {
        "" => Ok(0),
        number => number.parse().map_err(|_| {
            misconfigured("the database of the Redis URL is no number: write redis://host:port/0")
        }),
    }
}

fn replicas(text: &str) -> Result<u8, Error> {
    text.parse().map_err(|_| misconfigured("`wait` in the Redis URL is a number of replicas, 0 to 255"))
}

fn duration(text: &str) -> Result<Duration, Error> {
    let number = |digits: &str| digits.parse::<u32>().ok().map(u64::from);
    let read = match text.strip_suffix("ms") {
        Some(digits) => number(digits).map(Duration::from_millis),
        None => text.strip_suffix('s').and_then(number).map(Duration::from_secs),
    };
    read.ok_or_else(|| misconfigured("a timeout of the Redis URL is written as `2s` or `500ms`"))
}

fn decoded(text: &str) -> Result<Option<String>, Error> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(Some(text.into_owned())),
        Err(_) => Err(misconfigured("what is percent-encoded in the Redis URL is not UTF-8")),
    }
}

fn misconfigured(sentence: &str) -> Error {
    Error::misconfigured(sentence)
}

#[cfg(test)]
mod tests;
