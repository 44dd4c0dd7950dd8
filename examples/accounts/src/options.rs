//! What the command line says.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Tell what can be asked for.
    Help,
    /// Serve the pages.
    Serve(Options),
}

/// How to serve the pages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where the sessions are kept; beside the accounts if it is not said.
    pub(crate) store: Option<String>,
    pub(crate) database: PathBuf,
    pub(crate) listen: SocketAddr,
    /// Secrets of the key ring; one that is kept beside the accounts if it is not said.
    pub(crate) secret: Option<String>,
    pub(crate) cookie: Cookie,
    /// How old a sign-in may be for what cannot be undone.
    pub(crate) step_up_after: Duration,
}

/// Which connections carry the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// TLS, and `localhost`.
    Secure,
    /// Any.
    Insecure,
}

pub(crate) const HELP: &str = "\
Serves a small application with accounts.

Usage: accounts [OPTIONS]

  --store URL              where sessions are kept, such as memory:, redis://host or postgres://user:password@host/name;
                           a file beside the accounts by default
  --database PATH          the file of the accounts, accounts-data/accounts.sqlite3 by default
  --listen ADDRESS         where to listen, 127.0.0.1:3000 by default; port 0 picks a free one
  --secret BASE64[,OLD…]   the key ring, 32 random bytes or more each, the first one writes; drawn at the first start
                           and kept beside the accounts by default. Others on this machine can read it here
  --insecure-cookie        a cookie for plain HTTP beyond localhost, and for Safari even there
  --step-up-after SECONDS  how old a sign-in may be before dangerous pages ask for the password again, 300 by default
  --help                   this text
";

impl Options {
    fn new() -> Self {
        Self {
            store: None,
            database: PathBuf::from("accounts-data/accounts.sqlite3"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)),
            secret: None,
            cookie: Cookie::Secure,
            step_up_after: Duration::from_secs(5 * 60),
        }
    }
}

impl Command {
    /// Reads the arguments after the program's name.
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Options::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, mut value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut next =
                || value.take().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
            match name {
                "--help" | "-h" => return Ok(Self::Help),
                "--insecure-cookie" => options.cookie = Cookie::Insecure,
                "--store" => options.store = Some(next()?),
                "--database" => options.database = PathBuf::from(next()?),
                "--secret" => options.secret = Some(next()?),
                "--listen" => options.listen = address(&next()?)?,
                "--step-up-after" => options.step_up_after = seconds(&next()?)?,
                _ => return Err(format!("there is no option `{name}`")),
            }
            if value.is_some() {
                return Err(format!("{name} takes no value"));
            }
        }
        Ok(Self::Serve(options))
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("--listen is an address with its port, such as 127.0.0.1:3000, not `{text}`"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds =
        text.parse().map_err(|_| format!("--step-up-after is a number of seconds, not `{text}`"))?;
    if seconds == 0 {
        return Err("--step-up-after is at least 1: no sign-in is younger than the question".to_owned());
    }
    Ok(Duration::from_secs(seconds))
}
