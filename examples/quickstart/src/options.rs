//! What the command line says.

use std::net::{Ipv4Addr, SocketAddr};

#[cfg(test)]
mod tests;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Tell what can be asked for.
    Help,
    /// Serve the page.
    Serve(Options),
}

/// How to serve the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) adapter: Adapter,
    pub(crate) listen: SocketAddr,
    pub(crate) cookie: Cookie,
}

/// Which framework serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    Axum,
    Actix,
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
Serves a small page with sessions.

Usage: quickstart [--adapter axum|actix] [--listen ADDRESS] [--insecure-cookie]

  --adapter axum|actix  the framework that serves; axum by default
  --listen ADDRESS      where to listen, 127.0.0.1:3000 by default; port 0 picks a free one
  --insecure-cookie     a cookie for plain HTTP beyond localhost, and for Safari even there
  --help                this text
";

impl Command {
    /// Reads the arguments after the program's name.
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Options {
            adapter: Adapter::Axum,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)),
            cookie: Cookie::Secure,
        };
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
                "--adapter" => {
                    options.adapter = match next()?.as_str() {
                        "axum" => Adapter::Axum,
                        "actix" => Adapter::Actix,
                        other => return Err(format!("--adapter is `axum` or `actix`, not `{other}`")),
                    }
                }
                "--listen" => {
                    let text = next()?;
                    options.listen = text.parse().map_err(|_| {
                        format!("--listen is an address with its port, such as 127.0.0.1:3000, not `{text}`")
                    })?;
                }
                _ => return Err(format!("there is no option `{name}`")),
            }
            if value.is_some() {
                return Err(format!("{name} takes no value"));
            }
        }
        Ok(Self::Serve(options))
    }
}
