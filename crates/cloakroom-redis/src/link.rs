//! The one connection to the server: dialled when it is needed, shared by all verbs, replaced when it fails.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloakroom_core::StoreError;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, PushInfo, PushKind, RedisError, Value};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::errand::Errand;
use crate::error::{Failure, turned_away};

/// How many timeouts in a row make a connection suspect: it may be frozen where a new one would work.
const TIMEOUTS_IN_A_ROW: u32 = 3;

/// The shortest time between a dial that failed and the next one.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a refused password is not tried again.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// The way to the server. A clone is the same way.
#[derive(Clone)]
pub(crate) struct Link(Arc<Inner>);

struct Inner {
    client: Client,
    connect_timeout: Duration,
    /// The runtime of many threads that the link was made in: there no handler that computes holds up the
    /// connection for everybody, as in a worker of actix-web.
    home: Option<Handle>,
    /// That runtime is gone.
    homeless: AtomicBool,
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
    connection: MultiplexedConnection,
    made: Instant,
    hung_up: Arc<AtomicBool>,
    timeouts: AtomicU32,
}

/// A failed try, and whether another one is worth it.
enum Setback {
    Again(Failure),
    Final(Failure),
}

impl Link {
    /// A link that dials when it is first asked.
    pub(crate) fn new(client: Client, connect_timeout: Duration) -> Self {
        let home = Handle::try_current().ok();
        let home = home.filter(|home| home.runtime_flavor() == RuntimeFlavor::MultiThread);
        let (homeless, slot) = (AtomicBool::new(false), Mutex::new(Slot::Empty));
        Self(Arc::new(Inner { client, connect_timeout, home, homeless, slot }))
    }

    /// Sends the commands in one go and waits for their replies until the deadline.
    ///
    /// Asks once more when the connection broke, or when another connection may do better. So every request
    /// must be one that may be executed twice.
    pub(crate) async fn ask(
        &self,
        request: &Pipeline,
        errand: &mut Errand,
    ) -> Result<Vec<Value>, StoreError> {
        match self.attempt(request, errand.deadline()).await {
            Ok((line, replies)) if replies.iter().any(is_turned_away) => {
                self.0.give_up(&line);
            }
            Ok((_, replies)) => return Ok(replies),
            Err(Setback::Again(failure)) => errand.remember(&failure),
            Err(Setback::Final(failure)) => return Err(errand.failed(failure)),
        }
        match self.attempt(request, errand.deadline()).await {
            Ok((_, replies)) => Ok(replies),
            Err(Setback::Again(failure) | Setback::Final(failure)) => Err(errand.failed(failure)),
        }
    }

    async fn attempt(
        &self,
        request: &Pipeline,
        deadline: Instant,
    ) -> Result<(Arc<Line>, Vec<Value>), Setback> {
        let line = self.line(deadline).await?;
        let mut connection = line.connection.clone();
        let reply = connection.send_packed_commands(request, 0, request.len());
        match timeout_at(deadline, reply).await {
            Ok(Ok(replies)) => {
                line.timeouts.store(0, Ordering::Relaxed);
                Ok((line, replies))
            }
            Ok(Err(error)) => {
                self.0.give_up(&line);
                Err(Setback::Again(Failure::Lost(error)))
            }
            Err(_) => {
                let timeouts = line.timeouts.fetch_add(1, Ordering::Relaxed) + 1;
                if timeouts >= TIMEOUTS_IN_A_ROW && self.0.give_up(&line) {
                    tracing::warn!(
                        target: "cloakroom::redis",
                        timeouts,
                        "the connection answers nothing any more and is replaced"
                    );
                }
                Err(Setback::Final(Failure::Late))
            }
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
                self.0.homeless.store(true, Ordering::Relaxed);
                self.0.forget(&dialling);
                Err(Setback::Again(Failure::Unreached(broken(io::ErrorKind::Interrupted))))
            }
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
        let now = Instant::now();
        let not_before = match &*slot {
            Slot::Ready(line) if !line.hung_up.load(Ordering::Acquire) => {
                return Wanted::Ready(Arc::clone(line));
            }
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
        let dial = Arc::clone(self).dial(not_before, tell);
        match &self.home {
            Some(home) if !self.homeless.load(Ordering::Relaxed) => home.spawn(dial),
            _ => tokio::spawn(dial),
        };
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
        let hung_up = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&hung_up);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            // The deadline of the verb holds for all its requests together; `attempt` keeps it.
            .set_response_timeout(None)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    flag.store(true, Ordering::Release);
                }
                Ok::<(), redis::aio::SendError>(())
            });
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => {
                Ok(Arc::new(Line { connection, made: Instant::now(), hung_up, timeouts: AtomicU32::new(0) }))
            }
            Err(error) => Err(Failure::Unreached(error)),
        }
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
            Slot::Ready(line) if !line.hung_up.load(Ordering::Acquire) => "connected",
            Slot::Ready(_) | Slot::Empty | Slot::GivenUp { .. } | Slot::Failed { .. } => "not connected",
        })
    }
}

fn is_turned_away(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if turned_away(error))
}

fn broken(kind: io::ErrorKind) -> RedisError {
    io::Error::from(kind).into()
}
