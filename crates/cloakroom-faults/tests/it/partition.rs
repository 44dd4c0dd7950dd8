//! Networks that are cut, under load: who goes on, what is lost, and that nobody is led astray once they are mended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::{Freshness, Record, StoreKey};
use cloakroom_faults::{Event, Figures, Law, Moment, Resending, Rules, check, lost_writes, record};
use tokio::task::block_in_place;
use tokio::time::sleep;
use xtask::server::{ClusterFleet, Host, Network, SentinelFleet};

use crate::application::Application;
use crate::bench::{Effort, run_for};
use crate::doctor;
use crate::failover::{LAG, outside};
use crate::servers::with_parameter;

const DEADLINE: Duration = Duration::from_secs(2);
/// How long after a promotion, or after the network was mended, an application may take to follow.
const FOLLOWED: Duration = Duration::from_secs(4);
/// The records that both applications know.
const SHARED: usize = 12;

/// Who is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The primary, from everybody.
    Primary,
    /// The primary and one application, from everybody else: what the one writes, the others do not see.
    Split,
    /// The primary, from its peers: the applications reach everybody.
    FromPeers,
    /// One application, from everybody.
    Application,
}

/// A fleet whose servers have hosts of their own.
trait Fleet: Send + Sync {
    fn url(&self) -> String;
    /// The primary of the keys that this is about.
    fn primary(&self) -> u16;
    /// Whether a key is one of those.
    fn concerns(&self, name: &str) -> bool;
    fn has(&self, port: u16, name: &str) -> bool;
    fn host(&self, port: u16) -> Host;
    /// The port of the new primary.
    fn wait_for_promotion(&self, old: u16) -> u16;
    fn wait_until_converged(&self);
    /// How many elections there were.
    fn epoch(&self) -> u64;
}

const SENTINEL_HOSTS: u8 = 3;

impl Fleet for SentinelFleet {
    fn url(&self) -> String {
        self.url()
    }

    fn primary(&self) -> u16 {
        self.primary_port().expect("a primary")
    }

    fn concerns(&self, _name: &str) -> bool {
        true
    }

    fn has(&self, port: u16, name: &str) -> bool {
        self.cli(port, &["EXISTS", name]).expect("an answer") == "1"
    }

    fn host(&self, port: u16) -> Host {
        self.server(port).expect("a server").host().expect("a host").clone()
    }

    fn wait_for_promotion(&self, old: u16) -> u16 {
        self.wait_for_failover(old).expect("a promotion")
    }

    fn wait_until_converged(&self) {
        self.wait_until_converged().expect("a fleet that agrees");
    }

    fn epoch(&self) -> u64 {
        let told = self.sentinels()[0].cli(&["SENTINEL", "MASTER", "main"]).expect("an answer");
        let epoch = told.lines().skip_while(|line| *line != "config-epoch").nth(1);
        epoch.and_then(|epoch| epoch.parse().ok()).expect("an epoch")
    }
}

const CLUSTER_HOSTS: u8 = 6;
/// Its primary is the one that is cut off.
const KEY: &str = "coat";

impl Fleet for ClusterFleet {
    fn url(&self) -> String {
        self.url()
    }

    fn primary(&self) -> u16 {
        self.primary_of(KEY).expect("a primary")
    }

    fn concerns(&self, name: &str) -> bool {
        self.primary_of(name).expect("a primary") == self.primary()
    }

    fn has(&self, port: u16, name: &str) -> bool {
        self.cli(port, &["EXISTS", name]).expect("an answer") == "1"
    }

    fn host(&self, port: u16) -> Host {
        self.server(port).expect("a server").host().expect("a host").clone()
    }

    fn wait_for_promotion(&self, old: u16) -> u16 {
        self.wait_for_failover(KEY, old).expect("a promotion")
    }

    fn wait_until_converged(&self) {
        self.wait_until_converged().expect("a cluster that agrees");
    }

    fn epoch(&self) -> u64 {
        let told = self.servers()[0].cli(&["CLUSTER", "INFO"]).expect("an answer");
        let mut epochs = told.lines().filter_map(|line| line.strip_prefix("cluster_current_epoch:"));
        epochs.next().and_then(|epoch| epoch.trim_end().parse().ok()).expect("an epoch")
    }
}

/// A fleet, two applications, and the network between them.
struct Scene<F> {
    what: &'static str,
    network: Network,
    fleet: F,
    /// Whether every write waits for all replicas.
    is_careful: bool,
    /// The one that is cut off, if one is, and the other.
    applications: [Application; 2],
    shared: Vec<(StoreKey, Record)>,
    /// The elections before.
    epoch: u64,
}

impl<F: Fleet> Scene<F> {
    async fn set(what: &'static str, network: Network, fleet: F, parameter: Option<&str>) -> Self {
        let url = parameter.map_or_else(|| fleet.url(), |parameter| with_parameter(&fleet.url(), parameter));
        let [.., one, other] = network.hosts() else { panic!("no hosts for applications") };
        let applications =
            [Application::start(one, &url, DEADLINE).await, Application::start(other, &url, DEADLINE).await];
        let mut shared = Vec::new();
        for _ in 0..SHARED {
            let key = block_in_place(|| Application::key(|name| fleet.concerns(name)));
            let first = fresh(&key);
            applications[1].store().create(&key, &first).await.map(drop).expect("a record");
            shared.push((key, first));
        }
        let (is_careful, epoch) = (parameter.is_some(), block_in_place(|| fleet.epoch()));
        Self { what, network, fleet, is_careful, applications, shared, epoch }
    }

    fn now(&self) -> [Moment; 2] {
        self.applications.each_ref().map(Application::now)
    }

    fn cut(&self, cut: Cut, primary: u16) {
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
    async fn followed(&self, application: &Application, primary: u16) -> Duration {
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
    async fn change_shared(&mut self) {
        let store = self.applications[1].store();
        for (n, (key, record)) in self.shared.iter_mut().enumerate() {
            // Too few replicas leave a write in doubt, and in place.
            if n % 2 == 0 {
                let next = fresh(key);
                let _ = store.replace(key, record.version, &next).await;
                *record = next;
            } else {
                let _ = store.delete(key).await;
            }
        }
    }

    /// How many of the shared records an application sees as they are not.
    async fn stale(&self, application: &Application) -> usize {
        let looks = (0..).zip(&self.shared).map(|(n, (key, record))| {
            let (store, key, version) = (Arc::clone(application.store()), *key, record.version);
            tokio::spawn(async move {
                match store.load(&key, Freshness::Latest).await {
                    Ok(Some(found)) => n % 2 == 1 || found.version != version,
                    Ok(None) => n % 2 == 0,
                    Err(_) => false,
                }
            })
        });
        let mut stale = 0;
        for look in looks.collect::<Vec<_>>() {
            stale += usize::from(look.await.expect("no panic"));
        }
        stale
    }
}

/// A new record for a key.
fn fresh(key: &StoreKey) -> Record {
    record(key, Duration::from_secs(600)).expect("randomness")
}

/// The moments of a run, at each of the two applications.
struct Course {
    struck: [Moment; 2],
    promoted: [Moment; 2],
    /// From when on all that it does is done at the new primary.
    follows: [Moment; 2],
    converged: [Moment; 2],
}

/// Cuts the network under load, mends it, and judges what the applications saw.
async fn partition<F: Fleet>(mut scene: Scene<F>, cut: Cut) {
    sleep(Duration::from_millis(700)).await;
    let primary = block_in_place(|| scene.fleet.primary());
    let struck = scene.now();
    block_in_place(|| scene.cut(cut, primary));
    let mut said = String::new();
    let primary = if cut == Cut::Application {
        // Until whatever was under way has met its deadline.
        sleep(DEADLINE + Duration::from_millis(500)).await;
        primary
    } else {
        block_in_place(|| scene.fleet.wait_for_promotion(primary))
    };
    let promoted = scene.now();
    let mut follows = promoted;
    if cut != Cut::Application {
        said += &format!(", promotion {:.1?} after the cut", promoted[1].at - struck[1].at);
        for (n, application) in scene.applications.iter().enumerate() {
            if cut != Cut::Split || n == 1 {
                let time = scene.followed(application, primary).await;
                follows[n] = application.now();
                said += &format!(", application {n} at the new primary {time:.1?} after that");
                assert!(time <= FOLLOWED, "{time:?}");
            }
        }
    }
    scene.change_shared().await;
    let stale = scene.stale(&scene.applications[0]).await;
    sleep(Duration::from_millis(700)).await;

    block_in_place(|| scene.network.mend().expect("a network"));
    if matches!(cut, Cut::Split | Cut::Application) {
        let time = scene.followed(&scene.applications[0], primary).await;
        follows[0] = scene.applications[0].now();
        said += &format!(", application 0 at the primary of all {time:.1?} after the network was mended");
        assert!(time <= FOLLOWED, "{time:?}");
    }
    // From here on, nobody is led astray: not even while the old primary still takes itself for one.
    let mut misled = 0;
    for application in &scene.applications {
        misled += scene.stale(application).await;
    }
    let mended = Instant::now();
    block_in_place(|| scene.fleet.wait_until_converged());
    let converged = scene.now();
    for application in &scene.applications {
        misled += scene.stale(application).await;
    }
    sleep(Duration::from_millis(500)).await;
    println!(
        "{}, {cut:?}{said}; all servers agree {:.1?} later; of {SHARED} shared records application 0 saw {stale} as they \
         were, while it was cut off, and {misled} later",
        scene.what,
        mended.elapsed()
    );
    assert_eq!(misled, 0, "an application sees what others had changed before");
    let course = Course { struck, promoted, follows, converged };
    for n in 0..2 {
        let events = scene.applications[n].end().await;
        scene.judge(cut, n, &events, &course);
    }
}

impl<F: Fleet> Scene<F> {
    fn judge(&self, cut: Cut, n: usize, events: &[Event], course: &Course) {
        let rules = Rules::strict().with_resending(Resending::AfterALostReply);
        let (struck, converged) = (course.struck[n], course.converged[n]);
        let figures = Figures::of(events, struck, course.promoted[n]);
        let verdict = check(events, &rules);
        let lost = lost_writes(events);
        println!(
            "  application {n}: {} acknowledged writes lost, {} ended sessions came back; the machine was late by {:.1?} at worst\n    \
             {figures}\n    history: {verdict}",
            lost.len(),
            verdict.against(Law::NoResurrection),
            self.applications[n].late().worst()
        );
        // Nothing hangs.
        assert_eq!((verdict.against(Law::Deadline), verdict.too_long), (0, 0), "{verdict}");
        // All replicas have what was acknowledged, whoever is promoted.
        if self.is_careful {
            assert_eq!((lost.len(), verdict.against(Law::NoResurrection)), (0, 0), "{verdict}");
        }
        if block_in_place(|| self.fleet.epoch()) > self.epoch + u64::from(cut != Cut::Application) {
            println!(
                "  the machine stood still, and servers were replaced that were well: what else was lost is not judged"
            );
            return;
        }
        if cut == Cut::Application {
            // No server went, so that nothing may be lost.
            assert!(verdict.is_clean(), "{verdict}");
            return;
        }
        let (from, to) = (struck.at.saturating_sub(LAG), converged.at);
        assert!(lost.iter().all(|write| write.ended.is_some_and(|ended| ended.at >= from && ended.at <= to)));
        let outside = outside(events, from, to);
        let verdict = check(&outside, &rules);
        assert!(verdict.is_clean() && verdict.keys > 0, "outside of the window: {verdict}");
        // Of a careful fleet that was cut, few writes are acknowledged.
        if !self.is_careful {
            doctor::objects(&outside, &rules);
        }
        // What begins at the new primary stays there, also while the old one comes back.
        let follows = begun_after(events, course.follows[n]);
        let verdict = check(&follows, &rules);
        assert!(verdict.is_clean() && verdict.keys > 0, "at the new primary: {verdict}");
    }
}

/// The histories of the keys that nobody had named before.
fn begun_after(events: &[Event], moment: Moment) -> Vec<Event> {
    let mut begun = BTreeMap::new();
    for event in events {
        begun.entry(event.key).or_insert(event.invoked);
    }
    events
        .iter()
        .filter(|event| begun.get(&event.key).is_some_and(|begun| *begun > moment))
        .copied()
        .collect()
}

fn sentinel_network() -> Network {
    Network::with_hosts(SENTINEL_HOSTS + 2).expect("a network")
}

async fn sentinels(cut: Cut) {
    let (network, fleet) = block_in_place(|| {
        let network = sentinel_network();
        let fleet = SentinelFleet::builder().with_hosts(&network.hosts()[..usize::from(SENTINEL_HOSTS)]);
        let fleet = fleet.start().expect("a fleet");
        (network, fleet)
    });
    partition(Scene::set("sentinel", network, fleet, None).await, cut).await;
}

/// The old primary refuses after three seconds without replicas, and nobody believes what it did until then.
async fn careful_sentinels(cut: Cut) {
    let (network, fleet) = block_in_place(|| {
        let network = sentinel_network();
        let fleet = SentinelFleet::builder().with_hosts(&network.hosts()[..usize::from(SENTINEL_HOSTS)]);
        let fleet = fleet.with_min_replicas(1).start().expect("a fleet");
        (network, fleet)
    });
    let what = "sentinel, min-replicas-to-write 1, wait=2";
    partition(Scene::set(what, network, fleet, Some("wait=2")).await, cut).await;
}

async fn clusters(cut: Cut, what: &'static str, parameter: Option<&str>) {
    let (network, fleet) = block_in_place(|| {
        let network = Network::with_hosts(CLUSTER_HOSTS + 2).expect("a network");
        let fleet = ClusterFleet::builder().with_hosts(&network.hosts()[..usize::from(CLUSTER_HOSTS)]);
        let fleet = fleet.start().expect("a cluster");
        (network, fleet)
    });
    partition(Scene::set(what, network, fleet, parameter).await, cut).await;
}

#[test]
#[ignore = "needs sentinel and namespaces: run `cargo xtask test`"]
fn sentinels_and_a_primary_that_is_cut_off() {
    run_for(Effort::Bounded, sentinels(Cut::Primary));
}

#[test]
#[ignore = "needs sentinel and namespaces: run `cargo xtask test`"]
fn sentinels_and_a_primary_that_is_cut_off_with_an_application() {
    run_for(Effort::Bounded, sentinels(Cut::Split));
}

#[test]
#[ignore = "needs sentinel and namespaces: run `cargo xtask test`"]
fn sentinels_with_care_and_a_primary_that_is_cut_off_with_an_application() {
    run_for(Effort::Bounded, careful_sentinels(Cut::Split));
}

#[test]
#[ignore = "needs sentinel and namespaces: run `cargo xtask test`"]
fn sentinels_and_a_primary_that_only_its_peers_miss() {
    run_for(Effort::Bounded, sentinels(Cut::FromPeers));
}

#[test]
#[ignore = "needs sentinel and namespaces: run `cargo xtask test`"]
fn sentinels_and_an_application_that_is_cut_off() {
    run_for(Effort::Bounded, sentinels(Cut::Application));
}

#[test]
#[ignore = "needs cluster and namespaces: run `cargo xtask test`"]
fn cluster_and_a_primary_that_is_cut_off() {
    run_for(Effort::Bounded, clusters(Cut::Primary, "cluster", None));
}

#[test]
#[ignore = "needs cluster and namespaces: run `cargo xtask test`"]
fn cluster_and_a_primary_that_is_cut_off_with_an_application() {
    run_for(Effort::Bounded, clusters(Cut::Split, "cluster", None));
}

#[test]
#[ignore = "needs cluster and namespaces: run `cargo xtask test`"]
fn cluster_with_care_and_a_primary_that_is_cut_off_with_an_application() {
    run_for(Effort::Bounded, clusters(Cut::Split, "cluster, wait=1", Some("wait=1")));
}

#[test]
#[ignore = "needs cluster and namespaces: run `cargo xtask test`"]
fn cluster_and_a_primary_that_only_its_peers_miss() {
    run_for(Effort::Bounded, clusters(Cut::FromPeers, "cluster", None));
}

#[test]
#[ignore = "needs cluster and namespaces: run `cargo xtask test`"]
fn cluster_and_an_application_that_is_cut_off() {
    run_for(Effort::Bounded, clusters(Cut::Application, "cluster", None));
}

#[test]
#[ignore = "faults sentinel and namespaces: run `cargo xtask faults`"]
fn sentinels_are_cut_at_length() {
    run_for(Effort::Long, async {
        for _ in 0..Effort::Long.rounds() {
            for cut in [Cut::Primary, Cut::Split, Cut::FromPeers, Cut::Application] {
                sentinels(cut).await;
                careful_sentinels(cut).await;
            }
        }
    });
}

#[test]
#[ignore = "faults cluster and namespaces: run `cargo xtask faults`"]
fn cluster_is_cut_at_length() {
    run_for(Effort::Long, async {
        for _ in 0..Effort::Long.rounds() {
            for cut in [Cut::Primary, Cut::Split, Cut::FromPeers, Cut::Application] {
                clusters(cut, "cluster", None).await;
                clusters(cut, "cluster, wait=1", Some("wait=1")).await;
            }
        }
    });
}
