//! What a link dials: one server, or whichever is the primary now.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::error::Failure;
use crate::place::Place;
use crate::role::Role;
use crate::sentinel::Sentinels;

/// What a link dials.
#[derive(Clone)]
pub(crate) enum Dialler {
    /// Always the same server, whatever it is.
    Server(Arc<Client>),
    /// Whoever is at the one place, which has to be a primary.
    Lone { client: Arc<Client>, role: Role },
    /// Always the same sentinel, which also says by itself when there is another primary.
    Sentinel { client: Arc<Client>, heard: Arc<Notify> },
    /// The server that the sentinels call the primary.
    Primary(Arc<Sentinels>),
}

impl Dialler {
    /// Whom to tell that the server said something by itself.
    pub(crate) fn listener(&self) -> Option<Arc<Notify>> {
        match self {
            Self::Sentinel { heard, .. } => Some(Arc::clone(heard)),
            Self::Server(_) | Self::Lone { .. } | Self::Primary(_) => None,
        }
    }

    /// Whether the server that was dialled is known to have been a primary.
    pub(crate) fn dialled_a_primary(&self) -> bool {
        match self {
            Self::Lone { role, .. } => role.was_primary(),
            Self::Primary(_) => true,
            Self::Server(_) | Self::Sentinel { .. } => false,
        }
    }

    pub(crate) async fn dial(
        &self,
        config: &AsyncConnectionConfig,
        connect_timeout: Duration,
    ) -> Result<(MultiplexedConnection, Standing), Failure> {
        match self {
            Self::Server(client) => Ok((reach(client, config).await?, Standing::Always)),
            Self::Lone { client, role } => {
                let mut connection = reach(client, config).await?;
                role.ask(&mut connection, connect_timeout).await?;
                Ok((connection, Standing::Always))
            }
            Self::Sentinel { client, .. } => {
                let mut connection = reach(client, config).await?;
                let listen = timeout(connect_timeout, connection.subscribe(SWITCH));
                match listen.await {
                    // Where that is not allowed, asking now and then has to do.
                    Ok(Ok(()) | Err(_)) => Ok((connection, Standing::Always)),
                    Err(_) => Err(Failure::Unreached(broken(io::ErrorKind::TimedOut))),
                }
            }
            Self::Primary(sentinels) => sentinels.dial(config).await,
        }
    }
}

/// What sentinels say when there is another primary.
const SWITCH: &str = "+switch-master";

/// One try to connect to a server.
pub(crate) async fn reach(
    client: &Client,
    config: &AsyncConnectionConfig,
) -> Result<MultiplexedConnection, Failure> {
    client.get_multiplexed_async_connection_with_config(config).await.map_err(Failure::Unreached)
}

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
