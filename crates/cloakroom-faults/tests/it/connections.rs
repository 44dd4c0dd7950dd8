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
    for _ in 0..8 * effort.rounds() {
        bench.harm(|server| server.end_connections());
        sleep(Duration::from_millis(60)).await;
    }
    let over = bench.harm(|server| server.end_connections());
    until_it_works(&nodes[0]).await;
    until_it_works(&nodes[1]).await;
    let _ = bench.close("connections ended", backend.rules(), clients, [struck, over]).await;
}
