//! Fleets that lose a primary under load: what was acknowledged and is gone, and when.

use std::time::{Duration, Instant};

use cloakroom::{Freshness, Replaced, Store as _};
use cloakroom_faults::{
    Event, Figures, History, Law, Recorded, Resending, Rules, check, fresh_key, lost_writes, record,
};
use tokio::task::block_in_place;
use tokio::time::sleep;
use xtask::server::{ClusterFleet, RedisServer, SentinelFleet};

use crate::backend::connect;
use crate::bench::{Effort, run_for, workload};
use crate::doctor;
use crate::late::Late;
use crate::servers::with_parameter;

const DEADLINE: Duration = Duration::from_secs(2);
/// How long after the promotion the first write may take to succeed.
const BACK: Duration = Duration::from_secs(2);
/// How long before the loss a write may have been acknowledged that no replica had yet.
pub(crate) const LAG: Duration = Duration::from_secs(1);

/// How a primary goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// It crashes, and is started again after the promotion.
    Killed,
    /// It is cut off from everybody, as by a partition, and comes back after the promotion with its data.
    Partitioned,
    /// It crashes while its replicas hear nothing of it: what it acknowledged in that time, it alone has.
    KilledAlone,
}

/// How long a primary acknowledges what no replica hears of.
const ALONE: Duration = Duration::from_millis(400);

/// Lets the primary acknowledge for a while what none of its replicas hears of.
fn leave_alone(primary: &RedisServer, replicas: &[&RedisServer]) {
    replicas.iter().for_each(|replica| replica.stop().expect("a frozen replica"));
    primary.cli(&["CLIENT", "KILL", "TYPE", "replica"]).expect("an answer");
    std::thread::sleep(ALONE);
}

/// A fleet with primaries to lose.
trait Fleet: Send {
    fn url(&self) -> String;
    /// Takes a primary away; its port.
    fn lose(&mut self, loss: Loss) -> u16;
    fn wait_for_promotion(&self, lost: u16);
    /// Whether the promoted one has a replica before the lost one is back.
    fn has_replicas_to_spare(&self) -> bool;
    /// Brings it back, and waits until all agree.
    fn rejoin(&mut self, lost: u16, loss: Loss);
}

impl Fleet for SentinelFleet {
    fn url(&self) -> String {
        self.url()
    }

    fn lose(&mut self, loss: Loss) -> u16 {
        match loss {
            Loss::Killed => self.kill_primary().expect("a primary"),
            Loss::Partitioned => self.stop_primary().expect("a primary"),
            Loss::KilledAlone => {
                let lost = self.primary_port().expect("a primary");
                let (primary, replicas): (Vec<_>, Vec<_>) =
                    self.servers().iter().partition(|server| server.port() == lost);
                leave_alone(primary[0], &replicas);
                self.server_mut(lost).expect("the primary").kill9();
                let others = self.servers().iter().filter(|server| server.port() != lost);
                others.for_each(|server| server.cont().expect("a replica"));
                lost
            }
        }
    }

    fn has_replicas_to_spare(&self) -> bool {
        true
    }

    fn wait_for_promotion(&self, lost: u16) {
        self.wait_for_failover(lost).expect("a promotion");
    }

    fn rejoin(&mut self, lost: u16, loss: Loss) {
        match loss {
            Loss::Killed | Loss::KilledAlone => self.restart(lost),
            Loss::Partitioned => self.cont(lost),
        }
        .expect("the old primary");
        self.wait_until_converged().expect("a fleet that agrees");
    }
}

impl Fleet for ClusterFleet {
    fn url(&self) -> String {
        self.url()
    }

    fn lose(&mut self, loss: Loss) -> u16 {
        match loss {
            Loss::Killed => self.kill_primary_of("coat").expect("a primary"),
            Loss::Partitioned => self.stop_primary_of("coat").expect("a primary"),
            Loss::KilledAlone => {
                let lost = self.primary_of("coat").expect("a primary");
                let replica = self.replica_of("coat").expect("a replica");
                let server = |port| self.server(port).expect("a server");
                leave_alone(server(lost), &[server(replica)]);
                self.server_mut(lost).expect("the primary").kill9();
                self.cont(replica).expect("a replica");
                lost
            }
        }
    }

    fn has_replicas_to_spare(&self) -> bool {
        false
    }

    fn wait_for_promotion(&self, lost: u16) {
        self.wait_for_failover("coat", lost).expect("a promotion");
    }

    fn rejoin(&mut self, lost: u16, loss: Loss) {
        match loss {
            Loss::Killed | Loss::KilledAlone => self.restart(lost),
            Loss::Partitioned => self.cont(lost),
        }
        .expect("the old primary");
        self.wait_until_converged().expect("a cluster that agrees");
    }
}

/// Loses a primary under load, and counts.
async fn failover(what: &str, mut fleet: impl Fleet, parameter: Option<&str>, loss: Loss) {
    let url = match parameter {
        Some(parameter) => with_parameter(&fleet.url(), parameter),
        None => fleet.url(),
    };
    let (history, late) = (History::new(), Late::watch());
    let nodes = [
        Recorded::new(connect(&url, DEADLINE).await, &history, DEADLINE),
        Recorded::new(connect(&url, DEADLINE).await, &history, DEADLINE),
    ];
    let clients = workload().with_groups(9).with_pace(Duration::from_millis(8)).start(&nodes);
    sleep(Duration::from_millis(700)).await;
    let struck = history.now();
    let lost = block_in_place(|| fleet.lose(loss));
    block_in_place(|| fleet.wait_for_promotion(lost));
    let promoted = history.now();
    // Whoever waits for a replica waits for the lost one where there is no other.
    let soon = parameter.is_none() || fleet.has_replicas_to_spare();
    let mut back = if soon { first_writes(&nodes[0], &late).await } else { Duration::ZERO };
    sleep(Duration::from_millis(700)).await;
    block_in_place(|| fleet.rejoin(lost, loss));
    let converged = history.now();
    if !soon {
        back = first_writes(&nodes[0], &late).await;
    }
    doctor::until_lives_ended(&history, converged).await;
    clients.end(&nodes[1]).await.expect("no client panicked");

    let events = late.forgives(history.events());
    let rules = Rules::strict().with_resending(Resending::AfterALostReply);
    let figures = Figures::of(&events, struck, promoted);
    let verdict = check(&events, &rules);
    let lost = lost_writes(&events);
    let acknowledged = lost.iter().filter_map(|write| write.ended);
    let (first, last) = (acknowledged.clone().min(), acknowledged.max());
    println!(
        "{what}, {loss:?}: promotion {:.1?} after the loss, all shards written again {back:.1?} after that, all agree \
         again {:.1?} after the loss; {} acknowledged writes lost, acknowledged between {:.1?} and {:.1?} of the loss; {} \
         ended sessions came back; the machine was late by {:.1?} at worst\n  {figures}\n  history: {verdict}",
        promoted.at - struck.at,
        converged.at - struck.at,
        lost.len(),
        first.map(|moment| moment.at.as_secs_f64() - struck.at.as_secs_f64()),
        last.map(|moment| moment.at.as_secs_f64() - struck.at.as_secs_f64()),
        verdict.against(Law::NoResurrection),
        late.worst(),
    );
    assert!(back <= BACK, "{back:?}");
    match (loss, parameter) {
        // What the primary alone had is gone: the count sees it.
        (Loss::KilledAlone, None) => assert!(!lost.is_empty(), "the count does not see what is gone"),
        (_, None) => {}
        // Nothing that was acknowledged; what somebody read before it was, may still go.
        (_, Some(_)) => assert_eq!((lost.len(), verdict.against(Law::NoResurrection)), (0, 0), "{verdict}"),
    }
    assert_eq!((verdict.against(Law::Deadline), verdict.too_long), (0, 0), "{verdict}");
    // Outside of the window everything is as it is without a failover.
    let (from, to) = (struck.at.saturating_sub(LAG), converged.at);
    assert!(lost.iter().all(|write| write.ended.is_some_and(|ended| ended.at >= from && ended.at <= to)));
    let outside = outside(&events, from, to);
    let verdict = check(&outside, &rules);
    println!("  outside of the window: {verdict}");
    assert!(verdict.is_clean() && verdict.keys > 0, "{verdict}");
    doctor::objects(&outside, &rules);
}

/// The histories of the keys that were not touched in this time.
pub(crate) fn outside(events: &[Event], from: Duration, to: Duration) -> Vec<Event> {
    let touches = |event: &&Event| {
        event.act.is_write() && event.invoked.at <= to && event.ended.is_none_or(|ended| ended.at >= from)
    };
    let inside: std::collections::BTreeSet<_> =
        events.iter().filter(touches).map(|event| event.key).collect();
    events.iter().filter(|event| !inside.contains(&event.key)).copied().collect()
}

/// How long it takes until each of sixteen new records was created and replaced: they lie on all shards.
async fn first_writes(store: &Recorded, late: &Late) -> Duration {
    let start = Instant::now();
    let writes: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let key = fresh_key().expect("randomness");
                let first = record(&key, Duration::from_secs(60)).expect("randomness");
                let next = record(&key, Duration::from_secs(60)).expect("randomness");
                while store.create(&key, &first).await.is_err()
                    || !matches!(store.replace(&key, first.version, &next).await, Ok(Replaced::Replaced))
                {
                    assert!(start.elapsed() < Duration::from_secs(20), "no write succeeds any more");
                    let _ = store.load(&key, Freshness::Latest).await;
                    sleep(Duration::from_millis(20)).await;
                }
            })
        })
        .collect();
    for write in writes {
        write.await.expect("it succeeds");
    }
    late.took(start)
}

const LOSSES: [Loss; 3] = [Loss::Killed, Loss::Partitioned, Loss::KilledAlone];

async fn sentinels(effort: Effort) {
    for _ in 0..effort.rounds() {
        for loss in LOSSES {
            failover("sentinel", block_in_place(SentinelFleet::start).expect("a fleet"), None, loss).await;
        }
        let careful = || SentinelFleet::builder().with_min_replicas(1).start().expect("a fleet");
        let what = "sentinel, min-replicas-to-write 1, wait=1";
        failover(what, block_in_place(careful), Some("wait=1"), Loss::KilledAlone).await;
    }
}

async fn clusters(effort: Effort) {
    for _ in 0..effort.rounds() {
        for loss in LOSSES {
            failover("cluster", block_in_place(ClusterFleet::start).expect("a cluster"), None, loss).await;
        }
        let fleet = block_in_place(ClusterFleet::start).expect("a cluster");
        failover("cluster, wait=1", fleet, Some("wait=1"), Loss::KilledAlone).await;
    }
}

#[test]
#[ignore = "needs sentinel: run `cargo xtask test`"]
fn sentinels_promote_under_load() {
    run_for(Effort::Bounded, sentinels(Effort::Bounded));
}

#[test]
#[ignore = "faults sentinel: run `cargo xtask faults`"]
fn sentinels_promote_under_load_at_length() {
    run_for(Effort::Long, sentinels(Effort::Long));
}

#[test]
#[ignore = "needs cluster: run `cargo xtask test`"]
fn cluster_promotes_under_load() {
    run_for(Effort::Bounded, clusters(Effort::Bounded));
}

#[test]
#[ignore = "faults cluster: run `cargo xtask faults`"]
fn cluster_promotes_under_load_at_length() {
    run_for(Effort::Long, clusters(Effort::Long));
}
