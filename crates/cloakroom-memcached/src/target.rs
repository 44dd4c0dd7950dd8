//! What a URL says: where the servers are, how long we wait, how much goes into an item.

use std::time::Duration;

use cloakroom_core::Error;
use percent_encoding::percent_decode_str;

use crate::address::Address;
use crate::item_size::ItemSize;
use crate::pool::MaxConnections;
use crate::prefix::Prefix;
use crate::servers::Servers;

/// Everything that a URL can say.
pub(crate) struct Target {
    /// Each of them once.
    pub(crate) servers: Servers<Address>,
    pub(crate) prefix: Prefix,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_connections: MaxConnections,
    pub(crate) max_item_size: ItemSize,
}

/// Reads a URL. No error shows any of it.
pub(crate) fn parse(text: &str) -> Result<Target, Error> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    if scheme.eq_ignore_ascii_case("memcaches") {
        return Err(misconfigured(
            "memcaches:// is not offered, because the client library speaks no TLS: write memcache://, and keep the way to the servers private",
        ));
    }
    if !scheme.eq_ignore_ascii_case("memcache") {
        return Err(misconfigured("a Memcached URL begins with memcache://"));
    }
    if rest.contains('#') {
        return Err(misconfigured("the Memcached URL holds a `#`, which means nothing here"));
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    if place.contains('@') {
        return Err(misconfigured(
            "the Memcached URL names a user, but the client library speaks no SASL: leave it out, and let only this service reach the servers",
        ));
    }
    let (servers, path) = place.split_once('/').unwrap_or((place, ""));
    if !path.is_empty() {
        return Err(misconfigured(
            "the Memcached URL has a path, which means nothing here; keys are told apart by `?prefix=`",
        ));
    }
    let mut target = Target {
        servers: self::servers(servers)?,
        prefix: Prefix::default(),
        timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        max_connections: MaxConnections::default(),
        max_item_size: ItemSize::default(),
    };
    // Percent-encoded, not as a form is: a `+` is a plus.
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name)?;
        target.set(&name, &decoded(value)?)?;
        if seen.contains(&name) {
            return Err(misconfigured("the Memcached URL has a parameter twice: leave one of them out"));
        }
        seen.push(name);
    }
    Ok(target)
}

impl Target {
    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "prefix" => self.prefix = value.parse()?,
            "timeout" => self.timeout = duration(value)?,
            "connect_timeout" => self.connect_timeout = duration(value)?,
            "max_connections" => self.max_connections = value.parse()?,
            "max_item_size" => self.max_item_size = value.parse()?,
            _ => {
                return Err(misconfigured(
                    "the Memcached URL has an unknown parameter; there are `prefix`, `timeout`, `connect_timeout`, `max_connections` and `max_item_size`",
                ));
            }
        }
        Ok(())
    }
}

/// The servers in the order of the URL, which decides nothing.
fn servers(text: &str) -> Result<Servers<Address>, Error> {
    let (first, others) = text.split_once(',').map_or((text, None), |(first, others)| (first, Some(others)));
    let first = Address::parse(first)?;
    let mut more = Vec::new();
    for other in others.into_iter().flat_map(|others| others.split(',')) {
        let other = Address::parse(other)?;
        if other == first || more.contains(&other) {
            return Err(misconfigured("the Memcached URL names a server twice"));
        }
        more.push(other);
    }
    Ok(Servers::new(first, more))
}

fn duration(text: &str) -> Result<Duration, Error> {
    let number = |digits: &str| digits.parse::<u32>().ok().map(u64::from);
    let read = match text.strip_suffix("ms") {
        Some(digits) => number(digits).map(Duration::from_millis),
        None => text.strip_suffix('s').and_then(number).map(Duration::from_secs),
    };
    read.ok_or_else(|| misconfigured("a timeout of the Memcached URL is written as `2s` or `500ms`"))
}

fn decoded(text: &str) -> Result<String, Error> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(misconfigured("what is percent-encoded in the Memcached URL is not UTF-8")),
    }
}

fn misconfigured(sentence: &str) -> Error {
    Error::misconfigured(sentence)
}

#[cfg(test)]
mod tests;
