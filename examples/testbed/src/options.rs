//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use cloakroom::SessionLimit;

use crate::duration;

/// What `--help` shows.
pub(crate) const HELP: &str = "\
testbed --adapter axum|actix --store URL [options]

Serves every session route. Standard output has one line, `listening on http://ADDR`.

  --adapter axum|actix     the framework
  --store URL              where sessions live: memory:, redis://127.0.0.1:6379, ...
  --listen ADDR            address and port; default 127.0.0.1:0, a free port
  --idle D                 a session ends this long after its last use; default 30m
  --absolute D             a session ends this long after its start in any case; default 12h
  --touch-interval D       how much of the idle time must be gone before a use is written
  --secret B64[,B64...]    the key ring, the writing secret first; default: one that is made up and shown
  --cookie-name NAME       default __Host-session
  --insecure-cookie        drops Secure and the __Host- prefix, for plain-HTTP clients that insist
  --header NAME            carries the token in this header instead of a cookie
  --rotation-grace D       renews secrets every 15m, the old one being good for this long
  --max-sessions N         a login beyond N sessions of one person ends the one whose login is the longest ago;
                           1 to 1000, default: as many as there are logins; needs a store that lists sessions
  --max-size BYTES         the largest session, encoded; default 65536, or 2048 where clients carry their sessions

D is a duration: 250ms, 30s, 30m, 12h.";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Serve(Box<Options>),
}

/// How to serve.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) adapter: Adapter,
    pub(crate) store: String,
    pub(crate) listen: SocketAddr,
    pub(crate) idle: Duration,
    pub(crate) absolute: Duration,
    pub(crate) touch_interval: Option<Duration>,
    pub(crate) secret: Option<String>,
    pub(crate) transport: Transport,
    pub(crate) rotation_grace: Option<Duration>,
    pub(crate) limit: SessionLimit,
    pub(crate) max_size: Option<usize>,
}

/// Which framework serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    Axum,
    Actix,
}

/// How tokens travel.
#[derive(Debug)]
pub(crate) enum Transport {
    Cookie { name: Option<String>, guard: Guard },
    Header(String),
}

/// Whether the cookie goes over plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    Secure,
    Insecure,
}

/// Reads the arguments after the program's name.
///
/// # Errors
///
/// A sentence that says what is wrong with them.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Request, String> {
    let mut given = Given::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let flag = matches!(name.as_str(), "--help" | "-h" | "--insecure-cookie");
        if flag && inline.is_some() {
            return Err(format!("{name} takes no value"));
        }
        if !flag && !given.knows(&name) {
            return Err(format!("there is no option {name}; see --help"));
        }
        match name.as_str() {
            "--help" | "-h" => return Ok(Request::Help),
            "--insecure-cookie" => given.set(&name, String::new())?,
            _ => {
                let value = match inline {
                    Some(value) => value,
                    None => arguments.next().ok_or_else(|| format!("{name} needs a value; see --help"))?,
                };
                given.set(&name, value)?;
            }
        }
    }
    given.into_options().map(|options| Request::Serve(Box::new(options)))
}

const NAMES: [&str; 13] = [
    "--adapter",
    "--store",
    "--listen",
    "--idle",
    "--absolute",
    "--touch-interval",
    "--secret",
    "--cookie-name",
    "--insecure-cookie",
    "--header",
    "--max-sessions",
    "--max-size",
    "--rotation-grace",
];

/// The options as they were typed.
#[derive(Default)]
struct Given([Option<String>; NAMES.len()]);

impl Given {
    fn knows(&self, name: &str) -> bool {
        NAMES.contains(&name)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        let slots = NAMES.iter().zip(&mut self.0);
        let slot = slots.filter(|(known, _)| **known == name).map(|(_, slot)| slot).next();
        match slot {
            Some(slot @ None) => *slot = Some(value),
            Some(Some(_)) => return Err(format!("{name} is given twice")),
            None => return Err(format!("there is no option {name}; see --help")),
        }
        Ok(())
    }

    fn take(&mut self, name: &str) -> Option<String> {
        NAMES.iter().zip(&mut self.0).find(|(known, _)| **known == name).and_then(|(_, slot)| slot.take())
    }

    fn duration(&mut self, name: &str) -> Result<Option<Duration>, String> {
        let Some(text) = self.take(name) else { return Ok(None) };
        duration::parse(&text).map(Some).map_err(|problem| format!("{name}: {problem}"))
    }

    fn into_options(mut self) -> Result<Options, String> {
        let adapter = match self.take("--adapter").as_deref() {
            Some("axum") => Adapter::Axum,
            Some("actix") => Adapter::Actix,
            Some(other) => return Err(format!("--adapter: `{other}` is neither axum nor actix")),
            None => return Err("--adapter is missing: axum or actix".to_owned()),
        };
        let store = self.take("--store").ok_or("--store is missing: a URL such as memory:")?;
        let listen = self.take("--listen").unwrap_or_else(|| "127.0.0.1:0".to_owned());
        let listen = listen
            .parse()
            .map_err(|_| format!("--listen: `{listen}` is no address with a port, such as 127.0.0.1:8080"))?;
        Ok(Options {
            adapter,
            store,
            listen,
            idle: self.duration("--idle")?.unwrap_or(Duration::from_secs(30 * 60)),
            absolute: self.duration("--absolute")?.unwrap_or(Duration::from_secs(12 * 60 * 60)),
            touch_interval: self.duration("--touch-interval")?,
            secret: self.take("--secret"),
            rotation_grace: self.duration("--rotation-grace")?,
            limit: self.limit()?,
            max_size: self.max_size()?,
            transport: self.transport()?,
        })
    }

    fn limit(&mut self) -> Result<SessionLimit, String> {
        let Some(text) = self.take("--max-sessions") else { return Ok(SessionLimit::Unlimited) };
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        number
            .map(SessionLimit::EvictOldest)
            .ok_or_else(|| format!("--max-sessions: `{text}` is no number of sessions; write it like 5"))
    }

    fn max_size(&mut self) -> Result<Option<usize>, String> {
        let Some(text) = self.take("--max-size") else { return Ok(None) };
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        number
            .map(Some)
            .ok_or_else(|| format!("--max-size: `{text}` is no number of bytes; write it like 4096"))
    }

    fn transport(&mut self) -> Result<Transport, String> {
        let name = self.take("--cookie-name");
        let insecure = self.take("--insecure-cookie");
        match self.take("--header") {
            Some(_) if name.is_some() || insecure.is_some() => {
                Err("--header takes the place of the cookie; leave --cookie-name and --insecure-cookie out"
                    .to_owned())
            }
            Some(header) => Ok(Transport::Header(header)),
            None => {
                let guard = if insecure.is_some() { Guard::Insecure } else { Guard::Secure };
                Ok(Transport::Cookie { name, guard })
            }
        }
    }
}
