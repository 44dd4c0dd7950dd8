//! Where connections live.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinError, JoinHandle};

/// The runtime of several threads that the store was made in, if there is one.
///
/// A connection is served by the runtime that dialled it. In this one no handler that computes holds it up, as one
/// would in a worker of actix-web.
#[derive(Debug)]
pub(crate) struct Home {
    handle: Option<Handle>,
    gone: AtomicBool,
}

impl Home {
    /// The home of a store that is made here.
    pub(crate) fn here() -> Self {
        let handle = Handle::try_current().ok();
        let handle = handle.filter(|home| home.runtime_flavor() == RuntimeFlavor::MultiThread);
        Self { handle, gone: AtomicBool::new(false) }
    }

    /// Does the work at home, or here where there is no home; `None` when the home ended meanwhile. Who drops
    /// this ends the work.
    pub(crate) async fn run<F>(&self, work: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let Some(home) = self.elsewhere() else { return Some(work.await) };
        let mut task = Guarded(home.spawn(work));
        self.homecoming((&mut task.0).await)
    }

    /// Does the work at home, or here where there is no home, in a task that goes on when nobody waits for it any
    /// more; `None` when its runtime ended meanwhile.
    pub(crate) async fn see_through<F>(&self, work: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self.elsewhere() {
            Some(home) => self.homecoming(home.spawn(work).await),
            None => output(tokio::spawn(work).await),
        }
    }

    fn homecoming<T>(&self, joined: Result<T, JoinError>) -> Option<T> {
        let output = output(joined);
        if output.is_none() {
            self.gone.store(true, Ordering::Relaxed);
        }
        output
    }

    /// The home, unless we are there.
    fn elsewhere(&self) -> Option<&Handle> {
        let home = self.handle.as_ref().filter(|_| !self.gone.load(Ordering::Relaxed))?;
        let here = Handle::try_current().ok()?;
        (here.id() != home.id()).then_some(home)
    }
}

/// What a task came to; `None` when its runtime ended.
fn output<T>(joined: Result<T, JoinError>) -> Option<T> {
    match joined {
        Ok(output) => Some(output),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

/// Work at home, which ends when nobody waits for it any more.
struct Guarded<T>(JoinHandle<T>);

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
