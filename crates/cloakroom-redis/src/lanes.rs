//! Connections for writes that wait for replicas.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloakroom_core::StoreErrorKind;
use redis::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::error::Failure;
use crate::link::{Departure, Link, Setback};
use crate::request::Packed;

/// How many writes may wait for the replicas of one server at a time.
pub(crate) const LANES: usize = 16;

/// Connections for writes that wait for replicas.
///
/// The server blocks a connection that waits, and everything behind. So no two such writes share one at a
/// time, and nothing else is sent on them.
pub(crate) struct Lanes {
    /// Those in use last come first, so that idle ones are never dialled.
    free: Mutex<VecDeque<Link>>,
    permits: Semaphore,
}

impl Lanes {
    pub(crate) fn new(link: impl Fn() -> Link) -> Self {
        let free = Mutex::new((0..LANES).map(|_| link()).collect());
        Self { free, permits: Semaphore::new(LANES) }
    }

    /// Sends the commands on a connection of their own.
    pub(crate) async fn attempt(
        &self,
        request: &Arc<Packed>,
        deadline: Instant,
        departure: &Departure,
    ) -> Result<Vec<Value>, Setback> {
        let busy = || {
            let why = "all connections for writes that wait for replicas are in use";
            Setback::Final(Failure::Nobody { kind: StoreErrorKind::Unavailable, why })
        };
        let permit = timeout_at(deadline, self.permits.acquire()).await;
        let _permit = permit.map_err(|_| busy())?.map_err(|_| busy())?;
        let mut lane = Lane { lanes: self, link: self.free().pop_front(), end: End::Dropped };
        let Some(link) = &lane.link else { return Err(busy()) };
        let outcome = link.attempt(request, deadline, departure).await;
        lane.end = if outcome.is_ok() { End::Answered } else { End::Dropped };
        outcome
    }

    /// Uses none of the connections again that were made before and are not in use now.
    pub(crate) fn hang_up(&self, before: Instant) {
        self.free().iter().for_each(|link| link.hang_up(before));
    }

    fn free(&self) -> MutexGuard<'_, VecDeque<Link>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use.
struct Lane<'l> {
    lanes: &'l Lanes,
    link: Option<Link>,
    end: End,
}

/// How the use of a connection ended.
enum End {
    Answered,
    /// The server may still wait on it: others go first.
    Dropped,
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else { return };
        match self.end {
            End::Answered => self.lanes.free().push_front(link),
            End::Dropped => self.lanes.free().push_back(link),
        }
    }
}
