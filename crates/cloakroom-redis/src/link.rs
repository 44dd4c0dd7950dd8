//! One connection: dialled when it is needed, shared by all who use it, replaced when it fails.

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use redis::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::dial::{Dialler, Standing, broken};
use crate::error::Failure;
use crate::home::Home;
use crate::request::{Packed, is_turned_away};
use crate::wire::Wire;

/// How many timeouts in a row make a connection suspect: it may be frozen where a new one would work.
const TIMEOUTS_IN_A_ROW: u32 = 3;

/// After which time a request that is dropped counts like one that ran out of time, and how old a connection has to be for
/// either to count.
const LONG: Duration = Duration::from_millis(250);

/// The shortest time between a dial that failed and the next one.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a refused password is not tried again.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// The way to the server. A clone is the same way.
#[derive(Clone)]
pub(crate) struct Link(Arc<Inner>);

struct Inner {
    dialler: Dialler,
    connect_timeout: Duration,
    home: Home,
    slot: Mutex<Slot>,
}

/// Where the connection is; the lock is never held across a wait.
enum Slot {
    /// Not dialled yet.
    Empty,
    /// Given up, after it was made at this moment.
    GivenUp { made: Instant },
    /// The last dial failed.
    Failed { at: Instant, failure: Failure },
    /// A task dials; all who need the connection wait for it.
    Dialling(watch::Receiver<Option<Dialled>>),
    /// In use.
    Ready(Arc<Line>),
}

type Dialled = Result<Arc<Line>, Failure>;

/// A connection, and how well it does.
struct Line {
    wire: Wire,
    /// Whether the server at the other end is still the right one.
    standing: Standing,
    made: Instant,
    timeouts: AtomicU32,
}

impl Line {
    fn is_good(&self) -> bool {
        self.wire.is_open() && self.standing.holds()
    }
}

/// Whether the request of a try may have left, for whoever drops it.
#[derive(Default)]
pub(crate) struct Departure(AtomicBool);

impl Departure {
    fn is_near(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The failure of a try that was dropped.
    pub(crate) fn dropped(&self) -> Failure {
        let why = broken(io::ErrorKind::ConnectionAborted);
        if self.0.load(Ordering::Relaxed) { Failure::Lost(why) } else { Failure::Unreached(why) }
    }
}

/// A failed try, and whether another one is worth it.
pub(crate) enum Setback {
    Again(Failure),
    Final(Failure),
}

impl Link {
    /// A link that dials when it is first asked.
    pub(crate) fn new(dialler: Dialler, home: Home, connect_timeout: Duration) -> Self {
        Self(Arc::new(Inner { dialler, connect_timeout, home, slot: Mutex::new(Slot::Empty) }))
    }

    /// Sends the commands in one go, once, and waits for their replies until the deadline.
    pub(crate) async fn attempt(
        &self,
        request: &Arc<Packed>,
        deadline: Instant,
        departure: &Departure,
    ) -> Result<Vec<Value>, Setback> {
        let line = self.line(deadline).await?;
        if !line.standing.holds() {
            return Err(Setback::Again(Failure::Unreached(broken(io::ErrorKind::ConnectionAborted))));
        }
        departure.is_near();
        let reply = pin!(line.wire.ask(request));
        let reply = async {
            match select(reply, pin!(line.standing.ended())).await {
                Either::Left((reply, _)) => reply,
                // Whatever the old server still does counts for nothing. The new one knows.
                Either::Right(_) => Err(Failure::Lost(broken(io::ErrorKind::ConnectionAborted))),
            }
        };
        let (since, before) = (Instant::now(), line.wire.answered());
        let mut waiting = Waiting { inner: &self.0, line: &line, since, before, end: End::Dropped };
        match timeout_at(deadline, reply).await {
            Ok(Ok(replies)) => {
                waiting.end = End::Answered;
                line.timeouts.store(0, Ordering::Relaxed);
                if replies.iter().any(is_turned_away) {
                    self.0.give_up(&line);
                }
                Ok(replies)
            }
            Ok(Err(failure)) => {
                waiting.end = End::Answered;
                self.0.give_up(&line);
                Err(Setback::Again(failure))
            }
            Err(_) => {
                waiting.end = End::Late;
                Err(Setback::Final(Failure::Late))
            }
        }
    }

    /// Lets the next request dial anew, unless the connection was made since then. Requests that still wait keep
    /// theirs until they end.
    pub(crate) fn hang_up(&self, before: Instant) {
        let mut slot = self.0.slot();
        if let Slot::Ready(line) = &*slot
            && line.made < before
        {
            *slot = Slot::GivenUp { made: line.made };
        }
    }

    /// The connection: the one there is, or the next one.
    async fn line(&self, deadline: Instant) -> Result<Arc<Line>, Setback> {
        let (mut dialling, mine) = match self.0.wanted() {
            Wanted::Ready(line) => return Ok(line),
            Wanted::Refused(failure) => return Err(Setback::Final(failure)),
            Wanted::Dialling(dialling, mine) => (dialling, mine),
        };
        let waiting = dialling.wait_for(Option::is_some);
        let dialled = match timeout_at(deadline, waiting).await {
            Ok(Ok(dialled)) => dialled.clone(),
            Ok(Err(_)) => None,
            Err(_) => return Err(Setback::Final(Failure::Unreached(broken(io::ErrorKind::TimedOut)))),
        };
        match dialled {
            Some(Ok(line)) => Ok(line),
            // A dial that had begun before we came may have been too early.
            Some(Err(failure)) if !mine && !failure.is_refusal() => Err(Setback::Again(failure)),
            Some(Err(failure)) => Err(Setback::Final(failure)),
            None => {
                // The runtime of whoever dialled is gone, and its task with it.
                self.0.home.is_gone();
                self.0.forget(&dialling);
                Err(Setback::Again(Failure::Unreached(broken(io::ErrorKind::Interrupted))))
            }
        }
    }
}

/// A request under way.
struct Waiting<'l> {
    inner: &'l Inner,
    line: &'l Arc<Line>,
    since: Instant,
    /// How many requests the connection had answered by then.
    before: u64,
    end: End,
}

/// How a request ended.
enum End {
    Answered,
    Late,
    /// Whoever asked gave up.
    Dropped,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        match self.end {
            End::Answered => return,
            End::Dropped if self.since.elapsed() < LONG => return,
            End::Late | End::Dropped => {}
        }
        // Those who waited for it to be dialled may have no time left for an answer.
        if self.line.made.elapsed() < LONG {
            return;
        }
        // It is late, and not dead.
        if self.line.wire.answered() != self.before {
            self.line.timeouts.store(0, Ordering::Relaxed);
            return;
        }
        let timeouts = self.line.timeouts.fetch_add(1, Ordering::Relaxed) + 1;
        if timeouts >= TIMEOUTS_IN_A_ROW && self.inner.give_up(self.line) {
            tracing::warn!(
                target: "cloakroom::redis",
                timeouts,
                "the connection answers nothing any more and is replaced"
            );
        }
    }
}

/// What somebody who needs the connection finds.
enum Wanted {
    Ready(Arc<Line>),
    Refused(Failure),
    /// A dial to wait for, and whether it began for us.
    Dialling(watch::Receiver<Option<Dialled>>, bool),
}

impl Inner {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(self: &Arc<Self>) -> Wanted {
        let mut slot = self.slot();
        if let Slot::Ready(line) = &*slot
            && line.is_good()
        {
            return Wanted::Ready(Arc::clone(line));
        }
        let now = Instant::now();
        let not_before = match &*slot {
            Slot::Dialling(dialling) => return Wanted::Dialling(dialling.clone(), false),
            Slot::Failed { at, failure } if failure.is_refusal() && now < *at + PAUSE_AFTER_REFUSAL => {
                return Wanted::Refused(failure.clone());
            }
            Slot::Failed { at, .. } => *at + PAUSE,
            Slot::Ready(line) => line.made + PAUSE,
            Slot::GivenUp { made } => *made + PAUSE,
            Slot::Empty => now,
        };
        let (tell, dialling) = watch::channel(None);
        *slot = Slot::Dialling(dialling.clone());
        // A task of its own: a caller who gives up does not make the others begin again.
        self.home.spawn(Arc::clone(self).dial(not_before, tell));
        Wanted::Dialling(dialling, true)
    }

    async fn dial(self: Arc<Self>, not_before: Instant, tell: watch::Sender<Option<Dialled>>) {
        sleep_until(not_before).await;
        let dialled = self.open().await;
        *self.slot() = match &dialled {
            Ok(line) => Slot::Ready(Arc::clone(line)),
            Err(failure) => Slot::Failed { at: Instant::now(), failure: failure.clone() },
        };
        tell.send_replace(Some(dialled));
    }

    async fn open(&self) -> Dialled {
        let (wire, standing) = self.dialler.dial(self.connect_timeout).await?;
        let (made, timeouts) = (Instant::now(), AtomicU32::new(0));
        Ok(Arc::new(Line { wire, standing, made, timeouts }))
    }

    /// Lets the next request dial anew; `true` if this connection was the one in use. Requests that still
    /// wait on it keep it until they end.
    fn give_up(&self, line: &Arc<Line>) -> bool {
        let mut slot = self.slot();
        let in_use = matches!(&*slot, Slot::Ready(current) if Arc::ptr_eq(current, line));
        if in_use {
            *slot = Slot::GivenUp { made: line.made };
        }
        in_use
    }

    fn forget(&self, dialling: &watch::Receiver<Option<Dialled>>) {
        let mut slot = self.slot();
        if matches!(&*slot, Slot::Dialling(current) if current.same_channel(dialling)) {
            *slot = Slot::Empty;
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0.slot() {
            Slot::Dialling(_) => "connecting",
            Slot::Ready(line) if line.is_good() => "connected",
            Slot::Ready(_) | Slot::Empty | Slot::GivenUp { .. } | Slot::Failed { .. } => "not connected",
        })
    }
}
