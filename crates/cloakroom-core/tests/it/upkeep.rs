//! What a request is told of the work that nobody asked for.

use std::time::Duration;

use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{ErrorKind, OnEnded, Renewal, SessionEventKind, StoreErrorKind};

use crate::fleet::Fleet;
use crate::world::{Browser, World};

const PERIOD: Duration = Duration::from_secs(600);
const LOST: Failure = Failure::After(StoreErrorKind::Ambiguous);

/// A condition alone asks nothing, and neither does a change that changes nothing.
#[tokio::test]
async fn conditions_do_not_turn_upkeep_into_a_refusal() {
    let world = World::with(|b| b.with_renewal(Renewal::every(PERIOD)));
    for outage in [false, true] {
        let mut browser = world.logged_in("ada").await;
        world.request(&mut browser, |s| s.set("stock", &1)).await;
        world.clock.advance(PERIOD);
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.require_unchanged("stock");
        session.update("stock", |stock: Option<i64>| stock.unwrap_or(0)).unwrap();
        if outage {
            world.store.fail_next(Verb::Replace, Failure::Before(StoreErrorKind::Unavailable));
        } else {
            world.request(&mut browser, |s| s.set("stock", &2)).await;
        }
        drop(session);
        let mut other = browser.clone();
        assert_eq!(other.take(&visit.commit().await).status, None, "outage: {outage}");
        let stock = if outage { 1 } else { 2 };
        assert_eq!(world.value(&mut browser, "stock").await, Some(stock));
    }
}

#[tokio::test]
async fn condition_after_the_response_is_no_error() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    assert!(visit.commit().await.refusal().is_none());
    session.require_unchanged("a");
    session.save().await.unwrap();
}

/// A task that keeps a session alive learns that there is none, at the first keep-alive that is due.
#[tokio::test]
async fn detached_session_learns_of_its_end_when_it_is_kept_alive() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let task = visit.session().await.unwrap().detached().await.unwrap();
    world.logout(&mut browser).await;
    task.save().await.unwrap();
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(task.save().await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(task.save().await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(task.remember(PERIOD).unwrap_err().kind(), ErrorKind::Ended);
}

/// Its use is told by a write, and that finds nothing either.
#[tokio::test]
async fn detached_session_that_is_never_touched_learns_of_its_end() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.remember(PERIOD * 1000)).await;
    let visit = world.visit(&browser);
    let task = visit.session().await.unwrap().detached().await.unwrap();
    world.logout(&mut browser).await;
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(task.save().await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(task.save().await.unwrap_err().kind(), ErrorKind::Ended);
}

#[tokio::test]
async fn detached_session_is_not_remembered() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let task = visit.session().await.unwrap().detached().await.unwrap();
    assert_eq!(task.remember(PERIOD).unwrap_err().kind(), ErrorKind::Detached);
}

/// Also where other late changes pass: nobody is told "logged out" who is not.
#[tokio::test]
async fn logout_with_an_old_token_never_passes_for_one() {
    let world = World::with(|b| b.with_on_ended(OnEnded::Pass));
    let mut browser = world.logged_in("ada").await;
    let mut old = browser.clone();
    world.request(&mut browser, |s| s.rotate()).await;
    let (_, response) = world.logout(&mut old).await;
    assert_eq!((response.status, response.set_cookie()), (Some(409), None));
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
}

/// The store had it, and nobody was told: the next commit finds it in place.
#[tokio::test]
async fn what_is_found_in_place_is_told() {
    use SessionEventKind::{Authenticated, Rotated};
    for (told, login) in [(Authenticated, true), (Rotated, false)] {
        let world = World::new();
        let mut browser = Browser::default();
        world.request(&mut browser, |s| s.set("a", &1)).await;
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        if login {
            session.authenticate("ada").unwrap()
        } else {
            session.rotate().unwrap()
        }
        for _ in 0..3 {
            world.store.fail_next(Verb::Replace, LOST);
        }
        world.events();
        assert!(session.save().await.is_err());
        session.set("b", &2).unwrap();
        drop(session);
        assert_eq!(browser.take(&visit.commit().await).status, None);
        assert_eq!(world.events(), [told], "once, and no conflict with ourselves");
        assert_eq!(world.value(&mut browser, "b").await, Some(2));
    }
}
