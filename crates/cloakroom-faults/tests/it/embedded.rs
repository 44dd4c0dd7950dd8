//! Stores without a server: the memory of this process, and a file that two applications share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_faults::{History, Recorded, Rules, Workload, check, fresh_key};
use tokio::time::sleep;

use crate::aborts;
use crate::backend::connect;
use crate::bench::{run, wants_clean};
use crate::doctor;

const DEADLINE: Duration = Duration::from_secs(2);

/// A file that goes with this value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let name = fresh_key().expect("randomness").public_handle().as_str().replace(['-', '_'], "x");
        let directory = std::env::temp_dir().join(format!("cloakroom-faults-{name}"));
        std::fs::create_dir(&directory).expect("a directory");
        Self(directory)
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.0.join("sessions.db").display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Clients at these nodes, and what they were answered.
async fn history(what: &str, nodes: &[Recorded], history: &History, rules: Rules) {
    let clients = [
        Workload::new().with_pace(Duration::from_millis(2)).start(nodes),
        // Records that expire while they are looked at.
        Workload::new().with_ttl(Duration::from_millis(60)).with_pace(Duration::from_millis(25)).start(nodes),
    ];
    sleep(Duration::from_millis(1500)).await;
    for clients in clients {
        clients.end(&nodes[0]).await.expect("no client panicked");
    }
    let events = history.events();
    let verdict = check(&events, &rules);
    println!("{what}: {verdict}");
    wants_clean(&verdict);
    doctor::objects(&events, &rules);
}

#[test]
fn memory_is_linearizable() {
    run(async {
        let mut store = None;
        let backend = cloakroom::connect("memory:").await.expect("a store");
        let _ = backend.layer(|inner| {
            store = Some(Arc::clone(&inner));
            inner
        });
        let log = History::new();
        let node = Recorded::new(store.expect("a store"), &log, DEADLINE);
        history("memory", &[node], &log, Rules::strict()).await;
    });
}

#[test]
fn sqlite_is_linearizable_for_two_applications_at_one_file() {
    run(async {
        let scratch = Scratch::new();
        let log = History::new();
        let node = async || Recorded::new(connect(&scratch.url(), DEADLINE).await, &log, DEADLINE);
        let nodes = [node().await, node().await];
        history("sqlite, two applications", &nodes, &log, Rules::strict()).await;
    });
}

#[test]
fn sqlite_survives_an_application_that_dies_between_any_two_store_calls() {
    run(async {
        let scratch = Scratch::new();
        aborts::deaths("sqlite", &scratch.url(), 1).await;
    });
}
