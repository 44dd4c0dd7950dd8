//! An instance of an application, at a host of its own.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::{Store, StoreKey};
use cloakroom_faults::{Clients, Event, History, Moment, Recorded, fresh_key};
use tokio::runtime::{Builder, Runtime};
use xtask::server::Host;

use crate::backend::connect;
use crate::bench::workload;
use crate::late::Late;

/// An instance of an application: its connections begin at its host. It has a history of its own, for it shares no key
/// with others.
pub(crate) struct Application {
    runtime: Option<Runtime>,
    host: Host,
    /// For calls that are no part of the history.
    store: Arc<dyn Store>,
    history: History,
    late: Late,
    node: Recorded,
    clients: Option<Clients>,
}

impl Application {
    /// Starts one, and its clients.
    pub(crate) async fn start(host: &Host, url: &str, deadline: Duration) -> Self {
        let (there, url) = (host.clone(), url.to_owned());
        let enter = move || there.enter().expect("a host");
        // A store keeps its connections in the runtime that it was made in.
        let runtime =
            Builder::new_multi_thread().worker_threads(1).on_thread_start(enter).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let store = runtime.spawn(async move { connect(&url, deadline).await }).await.expect("a store");
        let (history, late) = (History::new(), Late::watch());
        let node = Recorded::new(Arc::clone(&store), &history, deadline);
        let mut workload = workload().with_groups(5).with_pace(Duration::from_millis(8));
        // Of what was lost, the checker tries all orders in vain.
        workload.clients = 2;
        let clients = Some(workload.start(std::slice::from_ref(&node)));
        Self { runtime: Some(runtime), host: host.clone(), store, history, late, node, clients }
    }

    pub(crate) const fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) const fn history(&self) -> &History {
        &self.history
    }

    pub(crate) fn now(&self) -> Moment {
        self.history.now()
    }

    pub(crate) const fn late(&self) -> &Late {
        &self.late
    }

    /// Ends the clients; all that happened.
    pub(crate) async fn end(&mut self) -> Vec<Event> {
        if let Some(clients) = self.clients.take() {
            clients.end(&self.node).await.expect("no client panicked");
        }
        self.late.forgives(self.history.events())
    }

    /// A store that shares its connections, and writes nothing down.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// A key that nobody has used, of those that somebody wants.
    pub(crate) fn key(wanted: impl Fn(&str) -> bool) -> StoreKey {
        loop {
            let key = fresh_key().expect("randomness");
            if wanted(&format!("cloakroom:{}", key.public_handle().as_str())) {
                return key;
            }
        }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
