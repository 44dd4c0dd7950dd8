//! Work that goes on when nobody waits for it any more, and that ends when nobody goes on with it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

/// How much later than its deadline a verb is given up.
pub(crate) const GRACE: Duration = Duration::from_millis(20);

/// How often a verb that is late, and is being gone on with at this moment, is looked at again.
const AGAIN: Duration = Duration::from_millis(50);

/// The work of a verb, done by whoever waits for it; dropped in the middle, it goes on in a task of its own. What nobody goes on
/// with, here or there, is taken away after its deadline by a verb that wants what it holds.
pub(crate) struct Detaching<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// Until it is dropped.
    verb: Option<Verb<F>>,
    runtime: Handle,
}

/// A verb in the hands of one task.
struct Verb<F> {
    work: Arc<Work<F>>,
    deadline: Instant,
    others: UnderWay,
    /// Where it stands among the others, from when it was begun to its end.
    place: Option<Place>,
}

/// How a verb ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End<T> {
    Answered(T),
    Panicked,
    /// Its deadline passed while nobody went on with it.
    TakenAway,
}

/// The verbs that were begun. A clone is of the same ones.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<Places>>);

#[derive(Default)]
struct Places {
    taken: BTreeMap<Place, Arc<dyn Abandoned>>,
    last: u64,
}

/// The deadline, and a number that is nobody else's.
type Place = (Instant, u64);

/// The lock is held by whoever goes on with the work, or takes it away.
struct Work<F>(Mutex<Option<Begun<F>>>);

struct Begun<F> {
    future: Pin<Box<F>>,
    /// Who waits for it. What would wake them goes with the work.
    waker: Option<Waker>,
}

trait Abandoned: Send + Sync {
    /// Ends the work with all that it holds, unless somebody is going on with it at this moment.
    fn end(&self) -> bool;
}

impl<F> Detaching<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    pub(crate) fn new(work: Pin<Box<F>>, deadline: Instant, others: &UnderWay, runtime: Handle) -> Self {
        let work = Arc::new(Work(Mutex::new(Some(Begun { future: work, waker: None }))));
        Self { verb: Some(Verb { work, deadline, others: others.clone(), place: None }), runtime }
    }
}

impl<F> Future for Detaching<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = End<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.verb {
            Some(verb) => Pin::new(verb).poll(context),
            None => Poll::Ready(End::TakenAway),
        }
    }
}

impl<F> Drop for Detaching<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(verb) = self.verb.take_if(|verb| verb.place.is_some()) {
            // Where the runtime is gone, the verb is dropped here, and what it holds may ask for a runtime.
            let _inside = self.runtime.enter();
            self.runtime.spawn(verb.in_current_span());
        }
    }
}

impl<F> Future for Verb<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = End<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut work = this.work.lock();
        let end = match work.as_mut() {
            None => End::TakenAway,
            // It is dropped after a panic, and nothing of it is seen again.
            Some(work) => match catch_unwind(AssertUnwindSafe(|| work.future.as_mut().poll(context))) {
                Ok(Poll::Pending) => {
                    match &mut work.waker {
                        Some(waker) => waker.clone_from(context.waker()),
                        waker => *waker = Some(context.waker().clone()),
                    }
                    if this.place.is_none() {
                        this.place = Some(this.others.enter(this.deadline, Arc::clone(&this.work)));
                    }
                    return Poll::Pending;
                }
                Ok(Poll::Ready(output)) => End::Answered(output),
                Err(_) => End::Panicked,
            },
        };
        *work = None;
        drop(work);
        this.others.leave(this.place.take());
        Poll::Ready(end)
    }
}

/// With its runtime, as a rule.
impl<F> Drop for Verb<F> {
    fn drop(&mut self) {
        self.others.leave(self.place.take());
    }
}

impl<F> Work<F> {
    fn lock(&self) -> MutexGuard<'_, Option<Begun<F>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Send> Abandoned for Work<F> {
    fn end(&self) -> bool {
        let work = match self.0.try_lock() {
            Ok(mut work) => work.take(),
            Err(TryLockError::Poisoned(work)) => work.into_inner().take(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if let Some(Begun { future, waker }) = work {
            drop(future);
            // Nothing else is left that would.
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        true
    }
}

impl UnderWay {
    fn enter<F: Send + 'static>(&self, deadline: Instant, work: Arc<Work<F>>) -> Place {
        let mut places = self.places();
        places.last = places.last.wrapping_add(1);
        let place = (deadline, places.last);
        places.taken.insert(place, work);
        place
    }

    fn leave(&self, place: Option<Place>) {
        if let Some(place) = place {
            self.places().taken.remove(&place);
        }
    }

    /// Goes on with `wait`, and meanwhile takes away the verbs that are late and that nobody goes on with: they may hold what is
    /// waited for.
    pub(crate) async fn meanwhile<T>(&self, wait: impl Future<Output = T>) -> T {
        let mut wait = std::pin::pin!(wait);
        loop {
            let again = self.take_away();
            if let Ok(output) = timeout_at(again, wait.as_mut()).await {
                return output;
            }
        }
    }

    /// Takes away those that are late, and tells when to look again.
    fn take_away(&self) -> Instant {
        let now = Instant::now();
        let late: Vec<_> = {
            let places = self.places();
            let late = places.taken.iter().take_while(|((deadline, _), _)| *deadline + GRACE <= now);
            late.map(|(place, work)| (*place, Arc::clone(work))).collect()
        };
        // Not under the lock: what they hold may be much.
        for (place, work) in late {
            if work.end() {
                self.leave(Some(place));
            }
        }
        let next = self.places().taken.keys().next().map(|(deadline, _)| *deadline + GRACE);
        next.map_or(now + AGAIN, |next| next.max(now + AGAIN))
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
