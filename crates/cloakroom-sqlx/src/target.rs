//! What a URL says: which database, who we are, which table, how long we wait.

use std::path::PathBuf;
use std::time::Duration;

use cloakroom_core::Error;
use percent_encoding::percent_decode_str;
use url::{Host, ParseError, Url};

use crate::connect::Migration;
use crate::sweep::Sweep;
use crate::table::TableName;

/// Everything that a URL can say.
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    pub(crate) passed_on: PassedOn,
}

/// What the client library has to know.
#[allow(
    unnameable_types,
    missing_debug_implementations,
    reason = "a part of the seal of `Dialect`; it holds a password"
)]
pub struct Address {
    pub(crate) place: Place,
    pub(crate) passed_on: PassedOn,
}

/// What the client library calls by these names, mostly about TLS.
pub(crate) type PassedOn = Vec<(&'static str, String)>;

/// What a store has to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) table: TableName,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_connections: u32,
    pub(crate) migration: Migration,
    pub(crate) sweep: Sweep,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            table: TableName::default(),
            timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            max_connections: 10,
            migration: Migration::default(),
            sweep: Sweep::default(),
        }
    }
}

/// Where the records lie.
#[derive(PartialEq, Eq)]
pub(crate) enum Place {
    Server(Server),
    File(PathBuf),
    Memory,
}

/// A server, and who we are to it.
#[derive(PartialEq, Eq)]
pub(crate) struct Server {
    /// A name, an address, or the directory of a socket; none where a parameter says where to go.
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
}

/// What the URL of one kind of database may hold.
#[allow(unnameable_types, reason = "a part of the seal of `Dialect`")]
#[derive(Debug)]
pub struct Form {
    /// How sentences call the database.
    pub(crate) database: &'static str,
    pub(crate) schemes: &'static [&'static str],
    /// The shape of a URL, for sentences.
    pub(crate) shape: &'static str,
    /// The parameters that are passed on to the client library.
    pub(crate) passed_on: &'static [&'static str],
    pub(crate) is_file: bool,
}

impl Form {
    /// Reads a URL. No error shows any of it but the name of a parameter.
    pub(crate) fn parse(&self, text: &str) -> Result<Target, Error> {
        let (address, query) = match text.split_once('?') {
            Some((address, query)) => (address, query),
            None => (text, ""),
        };
        if text.contains('#') {
            return Err(
                self.says("holds a `#`, which means nothing here; in a password or a path it is written %23")
            );
        }
        let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !scheme.is_some_and(|scheme| self.schemes.contains(&scheme.as_str())) {
            return Err(self.says(&format!("cannot be read: write {}", self.shape)));
        }
        let place = if self.is_file { self.file(address)? } else { Place::Server(self.server(address)?) };
        let mut target = Target { place, settings: Settings::default(), passed_on: Vec::new() };
        // Percent-encoded like the rest of the URL, not as a form is: a `+` is a plus.
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = self.decoded(name)?;
            self.set(&mut target, &name, self.decoded(value)?)?;
            if seen.contains(&name) {
                return Err(self.says("has a parameter twice: leave one of them out"));
            }
            seen.push(name);
        }
        Ok(target)
    }

    fn set(&self, target: &mut Target, name: &str, value: String) -> Result<(), Error> {
        let settings = &mut target.settings;
        match name {
            "table" => settings.table = value.parse()?,
            "timeout" => settings.timeout = self.duration(&value)?,
            "connect_timeout" => settings.connect_timeout = self.duration(&value)?,
            "max_connections" => {
                settings.max_connections =
                    value.parse().map_err(|_| self.says("has a `max_connections` that is no number"))?;
            }
            "migrate" => {
                settings.migration = match value.as_str() {
                    "always" => Migration::Always,
                    "never" => Migration::Never,
                    _ => return Err(self.says("has a `migrate` that is neither `always` nor `never`")),
                }
            }
            "sweep" => {
                settings.sweep = match value.as_str() {
                    "never" => Sweep::Never,
                    period => Sweep::Every(self.duration(period)?),
                }
            }
            _ => match self.passed_on.iter().find(|known| **known == name) {
                Some(known) => target.passed_on.push((known, value)),
                None => {
                    let others: String = self.passed_on.iter().map(|name| format!(", `{name}`")).collect();
                    return Err(self.says(&format!(
                        "has an unknown parameter; there are `table`, `timeout`, `connect_timeout`, `max_connections`, `migrate`, `sweep`{others}"
                    )));
                }
            },
        }
        Ok(())
    }

    fn server(&self, address: &str) -> Result<Server, Error> {
        let (_, authority) = address.split_once("://").unwrap_or_default();
        let authority = authority.split('/').next().unwrap_or_default();
        if authority.rsplit('@').next().is_some_and(|hosts| hosts.contains(',')) {
            return Err(self.says(SEVERAL_HOSTS));
        }
        let url = Url::parse(address).map_err(|error| match error {
            ParseError::InvalidPort => self.says(
                "has a port that is no number up to 65535; percent-encode the password if it holds `/`, `?`, `#` or `@`",
            ),
            _ => self.says(&format!("cannot be read: write {}", self.shape)),
        })?;
        let host = match url.host() {
            None | Some(Host::Domain("")) => None,
            Some(Host::Domain(host)) => match self.decoded(host)? {
                hosts if hosts.contains(',') && !hosts.starts_with('/') => {
                    return Err(self.says(SEVERAL_HOSTS));
                }
                host => Some(host),
            },
            Some(Host::Ipv4(address)) => Some(address.to_string()),
            Some(Host::Ipv6(address)) => Some(address.to_string()),
        };
        if url.port() == Some(0) {
            return Err(self.says("has the port 0; it must be 1 to 65535"));
        }
        let said = |text: &str| -> Result<Option<String>, Error> {
            Ok(Some(self.decoded(text)?).filter(|text| !text.is_empty()))
        };
        let required = |text: &str, what: &str| {
            let missing = || self.says(&format!("names no {what}: write {}", self.shape));
            said(text).and_then(|text| text.ok_or_else(missing))
        };
        let database = required(url.path().strip_prefix('/').unwrap_or(url.path()), "database")?;
        if database.contains('/') {
            return Err(self.says(&format!("names more than a database in its path: write {}", self.shape)));
        }
        Ok(Server {
            host,
            port: url.port(),
            user: required(url.username(), "user")?,
            password: said(url.password().unwrap_or_default())?,
            database,
        })
    }

    fn file(&self, address: &str) -> Result<Place, Error> {
        let (_, path) = address.split_once(':').unwrap_or_default();
        let path = self.decoded(path.strip_prefix("//").unwrap_or(path))?;
        match path.as_str() {
            "" => Err(self.says(&format!("names no file: write {}", self.shape))),
            ":memory:" => Ok(Place::Memory),
            path => Ok(Place::File(path.into())),
        }
    }

    fn duration(&self, text: &str) -> Result<Duration, Error> {
        let number = |digits: &str| digits.parse::<u32>().ok().map(u64::from);
        let seconds =
            |digits: &str, unit: u64| number(digits).map(|number| Duration::from_secs(number * unit));
        let read = if let Some(digits) = text.strip_suffix("ms") {
            number(digits).map(Duration::from_millis)
        } else if let Some(digits) = text.strip_suffix('s') {
            seconds(digits, 1)
        } else if let Some(digits) = text.strip_suffix('m') {
            seconds(digits, 60)
        } else {
            text.strip_suffix('h').and_then(|digits| seconds(digits, 3600))
        };
        read.ok_or_else(|| self.says("has a time that is not written as `500ms`, `2s`, `5m` or `1h`"))
    }

    fn decoded(&self, text: &str) -> Result<String, Error> {
        match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(self.says("is percent-encoded to something that is not UTF-8")),
        }
    }

    pub(crate) fn says(&self, what: &str) -> Error {
        Error::misconfigured(format!("the {} URL {what}", self.database))
    }
}

/// What a URL is told that lists servers: the client library would take the list for one name.
pub(crate) const SEVERAL_HOSTS: &str = "names several hosts; name one address that always leads to the primary, as a proxy or a record in the DNS does";

/// Reads the file of the authorities to trust, so that a slip shows at once.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn authorities(form: &Form, name: &str, path: &str) -> Result<Vec<u8>, Error> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    match std::fs::read(path) {
        Ok(pem) if pem.windows(BEGIN.len()).any(|window| window == BEGIN) => Ok(pem),
        Ok(_) => Err(form.says(&format!("names a file as `{name}` that holds no certificate in PEM"))),
        Err(error) => {
            Err(form.says(&format!("names a file as `{name}` that cannot be read: {}", error.kind())))
        }
    }
}

#[cfg(test)]
mod tests;
