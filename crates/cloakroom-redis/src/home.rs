//! Where the tasks of a store run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};

/// The runtime of several threads that the store was made in, if there was one: there no handler that computes
/// holds up a connection for everybody, as in a worker of actix-web. Else the runtime of whoever asks.
#[derive(Clone)]
pub(crate) struct Home(Arc<Inner>);

struct Inner {
    runtime: Option<Handle>,
    gone: AtomicBool,
}

impl Home {
    /// The home of a store that is made here.
    pub(crate) fn here() -> Self {
        let runtime = Handle::try_current().ok();
        let runtime = runtime.filter(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread);
        Self(Arc::new(Inner { runtime, gone: AtomicBool::new(false) }))
    }

    /// Runs a task to its end, whoever asked for it and gave up.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.0.runtime {
            Some(home) if !self.0.gone.load(Ordering::Relaxed) => home.spawn(task),
            _ => tokio::spawn(task),
        };
    }

    /// A task ended unfinished: its runtime is gone.
    pub(crate) fn is_gone(&self) {
        self.0.gone.store(true, Ordering::Relaxed);
    }
}
