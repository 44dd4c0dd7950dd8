//! Two requests on one session.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::testing::{FailingStore, Failure, ModelStore, Verb};
use cloakroom_core::{
    Clock, Created, Deleted, ErrorKind, Freshness, KeyRing, OnEnded, PrincipalIndex, Record, Replaced,
    Session, SessionEventKind, Store, StoreError, StoreErrorKind, StoreKey, Touched, Version, Visit,
};

use crate::cancellation::{cut_short, waiting_world};
use crate::world::{Browser, Response, World};

/// A request that has loaded its session and waits.
pub(crate) async fn parked(world: &World, browser: &Browser) -> (Visit, Session) {
    let visit = world.visit(browser);
    let session = visit.session().await.unwrap();
    (visit, session)
}

async fn finish(browser: &Browser, visit: &Visit) -> Response {
    browser.clone().take(&visit.commit().await)
}

#[tokio::test]
async fn changes_of_different_keys_are_both_kept() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let (slow, session) = parked(&world, &browser).await;
    world.request(&mut browser, |s| s.set("quick", &1)).await;
    session.set("slow", &2).unwrap();
    assert_eq!(finish(&browser, &slow).await.status, None);
    assert_eq!(world.request(&mut browser, |s| Ok(s.keys())).await.0, ["quick", "slow"]);
    assert!(world.events().contains(&SessionEventKind::ConflictReplayed(1)));
}

#[tokio::test]
async fn same_key_keeps_the_later_commit() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let (slow, session) = parked(&world, &browser).await;
    world.request(&mut browser, |s| s.set("a", &1)).await;
    session.set("a", &2).unwrap();
    finish(&browser, &slow).await;
    assert_eq!(world.value(&mut browser, "a").await, Some(2));
    let (slow, session) = parked(&world, &browser).await;
    world.request(&mut browser, |s| s.set("a", &3)).await;
    session.remove("a").unwrap();
    finish(&browser, &slow).await;
    assert_eq!(world.value(&mut browser, "a").await, None, "a removal is a change like any other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_lose_nothing() {
    let world = Arc::new(World::new());
    let browser = world.logged_in("ada").await;
    let tasks: Vec<_> = (0..64)
        .map(|i| {
            let (world, browser) = (Arc::clone(&world), browser.clone());
            tokio::spawn(async move {
                let (visit, session) = parked(&world, &browser).await;
                tokio::task::yield_now().await;
                session.set(format!("key{i:02}"), &i).unwrap();
                session.update("count", |n: Option<i64>| n.unwrap_or(0) + 1).unwrap();
                drop(session);
                finish(&browser, &visit).await.status
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), None);
    }
    let mut browser = browser;
    assert_eq!(world.value(&mut browser, "count").await, Some(64));
    assert_eq!(world.request(&mut browser, |s| Ok(s.len())).await.0, 65);
}

/// So many requests that have loaded one session, and count up.
async fn counting(world: &World, browser: &Browser, many: usize) -> Vec<Visit> {
    let mut visits = Vec::new();
    for _ in 0..many {
        let (visit, session) = parked(world, browser).await;
        session.update("count", |n: Option<i64>| n.unwrap_or(0) + 1).unwrap();
        visits.push(visit);
    }
    visits
}

#[tokio::test]
async fn writers_that_met_another_write_take_turns() {
    let world = waiting_world();
    let mut browser = world.logged_in("ada").await;
    let visits = counting(&world, &browser, 64).await;
    world.store.reset_calls();
    let replies = futures_util::future::join_all(visits.iter().map(|visit| finish(&browser, visit))).await;
    assert!(replies.iter().all(|response| response.status.is_none()));
    let calls = world.store.calls();
    assert_eq!(
        (calls.replaces, calls.loads),
        (64 + 63, 63),
        "one is first, and each of the others meets it once"
    );
    assert_eq!(world.value(&mut browser, "count").await, Some(64));
}

#[tokio::test]
async fn writer_that_is_dropped_gives_its_turn_away() {
    for polls in 1..12 {
        let world = waiting_world();
        let mut browser = world.logged_in("ada").await;
        let visits = counting(&world, &browser, 3).await;
        let [first, second, third] = visits.as_slice() else { unreachable!("three were made") };
        assert_eq!(finish(&browser, first).await.status, None);
        // The second waits for the turn, or has it while the third waits.
        let both =
            async { tokio::join!(cut_short(polls, finish(&browser, second)), finish(&browser, third)) };
        let both = tokio::time::timeout(Duration::from_secs(60), both).await;
        let (ended, third) = both.expect("nobody keeps a turn");
        assert_eq!(third.status, None);
        assert!(
            world.value(&mut browser, "count").await.is_some_and(|count| count == 3 || !ended && count == 2)
        );
    }
}

#[tokio::test]
async fn value_is_taken_by_one_request_only() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("ticket", &1)).await;
    let (slow, session) = parked(&world, &browser).await;
    let (taken, _) = world.request(&mut browser, |s| s.take::<i64>("ticket")).await;
    assert_eq!(taken, Some(1));
    assert_eq!(session.take::<i64>("ticket").unwrap(), Some(1));
    session.set("other", &1).unwrap();
    assert_eq!(finish(&browser, &slow).await.status, Some(409));
    assert_eq!(world.request(&mut browser, |s| Ok(s.keys())).await.0, Vec::<String>::new());
}

#[tokio::test]
async fn decision_on_a_changed_value_is_refused() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("stock", &1)).await;
    let (slow, session) = parked(&world, &browser).await;
    assert_eq!(session.get::<i64>("stock").unwrap(), Some(1));
    session.require_unchanged("stock");
    session.set("order", &1).unwrap();
    world.request(&mut browser, |s| s.set("stock", &0)).await;
    assert_eq!(finish(&browser, &slow).await.status, Some(409));
    assert_eq!(world.value(&mut browser, "order").await, None);
    // Another value's change does not matter.
    let (slow, session) = parked(&world, &browser).await;
    session.require_unchanged("stock");
    session.set("order", &2).unwrap();
    world.request(&mut browser, |s| s.set("other", &0)).await;
    assert_eq!(finish(&browser, &slow).await.status, None);
    assert_eq!(world.value(&mut browser, "order").await, Some(2));
}

#[tokio::test]
async fn late_writer_does_not_bring_a_session_back() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    let (slow, session) = parked(&world, &browser).await;
    let (reader, _seen) = parked(&world, &browser).await;
    world.logout(&mut browser).await;
    session.set("a", &1).unwrap();
    let response = finish(&old, &slow).await;
    assert_eq!((response.status, response.set_cookie()), (Some(409), None));
    let response = finish(&old, &reader).await;
    assert_eq!((response.status, response.set_cookie()), (None, None), "a reader passes, without a cookie");
    assert!(world.model.dump().is_empty());
    assert_eq!(world.principal(&mut old.clone()).await, None);
    assert!(world.events().contains(&SessionEventKind::WriteRefused));
}

#[tokio::test]
async fn late_save_tells_its_handler() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let (slow, session) = parked(&world, &browser).await;
    world.logout(&mut browser).await;
    session.set("a", &1).unwrap();
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(session.set("a", &2).unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(finish(&browser, &slow).await.status, None, "who was told may answer as he likes");
}

#[tokio::test]
async fn late_rotation_or_login_does_not_bring_a_session_back() {
    type Late = fn(&Session);
    let late: [Late; 4] = [
        |s| s.rotate().unwrap(),
        |s| s.authenticate("ada").unwrap(),
        |s| s.remember(Duration::from_secs(600)).unwrap(),
        |s| s.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).map(drop).unwrap(),
    ];
    for change in late {
        let world = World::new();
        let mut browser = world.logged_in("ada").await;
        let old = browser.clone();
        let (slow, session) = parked(&world, &browser).await;
        world.logout(&mut browser).await;
        change(&session);
        let response = finish(&old, &slow).await;
        assert_eq!((response.status, response.set_cookie()), (Some(409), None));
        assert!(world.model.dump().is_empty());
    }
}

#[tokio::test]
async fn late_writer_passes_if_the_policy_says_so() {
    let world = World::with(|builder| builder.with_on_ended(OnEnded::Pass));
    let mut browser = world.logged_in("ada").await;
    let (slow, session) = parked(&world, &browser).await;
    world.logout(&mut browser).await;
    session.set("a", &1).unwrap();
    let response = finish(&browser, &slow).await;
    assert_eq!((response.status, response.set_cookie()), (None, None));
    assert!(world.model.dump().is_empty());
}

#[tokio::test]
async fn write_from_before_a_login_stays_out_of_it() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let attacker = browser.clone();
    let (slow, session) = parked(&world, &attacker).await;
    world.request(&mut browser, |s| s.authenticate("victim")).await;
    session.set("planted", &1).unwrap();
    let response = finish(&attacker, &slow).await;
    assert_eq!((response.status, response.set_cookie()), (Some(409), None));
    let (seen, _) = world.request(&mut browser, |s| Ok((s.principal(), s.keys()))).await;
    assert_eq!(seen, (Some("victim".to_owned()), vec!["basket".to_owned()]));
}

#[tokio::test]
async fn of_two_rotations_one_is_refused() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let (slow, session) = parked(&world, &browser).await;
    let loser = browser.clone();
    world.request(&mut browser, |s| s.rotate()).await;
    session.rotate().unwrap();
    let response = finish(&loser, &slow).await;
    assert_eq!((response.status, response.set_cookie()), (Some(409), None));
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    assert_eq!(world.model.dump().len(), 1);
}

#[tokio::test]
async fn two_first_requests_do_not_disturb_each_other() {
    let world = World::new();
    let (mut one, mut two) = (Browser::default(), Browser::default());
    let (first, session_one) = parked(&world, &one).await;
    let (second, session_two) = parked(&world, &two).await;
    session_one.set("a", &1).unwrap();
    session_two.set("a", &2).unwrap();
    one.take(&first.commit().await);
    two.take(&second.commit().await);
    assert_eq!((world.value(&mut one, "a").await, world.value(&mut two, "a").await), (Some(1), Some(2)));
}

#[tokio::test]
async fn lost_reply_is_found_again_and_counts_once() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    for kind in [StoreErrorKind::Ambiguous, StoreErrorKind::Timeout] {
        world.store.fail_next(Verb::Replace, Failure::After(kind));
        let (_, response) =
            world.request(&mut browser, |s| s.update("n", |n: Option<i64>| n.unwrap_or(0) + 1)).await;
        assert_eq!(response.status, None);
    }
    assert_eq!(world.value(&mut browser, "n").await, Some(2));
    let mut fresh = Browser::default();
    world.store.fail_next(Verb::Create, Failure::After(StoreErrorKind::Ambiguous));
    let (_, response) = world.request(&mut fresh, |s| s.set("a", &1)).await;
    assert_eq!(response.status, None);
    assert_eq!(world.value(&mut fresh, "a").await, Some(1));
    assert_eq!(world.model.dump().len(), 2, "and no orphan was left");
    world.store.fail_next(Verb::Delete, Failure::After(StoreErrorKind::Ambiguous));
    let (_, response) = world.logout(&mut fresh).await;
    assert_eq!((response.status, fresh.token), (None, None));
}

/// A store whose writes all end in one way, each after some time.
#[derive(Debug)]
struct Stubborn {
    inner: Arc<ModelStore>,
    clock: Clock,
    load_takes: Duration,
    takes: Duration,
    answer: Option<StoreErrorKind>,
}

impl Stubborn {
    fn end<T>(&self, conflict: T) -> Result<T, StoreError> {
        self.clock.advance(self.takes);
        self.answer.map_or(Ok(conflict), |kind| Err(StoreError::new(kind, "stubborn")))
    }
}

#[async_trait]
impl Store for Stubborn {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        self.clock.advance(self.load_takes);
        self.inner.load(key, freshness).await
    }
    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.inner.create(key, record).await
    }
    async fn replace(&self, _: &StoreKey, _: Version, _: &Record) -> Result<Replaced, StoreError> {
        self.end(Replaced::Conflict)
    }
    async fn touch(&self, _: &StoreKey, _: Version, _: Duration) -> Result<Touched, StoreError> {
        self.end(Touched::Conflict)
    }
    async fn delete(&self, _: &StoreKey) -> Result<Deleted, StoreError> {
        self.end(Deleted::Missing)
    }
    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

pub(crate) fn stubborn(load_takes: Duration, takes: Duration, answer: Option<StoreErrorKind>) -> World {
    let clock = Clock::manual();
    let model = Arc::new(ModelStore::new(clock.clone()));
    let store = Stubborn { inner: Arc::clone(&model), clock: clock.clone(), load_takes, takes, answer };
    World::over(clock, model, FailingStore::new(store), KeyRing::generate(), |builder| builder)
}

#[tokio::test]
async fn contention_ends_at_the_deadline() {
    let world = stubborn(Duration::ZERO, Duration::from_millis(100), None);
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let began = world.clock.monotonic();
    let (_, response) = world.request(&mut browser, |s| s.set("a", &2)).await;
    assert_eq!((response.status, response.header("retry-after")), (Some(503), Some("1")));
    assert_eq!(world.clock.monotonic() - began, Duration::from_secs(2));
    assert_eq!(world.store.calls().replaces, 20);
}

#[tokio::test]
async fn tries_that_would_outlast_the_deadline_are_not_begun() {
    for (takes, tries) in [(300, 3), (900, 2), (1000, 2), (1001, 1), (1500, 1), (2000, 1)] {
        let takes = Duration::from_millis(takes);
        let world = stubborn(Duration::ZERO, takes, Some(StoreErrorKind::Timeout));
        let mut browser = Browser::default();
        world.request(&mut browser, |s| s.set("a", &1)).await;
        for handler in [
            |s: &Session| s.set("a", &2),
            |s: &Session| {
                s.logout();
                Ok(())
            },
        ] {
            world.store.reset_calls();
            let began = world.clock.monotonic();
            let (_, response) = world.request(&mut browser.clone(), handler).await;
            assert_eq!(response.status, Some(503));
            assert_eq!(world.clock.monotonic() - began, takes * tries, "{takes:?}");
            let calls = world.store.calls();
            assert_eq!(calls.replaces + calls.deletes, u64::from(tries), "{takes:?}");
        }
    }
}

#[tokio::test]
async fn no_attempt_begins_after_the_deadline() {
    let slow = Duration::from_millis(1900);
    let world = stubborn(slow, slow, None);
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    world.store.reset_calls();
    let (_, response) = world.request(&mut browser, |s| s.set("a", &2)).await;
    assert_eq!(response.status, Some(503));
    assert_eq!(
        (world.store.calls().replaces, world.store.calls().loads),
        (1, 2),
        "and none after the second load"
    );
}
