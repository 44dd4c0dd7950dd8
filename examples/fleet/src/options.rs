//! What the command line says.

use fleet::{Adapter, Adapters, Ring, SharedStore};

#[cfg(test)]
mod tests;

/// What `--help` shows.
pub(crate) const HELP: &str = "\
Shows three instances behind nginx on one store: one login that all of them see, restarts and another secret under way
without a logout or a lost change, and a cache in front that gives nobody what is another one's.

Usage: cargo run -p fleet -- [--store URL] [--adapter axum|actix|both] [--secret B64[,B64...]] [--visitors N]

  --store URL                the store that they share; default: a Redis that is started for this run. Any URL that the
                             testbed takes, but no store that each process has to itself
  --adapter axum|actix|both  the framework; default both: instances 1 and 3 are axum, 2 is actix-web
  --secret B64[,B64...]      the key ring to begin with; default: one that is made up
  --visitors N               how many are logged in during the restarts, 1 to 64; default 8
  --help                     this text

It needs nginx, and redis-server without --store; root on Debian gets them installed. It ends with 0 if every promise was
kept, and with 1 and a sentence if one was not.
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Tell what can be asked for.
    Help,
    /// Show the fleet.
    Show(Options),
}

/// How the fleet is to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// None for one of our own.
    pub(crate) store: Option<SharedStore>,
    pub(crate) adapters: Adapters,
    /// None for one that is made up.
    pub(crate) ring: Option<Ring>,
    pub(crate) visitors: usize,
}

impl Command {
    /// Reads the arguments after the program's name.
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Options { store: None, adapters: Adapters::Mixed, ring: None, visitors: 8 };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            if ["--help", "-h"].contains(&name.as_str()) {
                return Ok(Self::Help);
            }
            if !["--store", "--adapter", "--secret", "--visitors"].contains(&name.as_str()) {
                return Err(format!("there is no option `{name}`; see --help"));
            }
            let value =
                value.or_else(|| arguments.next()).ok_or(format!("{name} needs a value; see --help"))?;
            match name.as_str() {
                "--store" => {
                    options.store =
                        Some(SharedStore::parse(&value).map_err(|why| format!("--store: {why}"))?);
                }
                "--adapter" => options.adapters = adapters(&value)?,
                "--secret" => options.ring = Some(Ring::typed(&value)),
                _ => options.visitors = visitors(&value)?,
            }
        }
        Ok(Self::Show(options))
    }
}

fn adapters(text: &str) -> Result<Adapters, String> {
    match text {
        "axum" => Ok(Adapters::All(Adapter::Axum)),
        "actix" => Ok(Adapters::All(Adapter::Actix)),
        "both" => Ok(Adapters::Mixed),
        other => Err(format!("--adapter is `axum`, `actix` or `both`, not `{other}`")),
    }
}

fn visitors(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(visitors @ 1..=64) => Ok(visitors),
        _ => Err(format!("--visitors is a number from 1 to 64, not `{text}`")),
    }
}
