//! The connections of a store that has its own: dialled when they are needed, used by one verb at a time.
//!
//! The client library has a pool as well. It asks a connection whether it is sound each time that one comes back, which is a
//! second round trip for each verb.

use std::collections::VecDeque;
use std::fmt;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::Connection as _;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::dialect::{Dialect, Options};

/// How long a connection may have been idle to be taken without a question.
const IDLE: Duration = Duration::from_secs(30);

/// How long a connection may be idle before it is closed, when others come back.
const LONG_IDLE: Duration = Duration::from_secs(10 * 60);

/// How old a connection becomes.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// How long a connection may take to say that it is sound, or to say goodbye.
pub(crate) const RETURN: Duration = Duration::from_secs(5);

/// What it means to close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The pool makes another one.
    Replaced,
    /// All records are gone: they are in the memory of this connection.
    Fatal,
}

/// The connections to one database.
pub(crate) struct Connections<D: Dialect> {
    options: Options<D>,
    most: usize,
    /// How long to wait for a connection, new or used.
    patience: Duration,
    loss: Loss,
    trouble: Trouble,
    slots: Semaphore,
    /// The one used last is at the end. The lock is never held across a wait.
    idle: Mutex<VecDeque<Idle<D>>>,
}

struct Idle<D: Dialect> {
    connection: D::Connection,
    born: Instant,
    since: Instant,
}

/// A connection in the hands of one verb. Dropped, also in the middle of a statement, it is closed without a word:
/// nobody reads what may still come over it. The one that keeps everything is kept in any case: nothing is in between that
/// something could come over.
pub(crate) struct Checkout<D: Dialect> {
    /// Until it goes back.
    connection: Option<D::Connection>,
    born: Instant,
    slot: Slot<D>,
}

impl<D: Dialect> Drop for Checkout<D> {
    fn drop(&mut self) {
        if self.slot.0.loss == Loss::Fatal {
            self.put_back();
        }
    }
}

/// The right to one of the connections.
struct Slot<D: Dialect>(Arc<Connections<D>>);

impl<D: Dialect> Drop for Slot<D> {
    fn drop(&mut self) {
        self.0.slots.add_permits(1);
    }
}

impl<D: Dialect> Connections<D> {
    pub(crate) fn new(options: Options<D>, most: u32, patience: Duration, loss: Loss) -> Arc<Self> {
        let most = usize::try_from(most).unwrap_or(1);
        let (slots, idle) = (Semaphore::new(most), Mutex::new(VecDeque::new()));
        Arc::new(Self { options, most, patience, loss, trouble: Trouble::new(), slots, idle })
    }

    pub(crate) const fn loss(&self) -> Loss {
        self.loss
    }

    /// A connection broke, or stayed silent.
    pub(crate) fn note_trouble(&self) {
        self.trouble.note();
    }

    /// A connection that is there and is not in doubt.
    pub(crate) fn ready(self: &Arc<Self>) -> Option<Checkout<D>> {
        let slot = self.free_slot()?;
        let mut idle = self.idle();
        if self.doubts(idle.back()?) {
            return None;
        }
        let Idle { connection, born, .. } = idle.pop_back()?;
        Some(Checkout { connection: Some(connection), born, slot })
    }

    /// A connection that is waited for: for one that comes back, for what one in doubt says, for a new one.
    pub(crate) async fn wait(self: &Arc<Self>) -> Result<Checkout<D>, sqlx::Error> {
        let until = Instant::now() + self.patience;
        let slot = self.slot(until).await?;
        let last = self.idle().pop_back();
        if let Some(mut idle) = last {
            // There is to be time left for a new one.
            let patience = until.min(Instant::now() + self.patience / 2);
            let is_sound = !self.doubts(&idle)
                || matches!(timeout_at(patience, idle.connection.ping()).await, Ok(Ok(())));
            if is_sound {
                return Ok(Checkout { connection: Some(idle.connection), born: idle.born, slot });
            }
            self.note_trouble();
        }
        dialled(slot, until).await
    }

    async fn slot(self: &Arc<Self>, until: Instant) -> Result<Slot<D>, sqlx::Error> {
        if let Some(slot) = self.free_slot() {
            return Ok(slot);
        }
        match timeout_at(until, self.slots.acquire()).await {
            Ok(Ok(permit)) => permit.forget(),
            Ok(Err(_)) => return Err(sqlx::Error::PoolClosed),
            Err(_) => return Err(sqlx::Error::PoolTimedOut),
        }
        Ok(Slot(Arc::clone(self)))
    }

    fn free_slot(self: &Arc<Self>) -> Option<Slot<D>> {
        self.slots.try_acquire().ok()?.forget();
        Some(Slot(Arc::clone(self)))
    }

    /// A server that is not there yet is asked again.
    async fn dial(&self, until: Instant) -> Result<D::Connection, sqlx::Error> {
        let mut pause = Duration::from_millis(10);
        loop {
            match timeout_at(until, D::Connection::connect_with(&self.options)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(sqlx::Error::Io(error))) if error.kind() == ErrorKind::ConnectionRefused => {}
                Ok(Err(sqlx::Error::Database(error))) if error.is_transient_in_connect_phase() => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(sqlx::Error::PoolTimedOut),
            }
            if Instant::now() + pause >= until {
                return Err(sqlx::Error::PoolTimedOut);
            }
            sleep(pause).await;
            pause = (pause * 2).min(self.patience / 5);
        }
    }

    fn doubts(&self, idle: &Idle<D>) -> bool {
        self.loss == Loss::Replaced && self.trouble.casts_doubt_on(idle.since.elapsed())
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle<D>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new connection.
///
/// It is dialled in a task of its own: verbs with a deadline shorter than that takes would else begin it again and
/// again, and never have one.
async fn dialled<D: Dialect>(slot: Slot<D>, until: Instant) -> Result<Checkout<D>, sqlx::Error> {
    let (give, take) = oneshot::channel();
    tokio::spawn(async move {
        let connection = slot.0.dial(until).await;
        let new = connection.map(|connection| Checkout {
            connection: Some(connection),
            born: Instant::now(),
            slot,
        });
        if let Err(Ok(unwanted)) = give.send(new) {
            unwanted.give_back();
        }
    });
    take.await.unwrap_or(Err(sqlx::Error::PoolClosed))
}

impl<D: Dialect> Checkout<D> {
    /// It is there until it goes back.
    pub(crate) const fn connection(&mut self) -> Option<&mut D::Connection> {
        self.connection.as_mut()
    }

    /// The connection has no answer due: it is good for another verb.
    pub(crate) fn give_back(mut self) {
        for worn in self.put_back() {
            tokio::spawn(async move {
                let _ = timeout(RETURN, worn.close()).await;
            });
        }
    }

    /// Puts the connection to those that are idle, unless it is old, and tells which are to be closed.
    fn put_back(&mut self) -> Vec<D::Connection> {
        let (mut worn, now) = (Vec::new(), Instant::now());
        let Some(connection) = self.connection.take() else { return worn };
        let (born, pool) = (self.born, &self.slot.0);
        let mut idle = pool.idle();
        if pool.loss == Loss::Fatal {
            idle.push_back(Idle { connection, born, since: now });
            return worn;
        }
        while idle.front().is_some_and(|oldest| now - oldest.since > LONG_IDLE) {
            worn.extend(idle.pop_front().map(|oldest| oldest.connection));
        }
        if now - born > LIFETIME {
            worn.push(connection);
        } else {
            idle.push_back(Idle { connection, born, since: now });
        }
        worn
    }

    /// What may be left of a statement is read, and what it has begun is rolled back, off the way of the request; a
    /// connection that is out of step is closed.
    pub(crate) fn settle(mut self) {
        tokio::spawn(async move {
            let Some(connection) = &mut self.connection else { return };
            let is_sound = matches!(timeout(RETURN, connection.ping()).await, Ok(Ok(())));
            if is_sound || self.slot.0.loss == Loss::Fatal {
                self.give_back();
            } else {
                self.slot.0.note_trouble();
            }
        });
    }
}

impl<D: Dialect> fmt::Debug for Connections<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let idle = self.idle().len();
        let in_use = self.most.saturating_sub(self.slots.available_permits());
        write!(f, "{idle} of {} connections idle", idle + in_use)
    }
}

/// When a connection last broke, or stayed silent: others that were idle at that time are asked before they are used.
struct Trouble {
    origin: Instant,
    /// In milliseconds after the origin.
    last: AtomicU64,
}

impl Trouble {
    fn new() -> Self {
        Self { origin: Instant::now(), last: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn casts_doubt_on(&self, idle: Duration) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        if last == 0 {
            return idle > IDLE;
        }
        let ago = Duration::from_millis(self.now().saturating_sub(last));
        idle > IDLE || idle >= ago
    }
}

#[cfg(feature = "sqlite")]
#[cfg(test)]
mod tests;
