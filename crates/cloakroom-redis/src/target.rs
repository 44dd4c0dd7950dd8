//! What a URL says: where the server is, who we are, how long we wait.

use std::path::PathBuf;
use std::time::Duration;

use cloakroom_core::Error;
use percent_encoding::percent_decode_str;
use url::{Host, ParseError, Url};

use crate::prefix::Prefix;

/// Everything that a URL can say.
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    pub(crate) prefix: Prefix,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    /// The file of the authorities to trust.
    pub(crate) ca: Option<PathBuf>,
}

/// Where the server listens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16 },
    Unix { path: PathBuf },
}

/// Reads a URL. No error shows any of it but the name of a parameter.
pub(crate) fn parse(text: &str) -> Result<Target, Error> {
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::InvalidPort => misconfigured(
            "the port of the Redis URL is no number up to 65535; percent-encode the password if it holds `/`, `?`, `#` or `@`",
        ),
        ParseError::EmptyHost => misconfigured(NO_HOST),
        _ => misconfigured("the Redis URL cannot be read: write redis://[user:password@]host[:port][/database]"),
    })?;
    if url.fragment().is_some() {
        return Err(misconfigured(
            "the Redis URL holds a `#`, which means nothing here; in a password it is written %23",
        ));
    }
    let mut target = Target {
        place: place(&url)?,
        user: decoded(url.username())?.filter(|user| !user.is_empty()),
        password: decoded(url.password().unwrap_or_default())?.filter(|password| !password.is_empty()),
        database: 0,
        prefix: Prefix::default(),
        timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        ca: None,
    };
    if !matches!(target.place, Place::Unix { .. }) {
        target.database = database(url.path().trim_start_matches('/'))?;
    }
    // Percent-encoded like the rest of the URL, not as a form is: a `+` is a plus.
    for pair in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        target.set(&decoded(name)?.unwrap_or_default(), &decoded(value)?.unwrap_or_default())?;
    }
    if target.user.is_some() && target.password.is_none() {
        return Err(misconfigured("the Redis URL names a user without a password: write user:password@host"));
    }
    Ok(target)
}

impl Target {
    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let unix = matches!(self.place, Place::Unix { .. });
        match name {
            "prefix" => self.prefix = value.parse()?,
            "timeout" => self.timeout = duration(value)?,
            "connect_timeout" => self.connect_timeout = duration(value)?,
            "ca" if matches!(self.place, Place::Tls { .. }) => self.ca = Some(PathBuf::from(value)),
            "ca" => return Err(misconfigured("`ca` needs a Redis URL that begins with rediss://")),
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
                    "the Redis URL has an unknown parameter; there are `prefix`, `timeout`, `connect_timeout`, `ca` with rediss://, and `db`, `user`, `pass` with redis+unix://",
                ));
            }
        }
        Ok(())
    }
}

fn place(url: &Url) -> Result<Place, Error> {
    let no_host = || misconfigured(NO_HOST);
    match url.scheme() {
        "redis+unix" => {
            if url.host().is_some() {
                return Err(misconfigured(
                    "the path of the socket begins after three slashes: write redis+unix:///path/to/socket",
                ));
            }
            match decoded(url.path())? {
                Some(path) if path.len() > 1 && path.starts_with('/') => {
                    Ok(Place::Unix { path: path.into() })
                }
                _ => Err(misconfigured("the Redis URL names no socket: write redis+unix:///path/to/socket")),
            }
        }
        scheme @ ("redis" | "rediss") => {
            let host = match url.host().ok_or_else(no_host)? {
                Host::Domain("") => return Err(no_host()),
                Host::Domain(host) => host.to_owned(),
                Host::Ipv4(address) => address.to_string(),
                Host::Ipv6(address) => address.to_string(),
            };
            let port = url.port().unwrap_or(6379);
            if port == 0 {
                return Err(misconfigured("the port of the Redis URL is 0; it must be 1 to 65535"));
            }
            Ok(if scheme == "rediss" { Place::Tls { host, port } } else { Place::Tcp { host, port } })
        }
        _ => Err(misconfigured("a Redis URL begins with redis://, rediss:// or redis+unix://")),
    }
}

fn database(text: &str) -> Result<u32, Error> {
    match text {
        "" => Ok(0),
        number => number.parse().map_err(|_| {
            misconfigured("the database of the Redis URL is no number: write redis://host:port/0")
        }),
    }
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

const NO_HOST: &str = "the Redis URL names no host: write redis://user:password@host:port/database, the password percent-encoded";

fn misconfigured(sentence: &str) -> Error {
    Error::misconfigured(sentence)
}

#[cfg(test)]
mod tests;
