//! An origin, as browsers write it: scheme, host and port (RFC 6454, section 6.2).

use core::net::{Ipv4Addr, Ipv6Addr};

/// Scheme, host and port of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: Scheme,
    /// In lower case.
    host: Box<[u8]>,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Origin {
    /// `None` for anything else, `null` among it: the origin of a page that has none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (scheme, rest) = match text.strip_prefix(b"https://") {
            Some(rest) => (Scheme::Https, rest),
            None => (Scheme::Http, text.strip_prefix(b"http://")?),
        };
        let (host, port) = host_and_port(rest)?;
        Some(Self { scheme, host: host.to_ascii_lowercase().into(), port: port.unwrap_or(scheme.port()) })
    }

    /// Whether nobody on the network can have made the page.
    pub(super) fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https || is_loopback(&self.host)
    }

    /// Whether a request to `host`, a port with it or not, is for the site that the page is of.
    pub(super) fn is_of_host(&self, host: &[u8]) -> bool {
        host_and_port(host).is_some_and(|(host, port)| {
            host.eq_ignore_ascii_case(&self.host) && port.unwrap_or(self.scheme.port()) == self.port
        })
    }
}

fn host_and_port(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    if text.len() > MAX_LEN {
        return None;
    }
    let colon = match text.strip_prefix(b"[") {
        // An IPv6 address has colons of its own.
        Some(_) => text.iter().position(|byte| *byte == b']')? + 1,
        None => text.iter().position(|byte| *byte == b':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at_checked(colon)?;
    is_host(host).then_some(())?;
    match port {
        [] => Some((host, None)),
        [b':', digits @ ..] => Some((host, Some(decimal(digits)?))),
        _ => None,
    }
}

fn is_host(host: &[u8]) -> bool {
    match host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")) {
        Some(address) => ipv6(address).is_some(),
        None => {
            !host.is_empty() && host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

fn is_loopback(host: &[u8]) -> bool {
    if let Some(address) = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")) {
        return ipv6(address).is_some_and(|address| address.is_loopback());
    }
    let address = str::from_utf8(host).ok().and_then(|host| host.parse::<Ipv4Addr>().ok());
    host == b"localhost"
        || host.ends_with(b".localhost")
        || address.is_some_and(|address| address.is_loopback())
}

fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Longer than any name of a host with its port.
const MAX_LEN: usize = 262;
