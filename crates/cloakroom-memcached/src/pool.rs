//! The connections to one server: dialled when they are needed, used by one request at a time.
//!
//! The client library has a pool of its own. It matches no reply to its request, so that one that comes twice would
//! answer the next request; it resolves names once and for all; and it does not tell which server answered.

use std::pin::pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use cloakroom_core::Error;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::address::Address;
use crate::connection::Connection;
use crate::error::{Cause, Failure};

/// How long a connection may lie idle: shorter than what firewalls and balancers forget.
const IDLE: Duration = Duration::from_secs(60);

/// How many connections one server gets from one store: 1 to 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaxConnections(usize);

impl MaxConnections {
    pub(crate) fn new(number: usize) -> Result<Self, Error> {
        if (1..=1024).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Error::misconfigured("`max_connections` of the Memcached store must be between 1 and 1024"))
        }
    }

    #[cfg(test)]
    pub(crate) const fn get(self) -> usize {
        self.0
    }
}

impl Default for MaxConnections {
    fn default() -> Self {
        Self(32)
    }
}

impl FromStr for MaxConnections {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(number) => Self::new(number),
            Err(_) => Err(Error::misconfigured("`max_connections` of the Memcached URL is no number")),
        }
    }
}

/// The way to one server.
pub(crate) struct Pool {
    address: Address,
    connect_timeout: Duration,
    slots: Semaphore,
    /// The one used last is on top. The lock is never held across a wait.
    idle: Mutex<Vec<Idle>>,
    /// Counts the connections that the server, or something in between, has ended.
    ended: AtomicU64,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// Which connection will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// One that is there, or else a new one.
    Any,
    /// A new one.
    Fresh,
}

/// A connection in the hands of one request. Dropped, also in the middle of a request, it is closed.
pub(crate) struct Checkout<'a> {
    pool: &'a Pool,
    pub(crate) connection: Connection,
    _slot: SemaphorePermit<'a>,
}

impl Pool {
    pub(crate) fn new(address: Address, max: MaxConnections, connect_timeout: Duration) -> Self {
        let (slots, idle) = (Semaphore::new(max.0), Mutex::new(Vec::new()));
        Self { address, connect_timeout, slots, idle, ended: AtomicU64::new(0) }
    }

    /// A connection for one request; waits for a free one, and for a new one, no longer than `connect_timeout`
    /// each.
    pub(crate) async fn checkout(&self, want: Want, deadline: Instant) -> Result<Checkout<'_>, Failure> {
        let slot = self.slot(deadline).await?;
        let there = match want {
            Want::Any => self.pop(),
            Want::Fresh => None,
        };
        let connection = match there {
            Some(connection) => connection,
            None => Connection::new(self.dial(deadline).await.map_err(Failure::Unreached)?),
        };
        Ok(Checkout { pool: self, connection, _slot: slot })
    }

    /// The right to one of the connections.
    pub(crate) async fn slot(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Failure> {
        match timeout_at(self.soon(deadline), self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(Failure::Unreached(Cause::said("all connections to the server are in use"))),
        }
    }

    /// A new connection. The name is resolved anew each time, so that a server may move.
    pub(crate) async fn dial(&self, deadline: Instant) -> Result<TcpStream, Cause> {
        if Instant::now() >= deadline {
            return Err(Cause::said("the deadline passed before the connection"));
        }
        let host = self.address.host();
        let dial = TcpStream::connect((host.as_str(), self.address.port()));
        match timeout_at(self.soon(deadline), dial).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                Ok(stream)
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Cause::said("the server did not accept the connection in time")),
        }
    }

    /// Closes the idle connections. Those in use stay.
    pub(crate) fn close_idle(&self) {
        let closed = std::mem::take(&mut *self.idle());
        drop(closed);
    }

    /// Something ended a connection: the server may be another one by now.
    pub(crate) fn note_end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections were ended so far.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    fn soon(&self, deadline: Instant) -> Instant {
        deadline.min(Instant::now() + self.connect_timeout)
    }

    fn pop(&self) -> Option<Connection> {
        loop {
            let Idle { mut connection, since } = self.idle().pop()?;
            if !is_quiet(&mut connection) {
                self.note_end();
            } else if since.elapsed() > IDLE {
                // Those below lie idle for longer still.
                self.close_idle();
                return None;
            } else {
                return Some(connection);
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkout<'_> {
    /// The request has its whole reply: the connection is good for another one.
    pub(crate) fn give_back(self) {
        self.pool.idle().push(Idle { connection: self.connection, since: Instant::now() });
    }
}

/// Whether nothing has come on a connection that lay idle. The end of it, or a byte that nobody asked for, says that
/// it is of no more use; a byte that is lost here would be missed by the next reply, which then is none.
fn is_quiet(connection: &mut Connection) -> bool {
    let receive = pin!(connection.receive());
    receive.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}
