//! What a link dials: one server, or whichever is the primary now.

use std::io;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};
use tokio::sync::watch;

use crate::error::Failure;
use crate::place::Place;
use crate::sentinel::Sentinels;

/// What a link dials.
#[derive(Clone)]
pub(crate) enum Dialler {
    /// Always the same server.
    Server(Arc<Client>),
    /// The server that the sentinels call the primary.
    Primary(Arc<Sentinels>),
}

impl Dialler {
    pub(crate) async fn dial(
        &self,
        config: &AsyncConnectionConfig,
    ) -> Result<(MultiplexedConnection, Standing), Failure> {
        match self {
            Self::Server(client) => Ok((reach(client, config).await?, Standing::Always)),
            Self::Primary(sentinels) => sentinels.dial(config).await,
        }
    }
}

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
