//! Where a server listens.

use std::fmt;

use cloakroom_core::Error;
use url::Host;

/// A server by the name that the URL gives it. The name decides which keys are its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    host: Host,
    port: u16,
}

impl Address {
    /// Reads `host` or `host:port`; a version 6 address stands in brackets.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (host, port) = match text.rsplit_once(':') {
            // What follows the last colon of a bare `[::1]` is not a port.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        if host.is_empty() {
            return Err(Error::misconfigured(NO_HOST));
        }
        let host = Host::parse(host).map_err(|_| Error::misconfigured(NO_HOST))?;
        let port = match port {
            None => 11211,
            Some(digits) => match digits.parse() {
                Ok(port) if port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => port,
                _ => {
                    return Err(Error::misconfigured(
                        "a port of the Memcached URL is no number from 1 to 65535",
                    ));
                }
            },
        };
        Ok(Self { host, port })
    }

    /// What a resolver takes: no brackets.
    pub(crate) fn host(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

const NO_HOST: &str =
    "the Memcached URL names no host, or one that cannot be read: write memcache://host:port,host:port";
