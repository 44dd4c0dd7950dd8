//! Two applications at a fleet, and the network between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::{Freshness, Record, Replaced, StoreKey};
use cloakroom_faults::{Moment, record};
use tokio::task::block_in_place;
use tokio::time::sleep;
use xtask::server::{Host, Network};

use super::fleet::Fleet;
use super::{Cut, DEADLINE};
use crate::application::Application;
use crate::servers::with_parameter;

/// The records that both applications know.
pub(super) const SHARED: usize = 12;
/// How long a call that must succeed is tried again.
const PATIENCE: Duration = Duration::from_secs(20);

/// A fleet, two applications, and the network between them.
pub(super) struct Scene<F> {
    pub(super) what: &'static str,
    pub(super) network: Network,
    pub(super) fleet: F,
    /// Whether every write waits for all replicas.
    pub(super) is_careful: bool,
    /// The one that is cut off, if one is, and the other.
    pub(super) applications: [Application; 2],
    shared: Vec<(StoreKey, Record)>,
}

impl<F: Fleet> Scene<F> {
    pub(super) async fn set(what: &'static str, network: Network, fleet: F, parameter: Option<&str>) -> Self {
        let url = parameter.map_or_else(|| fleet.url(), |parameter| with_parameter(&fleet.url(), parameter));
        let [.., one, other] = network.hosts() else { panic!("no hosts for applications") };
        let applications =
            [Application::start(one, &url, DEADLINE).await, Application::start(other, &url, DEADLINE).await];
        let mut shared = Vec::new();
        for _ in 0..SHARED {
            let key = block_in_place(|| Application::key(|name| fleet.concerns(name)));
            let (first, start) = (fresh(&key), Instant::now());
            while let Err(error) = applications[1].store().create(&key, &first).await {
                // As a commit does it: the same version again.
                assert!(error.is_ambiguous() && start.elapsed() < PATIENCE, "no record: {error:?}");
            }
            shared.push((key, first));
        }
        Self { what, network, fleet, is_careful: parameter.is_some(), applications, shared }
    }

    pub(super) fn now(&self) -> [Moment; 2] {
        self.applications.each_ref().map(Application::now)
    }

    pub(super) fn cut(&self, cut: Cut, primary: u16) {
        let host = self.fleet.host(primary);
        let [one, other] = self.applications.each_ref().map(Application::host);
        let is = |host: &Host, other: &Host| host.address() == other.address();
        let those = |without: &[&Host]| -> Vec<&Host> {
            self.network.hosts().iter().filter(|host| !without.iter().any(|other| is(host, other))).collect()
        };
        let done = match cut {
            Cut::Primary => self.network.pull(&[&host]),
            Cut::Split => self.network.separate(&[&host, one], &those(&[&host, one])),
            Cut::FromPeers => self.network.separate(&[&host], &those(&[&host, one, other])),
            Cut::Application => self.network.pull(&[one]),
        };
        done.expect("a cut");
    }

    /// How long it takes until what this application writes is at this server.
    pub(super) async fn followed(&self, application: &Application, primary: u16) -> Duration {
        let start = Instant::now();
        loop {
            let key = block_in_place(|| Application::key(|name| self.fleet.concerns(name)));
            // What is in doubt may be in place: that is looked for there.
            let _ = application.store().create(&key, &fresh(&key)).await;
            let name = format!("cloakroom:{}", key.public_handle().as_str());
            if block_in_place(|| self.fleet.has(primary, &name)) {
                return application.late().took(start);
            }
            assert!(start.elapsed() < Duration::from_secs(30), "it does not follow");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The application that is not cut off replaces half of the shared records, and ends the others.
    pub(super) async fn change_shared(&mut self) {
        let store = self.applications[1].store();
        for (n, (key, record)) in self.shared.iter_mut().enumerate() {
            let next = is_replaced(n).then(|| fresh(key));
            let (wanted, start) = (next.as_ref().map(|next| next.version), Instant::now());
            loop {
                let done = match &next {
                    Some(next) => store
                        .replace(key, record.version, next)
                        .await
                        .is_ok_and(|done| done == Replaced::Replaced),
                    None => store.delete(key).await.is_ok(),
                };
                // Too few replicas leave a write in doubt, and in place.
                let looked = || store.load(key, Freshness::Latest);
                if done || looked().await.is_ok_and(|found| found.map(|found| found.version) == wanted) {
                    break;
                }
                assert!(start.elapsed() < PATIENCE, "a record cannot be changed");
                sleep(Duration::from_millis(20)).await;
            }
            if let Some(next) = next {
                *record = next;
            }
        }
    }

    /// How many of the shared records an application sees as they are not. It asks once for each, or until it has an
    /// answer.
    pub(super) async fn stale(&self, application: &Application, asks: Asks) -> Stale {
        let looks = self.shared.iter().enumerate().map(|(n, (key, record))| {
            let (store, key, version) = (Arc::clone(application.store()), *key, record.version);
            tokio::spawn(async move {
                let (wanted, start) = (is_replaced(n).then_some(version), Instant::now());
                loop {
                    match store.load(&key, Freshness::Latest).await {
                        Ok(found) => return Some(found.map(|found| found.version) != wanted),
                        Err(_) if asks == Asks::Once => return None,
                        Err(error) => assert!(start.elapsed() < PATIENCE, "no answer: {error:?}"),
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            })
        });
        let mut seen = Stale::default();
        for look in looks.collect::<Vec<_>>() {
            match look.await.expect("an answer") {
                Some(stale) => seen.stale += usize::from(stale),
                None => seen.unanswered += 1,
            }
        }
        seen
    }

    /// How many an application sees as they are not that reaches the primary of all.
    pub(super) async fn misled(&self, application: &Application) -> usize {
        self.stale(application, Asks::UntilAnswered).await.stale
    }
}

/// How long somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    Once,
    UntilAnswered,
}

/// What somebody saw of the shared records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stale {
    pub(super) stale: usize,
    pub(super) unanswered: usize,
}

/// Whether a shared record is replaced while the network is cut; else it is deleted.
const fn is_replaced(n: usize) -> bool {
    n.is_multiple_of(2)
}

/// A new record for a key.
fn fresh(key: &StoreKey) -> Record {
    record(key, Duration::from_secs(600)).expect("randomness")
}
