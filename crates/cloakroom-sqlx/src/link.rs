//! The way to the database: a pool of connections, and how a statement gets through it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cloakroom_core::{StoreError, StoreErrorKind};
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::{Connection as _, Pool};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::Instrument as _;

use crate::dialect::{Asking, Dialect, Options};
use crate::errand::Errand;
use crate::error::{Effect, Failure, outside_of_a_runtime};

/// How long a connection may take to say that it is sound when it goes back to the pool.
const RETURN: Duration = Duration::from_secs(5);

/// How long a connection may have been idle to be taken without a question.
const IDLE: Duration = Duration::from_secs(30);

/// How much later than its deadline a verb is given up by whoever waits for it.
const GRACE: Duration = Duration::from_millis(20);

/// A statement, or a few that belong together, to be executed on one connection.
///
/// It may be executed more than once.
pub(crate) trait Question<D: Dialect>: Send + Sync {
    type Answer: Send;

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, Self::Answer>;
}

/// The way to a database.
pub(crate) struct Link<D: Dialect> {
    pool: Pool<D>,
    /// The runtime of many threads that the link was made in: there no handler that computes holds up a
    /// connection, as in a worker of actix-web.
    home: Option<Handle>,
    /// That runtime is gone.
    homeless: AtomicBool,
    trouble: Arc<Trouble>,
    /// There was a connection.
    was_there: AtomicBool,
    writers: Option<Semaphore>,
    loss: Loss,
}

/// What it means to close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The pool makes another one.
    Replaced,
    /// All records are gone: they are in the memory of this connection.
    Fatal,
}

/// When a connection last broke, or stayed silent: others that were idle at that time are asked before they are used.
struct Trouble {
    origin: Instant,
    /// In milliseconds after the origin.
    last: AtomicU64,
}

impl Trouble {
    fn new() -> Arc<Self> {
        Arc::new(Self { origin: Instant::now(), last: AtomicU64::new(0) })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn casts_doubt_on(&self, idle: Duration) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        let ago = Duration::from_millis(self.now().saturating_sub(last));
        idle > IDLE || (last > 0 && idle >= ago)
    }
}

impl<D: Dialect> Link<D> {
    /// A link over a pool of its own, which dials when it is first asked.
    ///
    /// It must be made inside a runtime.
    pub(crate) fn open(options: Options<D>, max_connections: u32, connect_timeout: Duration) -> Self {
        let trouble = Trouble::new();
        let suspicion = Arc::clone(&trouble);
        let pool = PoolOptions::<D>::new()
            .max_connections(max_connections)
            .acquire_timeout(connect_timeout)
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let ask = suspicion.casts_doubt_on(meta.idle_for);
                let patience = connect_timeout / 2;
                Box::pin(async move {
                    Ok(!ask || matches!(timeout(patience, connection.ping()).await, Ok(Ok(()))))
                })
            })
            .connect_lazy_with(options);
        Self::new(pool, trouble, Loss::Replaced)
    }

    /// A link over the one connection that keeps everything.
    pub(crate) fn in_memory(options: Options<D>) -> Self {
        let pool = PoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        Self::new(pool, Trouble::new(), Loss::Fatal)
    }

    /// A link over the pool of the application.
    pub(crate) fn over(pool: Pool<D>) -> Self {
        Self::new(pool, Trouble::new(), Loss::Replaced)
    }

    fn new(pool: Pool<D>, trouble: Arc<Trouble>, loss: Loss) -> Self {
        let home = Handle::try_current().ok();
        let home = home.filter(|home| home.runtime_flavor() == RuntimeFlavor::MultiThread);
        let writers = D::ONE_WRITER.then(|| Semaphore::new(1));
        Self {
            pool,
            home,
            homeless: AtomicBool::new(false),
            trouble,
            was_there: AtomicBool::new(false),
            writers,
            loss,
        }
    }

    /// Does the work of a verb in a task of its own, which goes on to its end when the caller gives up.
    ///
    /// So no answer is left on a connection half read: what the client libraries promise about that differs,
    /// and one of them forgets how much of a reply it has already taken.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        effect: Effect,
        deadline: Instant,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Ok(here) = Handle::try_current() else { return Err(outside_of_a_runtime(D::STORE)) };
        let work = work.in_current_span();
        let task = match &self.home {
            Some(home) if !self.homeless.load(Ordering::Relaxed) => home.spawn(work),
            _ => here.spawn(work),
        };
        match timeout_at(deadline + GRACE, task).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_panic() => Err(StoreError::new(StoreErrorKind::Other, D::STORE)),
            Ok(Err(_)) => {
                // The runtime of the link is gone, and the task with it.
                self.leave_home();
                let kind = match effect {
                    Effect::Read => StoreErrorKind::Unavailable,
                    Effect::Write => StoreErrorKind::Ambiguous,
                };
                Err(StoreError::new(kind, D::STORE))
            }
            Err(_) => Err(StoreError::new(StoreErrorKind::Timeout, D::STORE)),
        }
    }

    /// The runtime that the link was made in is gone; from now on the connections live where the verbs are asked.
    pub(crate) fn leave_home(&self) {
        self.homeless.store(true, Ordering::Relaxed);
    }

    /// Spawns where the connections live. It must be called inside a runtime.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        match &self.home {
            Some(home) if !self.homeless.load(Ordering::Relaxed) => home.spawn(work),
            _ => tokio::spawn(work),
        };
    }

    /// Puts a question until it is answered, or the errand is at its end.
    pub(crate) async fn ask<Q: Question<D>>(
        &self,
        question: &Q,
        errand: &mut Errand,
    ) -> Result<Q::Answer, StoreError> {
        loop {
            match self.attempt(question, errand).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    let pause = errand.after(failure)?;
                    sleep(pause).await;
                }
            }
        }
    }

    async fn attempt<Q: Question<D>>(&self, question: &Q, errand: &Errand) -> Result<Q::Answer, Failure> {
        let deadline = errand.deadline();
        let late = |_| Failure::unreached(&sqlx::Error::PoolTimedOut);
        let turn = self.writers.as_ref().filter(|_| errand.effect() == Effect::Write);
        let _turn = match turn {
            Some(writers) => timeout_at(deadline, writers.acquire()).await.map_err(late)?.ok(),
            None => None,
        };
        let mut connection = match timeout_at(deadline, self.connection()).await.map_err(late)? {
            Ok(connection) => connection,
            Err(sqlx::Error::Database(error)) => return Err(self.unreached(&*error)),
            Err(error) => return Err(Failure::unreached(&error)),
        };
        self.was_there.store(true, Ordering::Relaxed);
        let failure = match timeout_at(deadline, question.put(&mut connection)).await {
            Ok(Ok(answer)) => {
                self.give_back(connection);
                return Ok(answer);
            }
            Ok(Err(sqlx::Error::Database(error))) => said::<D>(&*error),
            Ok(Err(error)) => Failure::broken(&error),
            Err(_) => Failure::Late,
        };
        if matches!(failure, Failure::Lost(_) | Failure::Late) {
            self.trouble.note();
        }
        if failure.spoils_the_connection() && self.loss == Loss::Replaced {
            // Closed at once, without a word: nobody reads what may still come over it.
            drop(connection.detach());
        } else {
            self.give_back(connection);
        }
        Err(failure)
    }

    /// A connection of the pool.
    ///
    /// A new one is dialled in a task of its own: verbs with a deadline shorter than that takes would else
    /// begin it again and again, and never have one.
    async fn connection(&self) -> Result<PoolConnection<D>, sqlx::Error> {
        let most = self.pool.options().get_max_connections();
        if self.pool.num_idle() > 0 || self.pool.size() >= most {
            return self.pool.acquire().await;
        }
        match tokio::spawn(self.pool.acquire()).await {
            Ok(connection) => connection,
            Err(_) => Err(sqlx::Error::PoolClosed),
        }
    }

    /// What the server said to the greeting left nothing behind.
    fn unreached(&self, error: &dyn sqlx::error::DatabaseError) -> Failure {
        let (meaning, advice) =
            if self.was_there.load(Ordering::Relaxed) { D::meaning_later(error) } else { D::meaning(error) };
        Failure::said(meaning, &D::code(error), advice).before_anything_was_sent()
    }

    /// Off the way of the request. The pool asks the connection whether it is sound, and would wait for that
    /// for ever if what is between us and the server has forgotten the connection.
    fn give_back(&self, mut connection: PoolConnection<D>) {
        if self.loss == Loss::Fatal {
            return drop(connection);
        }
        tokio::spawn(async move {
            let _ = timeout(RETURN, connection.return_to_pool()).await;
        });
    }
}

impl<D: Dialect> fmt::Debug for Link<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} connections idle", self.pool.num_idle(), self.pool.size())
    }
}

fn said<D: Dialect>(error: &dyn sqlx::error::DatabaseError) -> Failure {
    let (meaning, advice) = D::meaning(error);
    Failure::said(meaning, &D::code(error), advice)
}
