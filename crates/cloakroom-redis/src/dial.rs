//! What a link dials: one server, or whichever is the primary now.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::error::Failure;
use crate::form;
use crate::place::Place;
use crate::request::Packed;
use crate::role::Role;
use crate::sentinel::Sentinels;
use crate::server::Server;
use crate::wire::Wire;

/// What a link dials.
#[derive(Clone)]
pub(crate) enum Dialler {
    /// Always the same server, whatever it is.
    Server(Arc<Server>),
    /// Whoever is at the one place, which has to be a primary.
    Lone { server: Arc<Server>, role: Role },
    /// Always the same sentinel, which also says by itself when there is another primary.
    Sentinel { server: Arc<Server>, heard: Arc<Notify> },
    /// The server that the sentinels call the primary.
    Primary(Arc<Sentinels>),
}

impl Dialler {
    /// Whether the server that was dialled is known to have been a primary.
    pub(crate) fn dialled_a_primary(&self) -> bool {
        match self {
            Self::Lone { role, .. } => role.was_primary(),
            Self::Primary(_) => true,
            Self::Server(_) | Self::Sentinel { .. } => false,
        }
    }

    pub(crate) async fn dial(&self, connect_timeout: Duration) -> Result<(Wire, Standing), Failure> {
        match self {
            Self::Server(server) => Ok((server.reach(None, connect_timeout).await?, Standing::Always)),
            Self::Lone { server, role } => {
                let asked = async {
                    let wire = server.reach(None, connect_timeout).await?;
                    role.ask(&wire, connect_timeout).await?;
                    Ok((wire, Standing::Always))
                };
                let late = |_| Err(Failure::Unreached(broken(io::ErrorKind::TimedOut)));
                timeout(connect_timeout, asked).await.unwrap_or_else(late)
            }
            Self::Sentinel { server, heard } => {
                let wire = server.reach(Some(Arc::clone(heard)), connect_timeout).await?;
                let listen = Arc::new(Packed::one(form::subscribed, ["SUBSCRIBE", SWITCH].map(Into::into)));
                match timeout(connect_timeout, wire.ask(&listen)).await {
                    // Where that is not allowed, asking now and then has to do.
                    Ok(_) => Ok((wire, Standing::Always)),
                    Err(_) => Err(Failure::Unreached(broken(io::ErrorKind::TimedOut))),
                }
            }
            Self::Primary(sentinels) => sentinels.dial().await,
        }
    }
}

/// What sentinels say when there is another primary.
const SWITCH: &str = "+switch-master";

/// Whether a server is still the right one.
pub(crate) enum Standing {
    /// There is no other.
    Always,
    /// While it is the one that is announced.
    While { place: Place, announced: watch::Receiver<Option<Place>> },
}

impl Standing {
    pub(crate) fn holds(&self) -> bool {
        match self {
            Self::Always => true,
            Self::While { place, announced } => announced.borrow().as_ref().is_none_or(|now| now == place),
        }
    }

    /// Ends when it does; perhaps never.
    pub(crate) async fn ended(&self) {
        if let Self::While { place, announced } = self {
            let another = |now: &Option<Place>| now.as_ref().is_some_and(|now| now != place);
            if announced.clone().wait_for(another).await.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }
}

/// A failure of this kind, in the client library's words.
pub(crate) fn broken(kind: io::ErrorKind) -> redis::RedisError {
    io::Error::from(kind).into()
}
