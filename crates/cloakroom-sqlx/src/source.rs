//! Where connections come from: the store has its own, or shares the pool of the application.

use std::fmt;
use std::sync::Arc;

use sqlx::Pool;
use sqlx::pool::PoolConnection;
use tokio::time::timeout;

use crate::dialect::Dialect;
use crate::pool::{Checkout, Connections, Loss, RETURN};

/// Where connections come from.
pub(crate) enum Source<D: Dialect> {
    Own(Arc<Connections<D>>),
    Shared(Pool<D>),
}

/// A connection in the hands of one verb.
pub(crate) enum Lease<D: Dialect> {
    Own(Checkout<D>),
    Shared(PoolConnection<D>),
}

impl<D: Dialect> Source<D> {
    /// A connection that can be had without waiting. The pool of an application is always waited for.
    pub(crate) fn ready(&self) -> Option<Lease<D>> {
        match self {
            Self::Own(connections) => connections.ready().map(Lease::Own),
            Self::Shared(_) => None,
        }
    }

    /// A connection that is waited for.
    pub(crate) async fn wait(&self) -> Result<Lease<D>, sqlx::Error> {
        match self {
            Self::Own(connections) => connections.wait().await.map(Lease::Own),
            Self::Shared(pool) => {
                let mut connection = acquire(pool).await?;
                // Dropped in the middle of a statement, the pool would go on with it.
                connection.close_on_drop();
                Ok(Lease::Shared(connection))
            }
        }
    }

    pub(crate) fn note_trouble(&self) {
        match self {
            Self::Own(connections) => connections.note_trouble(),
            // Whether its connections are sound is the pool's business.
            Self::Shared(_) => {}
        }
    }

    pub(crate) fn loss(&self) -> Loss {
        match self {
            Self::Own(connections) => connections.loss(),
            Self::Shared(_) => Loss::Replaced,
        }
    }
}

/// A new connection is dialled in a task of its own, as [`crate::pool`] does.
async fn acquire<D: Dialect>(pool: &Pool<D>) -> Result<PoolConnection<D>, sqlx::Error> {
    if pool.num_idle() > 0 || pool.size() >= pool.options().get_max_connections() {
        return pool.acquire().await;
    }
    match tokio::spawn(pool.acquire()).await {
        Ok(connection) => connection,
        Err(_) => Err(sqlx::Error::PoolClosed),
    }
}

impl<D: Dialect> Lease<D> {
    /// It is there until it goes back.
    pub(crate) fn connection(&mut self) -> Option<&mut D::Connection> {
        match self {
            Self::Own(checkout) => checkout.connection(),
            Self::Shared(connection) => Some(connection),
        }
    }

    /// Everything that was asked is answered.
    pub(crate) fn give_back(self) {
        match self {
            Self::Own(checkout) => checkout.give_back(),
            Self::Shared(connection) => give_back(connection),
        }
    }

    /// What was asked was refused.
    pub(crate) fn settle(self) {
        match self {
            Self::Own(checkout) => checkout.settle(),
            Self::Shared(connection) => give_back(connection),
        }
    }

    /// Closed at once, without a word: nobody reads what may still come over it.
    pub(crate) fn close(self) {
        match self {
            Self::Own(checkout) => drop(checkout),
            Self::Shared(connection) => drop(connection.detach()),
        }
    }
}

/// Off the way of the request. The pool asks the connection whether it is sound, and would wait for that
/// for ever if what is between us and the server has forgotten the connection.
fn give_back<D: Dialect>(mut connection: PoolConnection<D>) {
    tokio::spawn(async move {
        let _ = timeout(RETURN, connection.return_to_pool()).await;
    });
}

impl<D: Dialect> fmt::Debug for Source<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(connections) => connections.fmt(f),
            Self::Shared(pool) => write!(f, "{} of {} connections idle", pool.num_idle(), pool.size()),
        }
    }
}
