//! The servers that a URL lists; a URL by itself can name one.

use cloakroom_core::Error;
use url::{Host, ParseError, Url};

use super::misconfigured;
use crate::place::Place;

/// The URL with the first of the servers that it lists, and the others, each `host[:port]`.
pub(super) fn split(text: &str) -> Result<(String, Vec<String>), Error> {
    let whole = || Ok((text.to_owned(), Vec::new()));
    let Some((scheme, rest)) = text.split_once("://") else { return whole() };
    if !scheme.ends_with("+sentinel") && !scheme.ends_with("+cluster") {
        return whole();
    }
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (who, hosts) = match authority.rfind('@') {
        Some(at) => authority.split_at(at + 1),
        None => ("", authority),
    };
    if who.matches('@').count() > 1 {
        return Err(misconfigured(
            "user and password stand once in the Redis URL, before the first server; an `@` in them is written %40",
        ));
    }
    let mut hosts = hosts.split(',').map(str::to_owned);
    let first = hosts.next().unwrap_or_default();
    Ok((format!("{scheme}://{who}{first}{after}"), hosts.collect()))
}

/// Reads a URL of one server.
pub(super) fn read(text: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|error| match error {
        ParseError::InvalidPort => misconfigured(
            "the port of the Redis URL is no number up to 65535; percent-encode the password if it holds `/`, `?`, `#` or `@`",
        ),
        ParseError::EmptyHost => misconfigured(NO_HOST),
        _ => misconfigured("the Redis URL cannot be read: write redis://[user:password@]host[:port][/database]"),
    })
}

/// Where all the listed servers are.
pub(super) fn all(first: &Url, others: &[String], port: u16) -> Result<Vec<Place>, Error> {
    let mut places = vec![place(first, port)?];
    for other in others {
        let place = place(&read(&format!("{}://{other}", first.scheme()))?, port)?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

/// Where the server of this URL is.
pub(super) fn place(url: &Url, port: u16) -> Result<Place, Error> {
    let no_host = || misconfigured(NO_HOST);
    let host = match url.host().ok_or_else(no_host)? {
        Host::Domain("") => return Err(no_host()),
        Host::Domain(host) if host.contains(',') => {
            return Err(misconfigured(
                "the Redis URL lists several servers; that is for redis+sentinel:// and redis+cluster://",
            ));
        }
        Host::Domain(host) => host.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let port = url.port().unwrap_or(port);
    if port == 0 {
        return Err(misconfigured("the port of the Redis URL is 0; it must be 1 to 65535"));
    }
    Ok(if url.scheme().starts_with("rediss") { Place::Tls { host, port } } else { Place::Tcp { host, port } })
}

const NO_HOST: &str = "the Redis URL names no host: write redis://user:password@host:port/database, the password percent-encoded";
