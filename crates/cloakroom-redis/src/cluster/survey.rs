//! Keeps the chart of a cluster true.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloakroom_core::{StoreErrorKind, Version};
use redis::{FromRedisValue as _, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::chart::Chart;
use super::slot::Slot;
use super::{Inner, nobody};
use crate::error::{Failure, unwelcome};
use crate::form;
use crate::hearing::hear;
use crate::link::{Departure, Setback};
use crate::place::Place;
use crate::request::{Asking, Packed, Request};

/// The shortest time between two surveys.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a survey listens. A cluster of frozen nodes is one that cannot be reached.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many nodes are asked at once.
const ASKED: usize = 5;

/// How long only an older epoch must be told of, by few nodes, until it counts. Those who were merely cut off or stood
/// still have caught up by then.
const RELENT: Duration = Duration::from_secs(5);

/// The chart, and the work on it.
pub(super) struct Survey {
    chart: watch::Sender<Arc<Chart>>,
    /// How many surveys have ended, and whether one is under way.
    ended: watch::Sender<u64>,
    under_way: AtomicBool,
    last: Mutex<Last>,
    belief: Mutex<Belief>,
}

/// How far the node had followed the elections that told the chart.
#[derive(Default)]
struct Belief {
    epoch: u64,
    /// Since when only older epochs are told of.
    doubted: Option<Instant>,
}

impl Belief {
    /// Whether to believe what was told, by so many of those asked. A node that stood still may be the first to
    /// answer; but a cluster that was set up anew begins with an older epoch for good.
    fn takes(&mut self, epoch: u64, heard: usize, asked: usize) -> bool {
        let is_old = epoch < self.epoch && heard <= asked / 2;
        if is_old && self.doubted.get_or_insert_with(Instant::now).elapsed() < RELENT {
            return false;
        }
        *self = Self { epoch, doubted: None };
        true
    }
}

/// The last survey.
#[derive(Default)]
struct Last {
    ended: Option<Instant>,
    /// Why it failed.
    failure: Option<Failure>,
}

impl Survey {
    pub(super) fn new() -> Self {
        Self {
            chart: watch::Sender::new(Arc::default()),
            ended: watch::Sender::new(0),
            under_way: AtomicBool::new(false),
            last: Mutex::default(),
            belief: Mutex::default(),
        }
    }

    /// What is known by now.
    pub(super) fn chart(&self) -> Arc<Chart> {
        Arc::clone(&self.chart.borrow())
    }

    /// Why nothing is known, if the last survey failed.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.last().failure.clone()
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn belief(&self) -> MutexGuard<'_, Belief> {
        self.belief.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the chart is like that.
    pub(super) async fn charted(&self, like_that: impl Fn(&Arc<Chart>) -> bool + Send + Sync) {
        // The sender is ours, so that this can only end well.
        let _ = self.chart.subscribe().wait_for(|chart| like_that(chart)).await;
    }

    /// Takes a node at its word about one slot.
    pub(super) fn correct(&self, slot: Slot, owner: Place) {
        self.chart.send_modify(|chart| *chart = Arc::new(chart.corrected(slot, owner)));
    }

    /// Begins a survey, unless one is under way.
    pub(super) fn begin(&self, cluster: &Arc<Inner>) {
        if !self.under_way.swap(true, Ordering::AcqRel) {
            let mut work = Work { cluster: Arc::clone(cluster), progress: Progress::Begun };
            cluster.home.spawn(async move { work.run().await });
        }
    }

    /// Begins a survey if none is under way, and waits for its end.
    pub(super) async fn done(&self, cluster: &Arc<Inner>) {
        let mut ended = self.ended.subscribe();
        let before = *ended.borrow_and_update();
        self.begin(cluster);
        let _ = ended.wait_for(|count| *count != before).await;
    }
}

/// A survey under way. It ends when this is dropped, so that nobody waits for a runtime that is gone.
struct Work {
    cluster: Arc<Inner>,
    progress: Progress,
}

#[derive(PartialEq, Eq)]
enum Progress {
    Begun,
    Finished,
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.progress == Progress::Begun {
            self.cluster.home.is_gone();
        }
        self.cluster.survey.under_way.store(false, Ordering::Release);
        self.cluster.survey.ended.send_modify(|count| *count += 1);
    }
}

impl Work {
    async fn run(&mut self) {
        let cluster = &self.cluster;
        let last = cluster.survey.last().ended;
        if let Some(last) = last {
            sleep_until(last + PAUSE).await;
        }
        let failure = self.look_around().await.err();
        *cluster.survey.last() = Last { ended: Some(Instant::now()), failure };
        self.progress = Progress::Finished;
    }

    async fn look_around(&self) -> Result<(), Failure> {
        let cluster = &self.cluster;
        let known = cluster.survey.chart();
        let mut first: Vec<Place> = known.primaries().cloned().collect();
        let mut others: Vec<Place> = known.replicas().to_vec();
        if first.is_empty() {
            first.clone_from(&cluster.seeds);
        } else {
            others.extend(cluster.seeds.iter().cloned());
        }
        shuffle(&mut first);
        shuffle(&mut others);
        others.retain(|place| !first.contains(place));
        first.extend(others);
        let mut failure = nobody("no node of the cluster can be reached");
        for places in first.chunks(ASKED) {
            let until = Instant::now() + PATIENCE;
            let asked = places.iter().map(|place| self.ask(place, until));
            let heard = hear(asked, Result::is_ok, places.len() / 2 + 1, until).await;
            let count = heard.iter().filter(|answer| answer.is_ok()).count();
            let mut best: Option<Told> = None;
            for answer in heard {
                match answer {
                    Ok(told) if best.as_ref().is_none_or(|best| best.epoch < told.epoch) => best = Some(told),
                    Ok(_) => {}
                    Err(refusal) if refusal.is_refusal() => failure = refusal,
                    Err(_) => {}
                }
            }
            if let Some(told) = best
                && cluster.survey.belief().takes(told.epoch, count, places.len())
            {
                cluster.forget_all_but(&told.chart);
                cluster.survey.chart.send_replace(Arc::new(told.chart));
                return Ok(());
            }
        }
        Err(failure)
    }

    async fn ask(&self, place: &Place, until: Instant) -> Result<Told, Failure> {
        let node = self.cluster.node(place)?;
        let questions = Packed::one(form::text, ["CLUSTER", "INFO"].map(Into::into))
            .and(form::list, ["CLUSTER", "SLOTS"].map(Into::into));
        let request = Request::new(questions, None);
        let replies = match node.attempt(&request, Asking::No, until, &Departure::default()).await {
            Ok(replies) => replies,
            Err(Setback::Again(failure) | Setback::Final(failure)) => return Err(failure),
        };
        let Ok([info, slots]) = <[Value; 2]>::try_from(replies.values) else { return Err(nobody(NO_CHART)) };
        match slots {
            Value::ServerError(error) if error.code() == "ERR" => Err(Failure::Nobody {
                kind: StoreErrorKind::Misconfigured,
                why: "the server is no node of a cluster; the URL of a single one begins with redis://",
            }),
            Value::ServerError(error) => Err(unwelcome(error)),
            slots => {
                let chart = Chart::read(slots, place).ok_or_else(|| nobody(NO_CHART))?;
                Ok(Told { epoch: epoch(info).unwrap_or_default(), chart })
            }
        }
    }
}

const NO_CHART: &str = "no node of the cluster has any keys";

/// What one node told.
struct Told {
    /// How far it has followed the elections; who was cut off has not.
    epoch: u64,
    chart: Chart,
}

pub(super) fn epoch(info: Value) -> Option<u64> {
    let text = String::from_redis_value(info).ok()?;
    text.lines().find_map(|line| line.strip_prefix("cluster_current_epoch:"))?.trim().parse().ok()
}

/// Puts the places into another order each time, so that a fleet does not ask the same ones.
fn shuffle(places: &mut [Place]) {
    // Without random bytes there are no sessions either.
    let mut dice = Version::random().map_or(1, Version::get);
    for end in (1..places.len()).rev() {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let with = usize::try_from((dice >> 33) % (end as u64 + 1)).unwrap_or(0);
        places.swap(end, with);
    }
}
