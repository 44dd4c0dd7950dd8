//! One server, and the connections to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::StoreError;
use tokio::time::Instant;

use crate::dial::Dialler;
use crate::errand::Errand;
use crate::home::Home;
use crate::lanes::Lanes;
use crate::link::{Departure, Link, Setback};
use crate::request::{Asking, Replies, Request};
use crate::role::replaced;

/// One server: a connection that all verbs share, and some for writes that wait. A clone is the same server.
#[derive(Clone)]
pub(crate) struct Node(Arc<Inner>);

struct Inner {
    dialler: Dialler,
    shared: Link,
    lanes: Lanes,
}

impl Node {
    pub(crate) fn new(dialler: &Dialler, home: &Home, connect_timeout: Duration) -> Self {
        let link = || Link::new(dialler.clone(), home.clone(), connect_timeout);
        Self(Arc::new(Inner { dialler: dialler.clone(), shared: link(), lanes: Lanes::new(link) }))
    }

    /// Sends the request, once.
    pub(crate) async fn attempt(
        &self,
        request: &Request,
        asking: Asking,
        deadline: Instant,
        departure: &Departure,
    ) -> Result<Replies, Setback> {
        let packed = request.pack(asking);
        let all = if request.blocks() {
            self.0.lanes.attempt(&packed, deadline, departure).await?
        } else {
            self.0.shared.attempt(&packed, deadline, departure).await?
        };
        Ok(request.unpack(asking, all))
    }

    /// Sends the request, and once more when the connection broke and nothing speaks against it, or when another connection may
    /// do better.
    pub(crate) async fn ask(&self, request: &Request, errand: &mut Errand) -> Result<Replies, StoreError> {
        let asked = Instant::now();
        match self.attempt(request, Asking::No, errand.deadline(), &Departure::default()).await {
            Ok(replies) if replies.are_turned_away() => self.hang_up(asked),
            Ok(replies) => return Ok(replies),
            Err(Setback::Again(failure)) => errand.again_after(failure)?,
            Err(Setback::Final(failure)) => return Err(errand.given_up(failure)),
        }
        let asked = Instant::now();
        match self.attempt(request, Asking::No, errand.deadline(), &Departure::default()).await {
            // Others met the new one, and we another connection to the old one.
            Ok(replies) if replies.are_read_only() && self.0.dialler.dialled_a_primary() => {
                self.hang_up(asked);
                Err(errand.failed(replaced()))
            }
            Ok(replies) => Ok(replies),
            Err(Setback::Again(failure) | Setback::Final(failure)) => Err(errand.given_up(failure)),
        }
    }

    /// Dials anew for everything that comes: one connection was turned away, and the others that there were when it
    /// was `asked` lead there too. Who learns of it late does not end those that were made since.
    fn hang_up(&self, asked: Instant) {
        self.0.shared.hang_up(asked);
        self.0.lanes.hang_up(asked);
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.shared.fmt(f)
    }
}
