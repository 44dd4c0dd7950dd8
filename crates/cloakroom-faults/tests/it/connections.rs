//! Connections that the server ends.

use std::time::Duration;

use tokio::time::sleep;

use crate::bench::{Bench, Effort, until_it_works, workload};
use crate::servers::Backend;

pub(crate) async fn connections_are_ended_under_load(backend: Backend, effort: Effort) {
    let mut bench = Bench::new(backend, Duration::from_secs(2));
    let nodes = bench.nodes().await;
    let clients = workload().start(&nodes);
    sleep(Duration::from_millis(300)).await;
    let struck = bench.busy_moment().await;
    let mut ended = 0;
    for _ in 0..8 * effort.rounds() {
        bench.harm(|server| ended += server.end_connections());
        sleep(Duration::from_millis(60)).await;
    }
    let over = bench.harm(|server| ended += server.end_connections());
    until_it_works(&nodes[0]).await;
    until_it_works(&nodes[1]).await;
    let what = format!("{ended} connections ended");
    let figures = bench.close(&what, backend.rules(), clients, [struck, over]).await;
    assert!(ended > 0, "there was no connection to end");
    assert!(figures.in_flight > 0, "nothing was under way");
}
