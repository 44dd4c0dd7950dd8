//! `SIGSTOP` and `SIGCONT`, under load.

use std::time::{Duration, Instant};

use cloakroom::{Freshness, Store as _};
use cloakroom_faults::fresh_key;
use tokio::time::sleep;

use crate::bench::{Bench, DEADLINE, Effort, until_it_works, workload};
use crate::servers::Backend;

pub(crate) async fn server_freezes_under_load(backend: Backend, effort: Effort) {
    for round in 0..effort.rounds() {
        let mut bench = Bench::new(backend, DEADLINE);
        let nodes = bench.nodes().await;
        let clients = workload().start(&nodes);
        sleep(Duration::from_millis(400)).await;
        let struck = bench.busy_moment().await;
        bench.harm(|server| server.stop());
        let away = bench.history.now();
        // Shorter than a deadline, a few deadlines, and the ten seconds of a long run.
        let frozen = [900, 150, 10_000][round as usize % 3];
        sleep(Duration::from_millis(frozen)).await;
        let over = bench.harm(|server| server.cont());
        until_it_works(&nodes[0]).await;
        until_it_works(&nodes[1]).await;
        let what = format!("frozen for {frozen} ms, deadline {DEADLINE:?}");
        let figures = bench.close(&what, backend.rules(), clients, [struck, over]).await;
        assert!(figures.in_flight > 0, "nothing was under way");
        bench.wants_noticed(away, over);
        // Who waits for longer than a freeze lasts may have his answer.
        let short = Duration::from_millis(frozen) < DEADLINE;
        assert!(short || !figures.errors.is_empty(), "nobody had an error: {figures}");
    }
}

/// How soon a crowd must be answered whole again.
const WHOLE: Duration = Duration::from_secs(20);

/// More calls than any pool has connections: all end in time, and none is left behind.
pub(crate) async fn crowd_waits_for_a_frozen_server(backend: Backend, effort: Effort) {
    let crowd = if effort.rounds() > 1 { 2000 } else { 300 };
    let mut bench = Bench::new(backend, DEADLINE);
    let [node, _] = bench.nodes().await;
    let key = fresh_key().expect("randomness");
    let call = || {
        let node = node.clone();
        tokio::spawn(async move { node.load(&key, Freshness::Latest).await.is_ok() })
    };
    let count = async |calls: Vec<tokio::task::JoinHandle<bool>>| {
        let mut answered = 0;
        for call in calls {
            answered += usize::from(call.await.expect("no panic"));
        }
        answered
    };
    let healthy = count((0..crowd).map(|_| call()).collect()).await;
    bench.harm(|server| server.stop());
    let start = Instant::now();
    let frozen = count((0..crowd).map(|_| call()).collect()).await;
    let took = start.elapsed();
    bench.harm(|server| server.cont());
    let recovery = until_it_works(&node).await;
    // A pool grows again under them: connections take the machine longer than a deadline, but not for ever.
    let (back, mut crowds, mut afterwards) = (Instant::now(), 0, 0);
    while afterwards < crowd {
        assert!(back.elapsed() < WHOLE, "of {crowd} calls {afterwards} are answered");
        afterwards = count((0..crowd).map(|_| call()).collect()).await;
        crowds += 1;
    }
    let overrun = bench.events().iter().map(|event| event.overrun).max().unwrap_or_default();
    println!(
        "{}, a crowd of {crowd}: {healthy} answered; while the server was frozen {frozen}, all ended in {took:.1?}, \
         {overrun:.1?} past the deadline; the first answer {recovery:.1?} after it went on, all answered in crowd {crowds}",
        backend.name
    );
    assert!(healthy > 0, "nobody was answered before");
    assert_eq!(frozen, 0, "a frozen server answers");
    assert!(overrun <= backend.rules().slack * 2, "{overrun:?}");
}
