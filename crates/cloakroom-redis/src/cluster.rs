//! A cluster: which node has a key, and what to do when it has not.

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloakroom_core::{Error, StoreError, StoreErrorKind};
use futures_util::future::{Either, select};
use tokio::time::{sleep, timeout_at};

use crate::dial::Dialler;
use crate::errand::Errand;
use crate::error::Failure;
use crate::greeting::Greeting;
use crate::home::Home;
use crate::link::{Departure, Setback};
use crate::node::Node;
use crate::place::Place;
use crate::request::{Asking, Replies, Request};
use chart::Chart;
use detour::Detour;
use slot::Slot;
use survey::Survey;

mod chart;
mod detour;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod slot;
mod survey;

/// How often one request is sent on from node to node. Two are usual while a slot moves.
const DETOURS: u32 = 6;

/// How often one request is asked again after its connection broke: at the same node, and at others.
const BREAKS: (u32, u32) = (1, 4);

/// After which time without a reply somebody looks whether the key has moved.
const SLOW: Duration = Duration::from_millis(300);

/// The first and the longest pause before a node is asked again that could not say yet.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(160));

/// A cluster. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Cluster(Arc<Inner>);

struct Inner {
    seeds: Vec<Place>,
    greeting: Greeting,
    connect_timeout: Duration,
    home: Home,
    nodes: Mutex<HashMap<Place, Node>>,
    survey: Survey,
}

impl Cluster {
    /// The cluster that these nodes are of.
    pub(crate) fn new(
        seeds: Vec<Place>,
        greeting: Greeting,
        home: Home,
        connect_timeout: Duration,
    ) -> Result<Self, Error> {
        for seed in &seeds {
            greeting.server(seed)?;
        }
        let (nodes, survey) = (Mutex::new(HashMap::new()), Survey::new());
        Ok(Self(Arc::new(Inner { seeds, greeting, connect_timeout, home, nodes, survey })))
    }

    /// Sends the request to the node that has this key, wherever it moves, until the deadline.
    pub(crate) async fn ask(
        &self,
        key: &str,
        request: &Request,
        errand: &mut Errand,
    ) -> Result<Replies, StoreError> {
        let slot = Slot::of(key);
        let (mut detours, mut breaks, mut pause) = (0, 0, PAUSES.0);
        let mut guest: Option<Place> = None;
        loop {
            let owner = self.owner(slot, errand).await?;
            let (place, asking) = match guest.take() {
                Some(place) => (place, Asking::Yes),
                None => (owner.clone(), Asking::No),
            };
            let node = match self.0.node(&place) {
                Ok(node) => node,
                Err(failure) => return Err(errand.failed(failure)),
            };
            let departure = Departure::default();
            let attempt = pin!(node.attempt(request, asking, errand.deadline(), &departure));
            let outcome = match select(attempt, pin!(self.moved(slot, &owner))).await {
                Either::Left((outcome, _)) => outcome,
                // Whatever the old node still does counts for nothing. The new one knows.
                Either::Right(_) => Err(Setback::Again(departure.dropped())),
            };
            let detour = match outcome {
                Ok(replies) => match Detour::of(&replies, &place) {
                    None => return Ok(replies),
                    Some(Detour::Later) if errand.ends_within(pause) => return Ok(replies),
                    // What a look around did not mend is wrong in itself.
                    Some(Detour::Elsewhere) if detours > 0 => return Ok(replies),
                    Some(_) if detours == DETOURS => {
                        return Err(errand.failed(nobody("the nodes send each other's requests in circles")));
                    }
                    Some(detour) => detour,
                },
                Err(setback) => {
                    self.recover(setback, slot, &owner, &mut breaks, errand).await?;
                    continue;
                }
            };
            match detour {
                Detour::Ask(to) => {
                    guest = Some(to);
                    detours += 1;
                }
                Detour::Moved(to) => {
                    self.0.survey.correct(slot, to);
                    self.survey();
                    detours += 1;
                }
                Detour::Elsewhere => {
                    self.surveyed(errand).await;
                    detours += 1;
                }
                Detour::Later => {
                    self.survey();
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// After a try that brought no reply: whether another one is worth it.
    async fn recover(
        &self,
        setback: Setback,
        slot: Slot,
        asked: &Place,
        breaks: &mut u32,
        errand: &mut Errand,
    ) -> Result<(), StoreError> {
        let (failure, again) = match setback {
            Setback::Again(failure) => (failure, *breaks < BREAKS.0),
            Setback::Final(failure) => (failure, false),
        };
        match &failure {
            Failure::Late => {
                self.survey();
                return Err(errand.failed(failure));
            }
            failure if failure.is_refusal() => return Err(errand.failed(failure.clone())),
            Failure::Lost(_) | Failure::Unreached(_) | Failure::Nobody { .. } => {}
        }
        self.surveyed(errand).await;
        let has_moved = self.0.survey.chart().owner(slot).is_some_and(|owner| owner != asked);
        if again || (has_moved && *breaks < BREAKS.1) {
            *breaks += 1;
            return errand.again_after(failure);
        }
        Err(errand.given_up(failure))
    }

    /// The node that has this slot, as far as is known.
    async fn owner(&self, slot: Slot, errand: &Errand) -> Result<Place, StoreError> {
        let known = || self.0.survey.chart().owner(slot).cloned();
        if let Some(place) = known() {
            return Ok(place);
        }
        self.surveyed(errand).await;
        known().ok_or_else(|| {
            let why = self.0.survey.failure().unwrap_or_else(|| nobody("no node of the cluster has the key"));
            errand.failed(why)
        })
    }

    /// Ends when a request that is slow had better be sent to another node; perhaps never.
    async fn moved(&self, slot: Slot, from: &Place) {
        sleep(SLOW).await;
        // A node may itself be slow, or gone with nobody in its place yet: look again now and then.
        loop {
            self.survey();
            let elsewhere = |chart: &Arc<Chart>| chart.owner(slot).is_some_and(|owner| owner != from);
            let look_again = tokio::time::Instant::now() + SLOW;
            if timeout_at(look_again, self.0.survey.charted(elsewhere)).await.is_ok() {
                return;
            }
        }
    }

    /// Finds out who has what, unless somebody does already.
    fn survey(&self) {
        self.0.survey.begin(&self.0);
    }

    /// The same, and waits for it.
    async fn surveyed(&self, errand: &Errand) {
        // Who runs out of time learns that from the next try.
        let _ = timeout_at(errand.deadline(), self.0.survey.done(&self.0)).await;
    }

    /// Finds all primaries, for those who want a word with each.
    pub(crate) async fn primaries(&self, errand: &Errand) -> Result<Vec<Node>, StoreError> {
        self.surveyed(errand).await;
        let chart = self.0.survey.chart();
        let nodes: Result<Vec<_>, _> = chart.primaries().map(|place| self.0.node(place)).collect();
        match nodes {
            Ok(nodes) if !nodes.is_empty() => Ok(nodes),
            Ok(_) => Err(errand.failed(
                self.0.survey.failure().unwrap_or_else(|| nobody("no node of the cluster has any keys")),
            )),
            Err(failure) => Err(errand.failed(failure)),
        }
    }
}

impl Inner {
    /// The node at this place.
    fn node(&self, place: &Place) -> Result<Node, Failure> {
        if let Some(node) = self.nodes().get(place) {
            return Ok(node.clone());
        }
        let server = self.greeting.server(place).map_err(|_| Failure::Nobody {
            kind: StoreErrorKind::Misconfigured,
            why: "the cluster names a node by an address that cannot be used",
        })?;
        let node = Node::new(&Dialler::Server(Arc::new(server)), &self.home, self.connect_timeout);
        Ok(self.nodes().entry(place.clone()).or_insert(node).clone())
    }

    /// Hangs up on nodes that are no part of the cluster any more.
    fn forget_all_but(&self, chart: &Chart) {
        self.nodes().retain(|place, _| chart.names(place) || self.seeds.contains(place));
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<Place, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.survey.chart().primaries().count() {
            0 => f.write_str("not connected"),
            count => write!(f, "a cluster of {count} primaries"),
        }
    }
}

const fn nobody(why: &'static str) -> Failure {
    Failure::Nobody { kind: StoreErrorKind::Unavailable, why }
}
