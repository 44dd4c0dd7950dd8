//! A standby of PostgreSQL that takes over: what was acknowledged and is gone, and when.

use std::time::{Duration, Instant};

use cloakroom::{ErrorKind, Store as _};
use cloakroom_faults::{
    Figures, History, Law, Proxy, Recorded, Resending, Rules, check, fresh_key, lost_writes, record,
};
use tokio::task::block_in_place;
use tokio::time::sleep;
use xtask::server::PostgresServer;

use super::first_write;
use crate::backend::connect;
use crate::bench::{Effort, RECOVERY, run_for, workload};
use crate::late::Late;

const DEADLINE: Duration = Duration::from_secs(2);
/// How long before its end the primary acknowledges what the standby does not hear of.
const ALONE: Duration = Duration::from_millis(400);
const NAME: &str = "second";

/// What an acknowledged write has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replication {
    /// The primary.
    Asynchronous,
    /// The standby, where it can be seen.
    RemoteApply,
}

/// How the primary goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// It crashes.
    Killed,
    /// It crashes after a time in which the standby heard nothing of it.
    KilledAlone,
}

/// Waits for what the server says of its standby.
fn until_it_says(server: &PostgresServer, column: &str, wanted: &str) {
    let start = Instant::now();
    let question = format!("SELECT {column} FROM pg_stat_replication");
    while server.sql(&question).expect("an answer") != wanted {
        assert!(start.elapsed() < Duration::from_secs(20), "{column} never is {wanted}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn fleet(replication: Replication) -> (PostgresServer, PostgresServer) {
    let primary = PostgresServer::start().expect("a postgres");
    let standby = primary.standby(NAME).expect("a standby");
    if replication == Replication::RemoteApply {
        primary.sql("ALTER ROLE app SET synchronous_commit = 'remote_apply'").expect("an answer");
        primary.sql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{NAME}'")).expect("an answer");
        primary.sql("SELECT pg_reload_conf()").expect("an answer");
        until_it_says(&primary, "sync_state", "sync");
    }
    (primary, standby)
}

/// The standby becomes the primary, and the one address that all know leads to it.
async fn takeover(replication: Replication, loss: Loss) {
    let (mut primary, standby) = block_in_place(|| fleet(replication));
    let proxy = Proxy::before_port(primary.port()).await.expect("a proxy");
    let url = primary.url().replace(&primary.port().to_string(), &proxy.address().port().to_string());
    let (history, late) = (History::new(), Late::watch());
    let nodes = [
        Recorded::new(connect(&url, DEADLINE).await, &history, DEADLINE),
        Recorded::new(connect(&url, DEADLINE).await, &history, DEADLINE),
    ];
    // Nobody keeps sessions at a standby.
    let refused = cloakroom::connect(&standby.url()).await.expect_err("a standby");
    assert_eq!(refused.kind(), ErrorKind::Misconfigured, "{refused:?}");
    assert!(refused.to_string().contains("connect to the primary"), "{refused}");

    let clients = workload().with_groups(9).with_pace(Duration::from_millis(8)).start(&nodes);
    sleep(Duration::from_millis(700)).await;
    let struck = history.now();
    if loss == Loss::KilledAlone {
        block_in_place(|| {
            standby.stop().expect("a frozen standby");
            primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication").expect("an answer");
        });
        sleep(ALONE).await;
    }
    block_in_place(|| {
        primary.kill9();
        if loss == Loss::KilledAlone {
            standby.cont().expect("the standby");
        }
        standby.promote().expect("a promotion");
    });
    proxy.lead_to(([127, 0, 0, 1], standby.port()).into());
    let promoted = history.now();
    let start = Instant::now();
    while first_try(&nodes[0]).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "no write succeeds any more");
        sleep(Duration::from_millis(20)).await;
    }
    let back = late.took(start);
    sleep(Duration::from_millis(700)).await;
    clients.end(&nodes[1]).await.expect("no client panicked");
    // It is a server like any other now.
    drop(cloakroom::connect(&standby.url()).await.expect("a primary"));

    let events = late.forgives(history.events());
    let figures = Figures::of(&events, struck, promoted);
    let verdict = check(&events, &Rules::strict().with_resending(Resending::AfterALostReply));
    let lost = lost_writes(&events);
    println!(
        "postgres, a standby takes over, {replication:?}, {loss:?}: promoted {:.1?} after the loss began, written again \
         {back:.1?} after that; {} acknowledged writes lost, {} ended sessions came back\n  {figures}\n  history: {verdict}",
        promoted.at - struck.at,
        lost.len(),
        verdict.against(Law::NoResurrection),
    );
    let written = first_write(&events, promoted);
    let held_up = late.between(promoted.at, promoted.at + written);
    assert!(back <= RECOVERY && written <= RECOVERY + held_up, "{back:?}, {written:?}");
    match (replication, loss) {
        // What the primary alone had is gone: the count sees it.
        (Replication::Asynchronous, Loss::KilledAlone) => {
            assert!(!lost.is_empty(), "the count does not see what is gone");
        }
        (Replication::Asynchronous, Loss::Killed) => {}
        (Replication::RemoteApply, _) => {
            assert_eq!((lost.len(), verdict.against(Law::NoResurrection)), (0, 0), "{verdict}");
        }
    }
    assert_eq!((verdict.against(Law::Deadline), verdict.too_long), (0, 0), "{verdict}");
}

async fn first_try(store: &Recorded) -> Result<(), cloakroom::StoreError> {
    let key = fresh_key().expect("randomness");
    store.create(&key, &record(&key, Duration::from_secs(60)).expect("randomness")).await.map(drop)
}

async fn takeovers(effort: Effort) {
    for _ in 0..effort.rounds() {
        takeover(Replication::Asynchronous, Loss::Killed).await;
        takeover(Replication::Asynchronous, Loss::KilledAlone).await;
        takeover(Replication::RemoteApply, Loss::KilledAlone).await;
    }
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn standby_takes_over_under_load() {
    run_for(Effort::Bounded, takeovers(Effort::Bounded));
}

#[test]
#[ignore = "faults postgres: run `cargo xtask faults`"]
fn standby_takes_over_under_load_at_length() {
    run_for(Effort::Long, takeovers(Effort::Long));
}
