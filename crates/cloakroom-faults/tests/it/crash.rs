//! `kill -9`, and the server again, under load.

use std::time::Duration;

use tokio::time::sleep;

use crate::bench::{Bench, Effort, until_it_works, workload};
use crate::servers::Backend;

/// The default deadline.
const DEADLINE: Duration = Duration::from_secs(2);

pub(crate) async fn server_crashes_under_load(backend: Backend, effort: Effort) {
    for _ in 0..effort.rounds() {
        let mut bench = Bench::new(backend, DEADLINE);
        let nodes = bench.nodes().await;
        let clients = workload().start(&nodes);
        sleep(Duration::from_millis(500)).await;
        let struck = bench.busy_moment().await;
        bench.harm(|server| server.kill9());
        let away = bench.history.now();
        sleep(Duration::from_millis(300)).await;
        let back = bench.harm(|server| server.restart());
        let over = bench.history.now();
        until_it_works(&nodes[0]).await;
        until_it_works(&nodes[1]).await;
        let rules = backend.rules_in_a_crash();
        let figures = bench.close("kill -9 and restart", rules, clients, [struck, over]).await;
        assert!(figures.in_flight > 0, "nothing was under way");
        bench.wants_noticed(away, back);
    }
}
