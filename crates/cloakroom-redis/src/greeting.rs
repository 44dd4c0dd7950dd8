//! How every server of a store is greeted: by whom, with or without TLS, and with which patience.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::Error;
use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind, Value};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::error::Failure;
use crate::form;
use crate::place::Place;
use crate::request::{Packed, Proof};
use crate::server::{Address, Server};
use crate::wire::Wire;

/// What a server is told first. `Debug` shows none of it.
#[derive(Clone)]
pub(crate) struct Greeting {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    /// How certificates are checked, where any server is reached by TLS.
    pub(crate) tls: Option<TlsConnector>,
    /// How long a peer may acknowledge nothing.
    pub(crate) timeout: Duration,
    /// What replies will be known by.
    pub(crate) proof: Proof,
}

impl Greeting {
    /// The server at this place; it is not dialled yet.
    pub(crate) fn server(&self, place: &Place) -> Result<Server, Error> {
        let address = match place.clone() {
            Place::Tcp { host, port } => Address::Tcp { host, port },
            Place::Tls { host, port } => {
                let unusable = || Error::misconfigured("the Redis URL cannot be used: no name for TLS");
                let name = ServerName::try_from(host.clone()).map_err(|_| unusable())?;
                let connector = self.tls.clone().ok_or_else(unusable)?;
                Address::Tls { host, port, name, connector }
            }
            Place::Unix { path } => Address::Unix { path },
        };
        Ok(Server::new(address, self.clone()))
    }

    /// Introduces us at the other end of a new connection.
    pub(crate) async fn say(&self, wire: &Wire) -> Result<(), Failure> {
        let user = self.user.as_deref().unwrap_or("default");
        let hello = match &self.password {
            Some(password) => {
                let words = ["HELLO", "3", "AUTH", user, password];
                Packed::one(form::hello, words.map(Into::into))
            }
            None => Packed::one(form::hello, ["HELLO", "3"].map(Into::into)),
        };
        let words = match self.database {
            0 => hello,
            number => hello.and(form::ok, ["SELECT".into(), u64::from(number).into()]),
        };
        // Who may not have his numbers back could do nothing, and would not be told why.
        let words = match self.proof {
            Proof::Form => words,
            Proof::Echo => words.and(form::bytes, ["ECHO", "cloakroom"].map(Into::into)),
        };
        let replies = wire.ask(&Arc::new(words)).await.map_err(Failure::before_any_request)?;
        let refusals = replies.iter().map(|reply| match reply {
            Value::ServerError(refusal) => Some(refusal),
            _ => None,
        });
        for (at, refusal) in refusals.enumerate() {
            match refusal {
                Some(refusal) if at == 0 => return Err(Failure::Unreached(unwelcome(refusal))),
                Some(_) if at == 1 && self.database != 0 => return Err(Failure::Unreached(no_database())),
                Some(refusal) => return Err(Failure::Unreached(refusal.clone().into())),
                None => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Greeting(..)")
    }
}

fn unwelcome(refusal: &ServerError) -> RedisError {
    if refusal.details().is_some_and(|words| words.starts_with("unknown command `HELLO`")) {
        return (ErrorKind::RESP3NotSupported, "the server knows no HELLO").into();
    }
    refusal.clone().into()
}

fn no_database() -> RedisError {
    (ErrorKind::Server(ServerErrorKind::ResponseError), "the server refused to select the database").into()
}
