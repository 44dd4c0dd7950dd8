//! The way to the database: how a statement gets to a connection, and its answer back.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom_core::{StoreError, StoreErrorKind};
use futures_util::FutureExt as _;
use sqlx::Pool;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument as _;

use crate::detach::{Detaching, End, GRACE, UnderWay};
use crate::dialect::{Asking, Dialect, Options, out_of_step};
use crate::errand::Errand;
use crate::error::{Effect, Failure, outside_of_a_runtime};
use crate::pool::{Connections, Loss};
use crate::source::Source;

/// How long to wait for the one connection of a database in memory: longer than any deadline.
const IN_MEMORY: Duration = Duration::from_secs(3600);

/// A statement, or a few that belong together, to be executed on one connection.
///
/// It may be executed more than once.
pub(crate) trait Question<D: Dialect>: Send + Sync {
    type Answer: Send;

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, Self::Answer>;

    /// Whether the answer has brought back that it is the one to this question.
    fn is_proved(_answer: &Self::Answer) -> bool {
        true
    }
}

/// The way to a database.
pub(crate) struct Link<D: Dialect> {
    source: Source<D>,
    /// The runtime of many threads that the link was made in: there no handler that computes holds up a
    /// connection, as in a worker of actix-web.
    home: Option<Handle>,
    /// That runtime is gone.
    homeless: AtomicBool,
    /// There was a connection.
    was_there: AtomicBool,
    writers: Option<Semaphore>,
    under_way: UnderWay,
}

impl<D: Dialect> Link<D> {
    /// A link over connections of its own, which dials when it is first asked.
    ///
    /// It must be made inside a runtime.
    pub(crate) fn open(options: Options<D>, max_connections: u32, connect_timeout: Duration) -> Self {
        Self::new(Source::Own(Connections::new(options, max_connections, connect_timeout, Loss::Replaced)))
    }

    /// A link over the one connection that keeps everything.
    pub(crate) fn in_memory(options: Options<D>) -> Self {
        Self::new(Source::Own(Connections::new(options, 1, IN_MEMORY, Loss::Fatal)))
    }

    /// A link over the pool of the application.
    pub(crate) fn over(pool: Pool<D>) -> Self {
        Self::new(Source::Shared(pool))
    }

    fn new(source: Source<D>) -> Self {
        let home = Handle::try_current().ok();
        let home = home.filter(|home| home.runtime_flavor() == RuntimeFlavor::MultiThread);
        let writers = D::ONE_WRITER.then(|| Semaphore::new(1));
        let (homeless, was_there) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { source, home, homeless, was_there, writers, under_way: UnderWay::default() }
    }

    /// Does the work of a verb, which goes on to its end in a task of its own when the caller gives up. A caller who does
    /// neither that nor anything else loses it, with its connection, some time after the deadline.
    ///
    /// So no answer is left on a connection half read: what the client libraries promise about that differs,
    /// and one of them forgets how much of a reply it has already taken.
    pub(crate) async fn detached<T, F>(
        &self,
        effect: Effect,
        deadline: Instant,
        work: Pin<Box<F>>,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let Ok(here) = Handle::try_current() else { return Err(outside_of_a_runtime(D::STORE)) };
        let panicked = || StoreError::new(StoreErrorKind::Other, D::STORE);
        let home = match self.home() {
            Some(home) if home.id() != here.id() => home,
            // Each wait of the work ends by the deadline. Where writers queue up, one of them must not wait for its caller.
            _ if D::ONE_WRITER => &here,
            _ => {
                return match Detaching::new(work, deadline, &self.under_way, here).await {
                    End::Answered(answer) => answer,
                    End::Panicked => Err(panicked()),
                    End::TakenAway => Err(StoreError::new(StoreErrorKind::Timeout, D::STORE)),
                };
            }
        };
        match timeout_at(deadline + GRACE, home.spawn(work.in_current_span())).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_panic() => Err(panicked()),
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

    fn home(&self) -> Option<&Handle> {
        self.home.as_ref().filter(|_| !self.homeless.load(Ordering::Relaxed))
    }

    /// The runtime that the link was made in is gone; from now on the connections live where the verbs are asked.
    pub(crate) fn leave_home(&self) {
        self.homeless.store(true, Ordering::Relaxed);
    }

    /// Spawns where the connections live. It must be called inside a runtime.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        match self.home() {
            Some(home) => home.spawn(work),
            None => tokio::spawn(work),
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
        let mut lease = match self.source.ready() {
            Some(lease) => lease,
            // What it takes to dial is much, and not on the way of a request as a rule.
            None => match timeout_at(deadline, Box::pin(self.under_way.meanwhile(self.source.wait())))
                .await
                .map_err(late)?
            {
                Ok(lease) => lease,
                Err(sqlx::Error::Database(error)) => return Err(self.unreached(&*error)),
                Err(error) => return Err(Failure::unreached(&error)),
            },
        };
        self.was_there.store(true, Ordering::Relaxed);
        let Some(connection) = lease.connection() else {
            return Err(Failure::unreached(&sqlx::Error::PoolClosed));
        };
        // The client libraries panic at some of what no server says.
        let asking = AssertUnwindSafe(proved(question, connection, errand.effect())).catch_unwind();
        let failure = match timeout_at(deadline, asking).await {
            Ok(Ok(Ok(answer))) => {
                lease.give_back();
                return Ok(answer);
            }
            Ok(Ok(Err(sqlx::Error::Database(error)))) => said::<D>(&*error),
            Ok(Ok(Err(error))) => Failure::broken(&error),
            Ok(Err(_)) => Failure::broken(&out_of_step()),
            Err(_) => Failure::Late,
        };
        if matches!(failure, Failure::Lost(_) | Failure::Late) {
            self.source.note_trouble();
        }
        if failure.spoils_the_connection() && self.source.loss() == Loss::Replaced {
            lease.close();
        } else {
            lease.settle();
        }
        Err(failure)
    }

    /// What the server said to the greeting left nothing behind.
    fn unreached(&self, error: &dyn sqlx::error::DatabaseError) -> Failure {
        let (meaning, advice) =
            if self.was_there.load(Ordering::Relaxed) { D::meaning_later(error) } else { D::meaning(error) };
        Failure::said(meaning, &D::code(error), advice).before_anything_was_sent()
    }
}

impl<D: Dialect> fmt::Debug for Link<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// Puts a question, and proves what is answered to a change where the answer itself does not: that it found nothing, and errors.
/// As long as it is not proved, the change may have taken effect.
async fn proved<D: Dialect, Q: Question<D>>(
    question: &Q,
    connection: &mut D::Connection,
    effect: Effect,
) -> Result<Q::Answer, sqlx::Error> {
    match question.put(connection).await {
        Ok(answer) if Q::is_proved(&answer) => Ok(answer),
        Ok(answer) => D::prove(connection).await.map(|()| answer),
        Err(error @ sqlx::Error::Database(_)) if effect == Effect::Write => {
            match D::prove(connection).await {
                // There are errors behind which a server closes the connection, and nothing else was due.
                Ok(()) | Err(sqlx::Error::Io(_)) => Err(error),
                Err(other) => Err(other),
            }
        }
        Err(error) => Err(error),
    }
}

fn said<D: Dialect>(error: &dyn sqlx::error::DatabaseError) -> Failure {
    let (meaning, advice) = D::meaning(error);
    Failure::said(meaning, &D::code(error), advice)
}
