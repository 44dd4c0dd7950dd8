//! Networks that are cut, under load: who goes on, what is lost, and that nobody is led astray once they are mended.

mod fleet;
mod scene;

use std::time::{Duration, Instant};

use cloakroom_faults::{End, Event, Figures, Law, Moment, Resending, Rules, check, lost_writes};
use tokio::task::block_in_place;
use tokio::time::sleep;
use xtask::server::{ClusterFleet, Network, SentinelFleet};

use self::fleet::{CLUSTER_HOSTS, Fleet, SENTINEL_HOSTS};
use self::scene::{Asks, SHARED, Scene, Stale};
use crate::bench::{Effort, run_for};
use crate::doctor;
use crate::failover::{LAG, outside};

const DEADLINE: Duration = Duration::from_secs(2);
/// How long after a promotion, or after the network was mended, an application may take to follow.
const FOLLOWED: Duration = Duration::from_secs(4);
/// How often the scene is set before a machine counts as one that does not let any server be.
const SCENES: usize = 3;

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

/// The moments of a run, at each of the two applications.
struct Course {
    struck: [Moment; 2],
    /// When the network was cut.
    cut: [Moment; 2],
    promoted: [Moment; 2],
    /// From when on all that it does is done at the new primary.
    follows: [Moment; 2],
    /// When the network is about to be mended.
    mending: [Moment; 2],
    converged: [Moment; 2],
}

/// Sets the scene, cuts the network, and judges; again, where the machine stood still for so long that servers were
/// replaced which were well.
async fn partition<F: Fleet>(cut: Cut, set: impl AsyncFn() -> Scene<F>) {
    for _ in 0..SCENES {
        if is_judged(set().await, cut).await {
            return;
        }
        println!(
            "  the machine stood still, and servers were replaced that were well: the scene is set again"
        );
    }
    panic!("in each of {SCENES} scenes servers were replaced that were well");
}

/// Cuts the network under load, mends it, and judges what the applications saw; whether nobody else was replaced, so
/// that all could be judged.
async fn is_judged<F: Fleet>(mut scene: Scene<F>, cut: Cut) -> bool {
    sleep(Duration::from_millis(700)).await;
    let old = block_in_place(|| scene.fleet.primary());
    let mut primaries = block_in_place(|| scene.fleet.primaries());
    let struck = scene.now();
    block_in_place(|| scene.cut(cut, old));
    let is_cut = scene.now();
    let mut said = String::new();
    let primary = if cut == Cut::Application {
        // Until whatever was under way has met its deadline.
        sleep(DEADLINE + Duration::from_millis(500)).await;
        old
    } else {
        block_in_place(|| scene.fleet.wait_for_promotion(old))
    };
    primaries.remove(&old);
    primaries.insert(primary);
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
    let Stale { stale, unanswered } = scene.stale(&scene.applications[0], Asks::Once).await;
    sleep(Duration::from_millis(700)).await;

    let mending = scene.now();
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
        misled += scene.misled(application).await;
    }
    let mended = Instant::now();
    block_in_place(|| scene.fleet.wait_until_converged());
    let converged = scene.now();
    for application in &scene.applications {
        misled += scene.misled(application).await;
    }
    for (application, converged) in scene.applications.iter().zip(converged) {
        doctor::until_lives_ended(application.history(), converged).await;
    }
    println!(
        "{}, {cut:?}{said}; all servers agree {:.1?} later; of {SHARED} shared records application 0 saw {stale} as they \
         were, while it was cut off, and {unanswered} not at all, and {misled} as they were later",
        scene.what,
        mended.elapsed()
    );
    assert_eq!(misled, 0, "an application sees what others had changed before");
    let course = Course { struck, cut: is_cut, promoted, follows, mending, converged };
    let as_expected = block_in_place(|| scene.fleet.primaries()) == primaries;
    for n in 0..2 {
        let events = scene.applications[n].end().await;
        scene.judge(cut, n, &events, &course, as_expected);
    }
    // Else nothing was cut.
    match cut {
        // It has followed by then.
        Cut::Primary | Cut::FromPeers => {}
        // It sees nothing of what was changed, and what it was before, where the old primary still answers.
        Cut::Split => {
            assert_eq!(stale + unanswered, SHARED, "an application sees what was done beyond the cut");
            assert!(stale > 0 || !F::ANSWERS_ALONE, "the old primary answers nobody");
        }
        Cut::Application => assert_eq!(unanswered, SHARED, "an application is answered that is cut off"),
    }
    as_expected
}

impl<F: Fleet> Scene<F> {
    fn judge(&self, cut: Cut, n: usize, events: &[Event], course: &Course, as_expected: bool) {
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
        if cut == Cut::Application && n == 0 {
            let during = |event: &&Event| {
                event.invoked > course.cut[n] && event.ended.is_some_and(|ended| ended < course.mending[n])
            };
            let ends = || events.iter().filter(during).map(|event| event.end);
            let answer = ends().find(|end| matches!(end, End::Answered(_)));
            assert_eq!(answer, None, "it is answered though it is cut off");
            assert!(ends().count() > 0, "nobody noticed");
        }
        if !as_expected {
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
        doctor::objects(&outside, &rules);
        // What begins at the new primary stays there, also while the old one comes back.
        let follows = doctor::begun_after(events, course.follows[n]);
        let verdict = check(&follows, &rules);
        assert!(verdict.is_clean() && verdict.keys > 0, "at the new primary: {verdict}");
    }
}

fn sentinel_network() -> Network {
    Network::with_hosts(SENTINEL_HOSTS + 2).expect("a network")
}

async fn sentinels(cut: Cut) {
    let set = async || {
        let (network, fleet) = block_in_place(|| {
            let network = sentinel_network();
            let fleet = SentinelFleet::builder().with_hosts(&network.hosts()[..usize::from(SENTINEL_HOSTS)]);
            let fleet = fleet.start().expect("a fleet");
            (network, fleet)
        });
        Scene::set("sentinel", network, fleet, None).await
    };
    partition(cut, set).await;
}

/// The old primary refuses after three seconds without replicas, and nobody believes what it did until then.
async fn careful_sentinels(cut: Cut) {
    let set = async || {
        let (network, fleet) = block_in_place(|| {
            let network = sentinel_network();
            let fleet = SentinelFleet::builder().with_hosts(&network.hosts()[..usize::from(SENTINEL_HOSTS)]);
            let fleet = fleet.with_min_replicas(1).start().expect("a fleet");
            (network, fleet)
        });
        Scene::set("sentinel, min-replicas-to-write 1, wait=2", network, fleet, Some("wait=2")).await
    };
    partition(cut, set).await;
}

async fn clusters(cut: Cut, what: &'static str, parameter: Option<&str>) {
    let set = async || {
        let (network, fleet) = block_in_place(|| {
            let network = Network::with_hosts(CLUSTER_HOSTS + 2).expect("a network");
            let fleet = ClusterFleet::builder().with_hosts(&network.hosts()[..usize::from(CLUSTER_HOSTS)]);
            let fleet = fleet.start().expect("a cluster");
            (network, fleet)
        });
        Scene::set(what, network, fleet, parameter).await
    };
    partition(cut, set).await;
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
