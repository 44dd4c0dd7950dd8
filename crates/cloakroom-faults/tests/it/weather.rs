//! A network that is slow, silent, late, or gone.

use std::time::Duration;

use cloakroom_faults::Network;
use tokio::time::sleep;

use crate::bench::{Bench, DEADLINE, Effort, until_it_works, workload};
use crate::servers::Backend;

pub(crate) async fn network_is_slow_silent_and_gone(backend: Backend, effort: Effort) {
    let weather = [
        ("one byte a second", Network::Trickle(1, Duration::from_secs(1))),
        ("replies held back", Network::HoldAfter(7)),
        ("a black hole", Network::BlackHole),
        ("every connection reset", Network::Refuse),
        ("replies 50 ms late", Network::Delay(Duration::from_millis(50))),
        ("each connection reset after 1000 bytes", Network::CutEachAfter(1000)),
    ];
    for _ in 0..effort.rounds() {
        for (what, network) in weather {
            let bench = Bench::new(backend, DEADLINE);
            let proxy = bench.proxy().await;
            let nodes = bench.nodes_behind(&proxy).await;
            let clients = workload().start(&nodes);
            sleep(Duration::from_millis(200)).await;
            let struck = bench.busy_moment().await;
            proxy.set(network);
            sleep(Duration::from_millis(800)).await;
            let over = bench.history.now();
            proxy.set(Network::Pass);
            until_it_works(&nodes[0]).await;
            until_it_works(&nodes[1]).await;
            let figures = bench.close(what, backend.rules(), clients, [struck, over]).await;
            assert!(figures.in_flight > 0, "nothing was under way");
            // What is only late or short goes through.
            let goes_through = matches!(network, Network::Delay(_) | Network::CutEachAfter(_));
            assert!(goes_through || !figures.errors.is_empty(), "nobody noticed: {figures}");
        }
    }
}
