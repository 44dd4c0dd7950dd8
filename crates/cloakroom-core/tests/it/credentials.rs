//! Sessions whose account got other credentials since their login.

use std::time::Duration;

use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{
    EndReason, ErrorKind, Login, RejectReason, Result, Session, SessionEventKind, StoreErrorKind, Visit,
};

use crate::fleet::Fleet;
use crate::world::{Browser, Response, World};

pub(crate) const OLD: &str = "$argon2id$old";
pub(crate) const NEW: &str = "$argon2id$new";
pub(crate) const ENDED: SessionEventKind = SessionEventKind::Ended(EndReason::CredentialsChanged);
const DOWN: Failure = Failure::Before(StoreErrorKind::Unavailable);

pub(crate) fn ada(fingerprint: &str) -> Login {
    Login::new("ada").with_fingerprint(fingerprint)
}

pub(crate) async fn logged_in(world: &World) -> Browser {
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.authenticate(ada(OLD)).and_then(|()| s.set("a", &1))).await;
    world.events();
    browser
}

pub(crate) async fn change_password(world: &World, browser: &mut Browser) {
    world.request(browser, |s| s.authenticate(ada(NEW))).await;
    world.events();
}

pub(crate) async fn opened(world: &World, browser: &Browser) -> (Visit, Session) {
    let visit = world.visit(browser);
    let session = visit.session().await.unwrap();
    (visit, session)
}

/// One request whose handler checks the fingerprint.
pub(crate) async fn check(world: &World, browser: &mut Browser, current: &str) -> (Result<bool>, Response) {
    let (visit, session) = opened(world, browser).await;
    let answer = session.verify_fingerprint(current).await;
    drop(session);
    (answer, browser.take(&visit.commit().await))
}

#[tokio::test]
async fn changed_password_ends_every_other_session_at_its_next_check() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let (mut desk, mut phone, mut tablet) =
        (logged_in(&world).await, logged_in(&world).await, logged_in(&world).await);
    let mut eve = world.logged_in("eve").await;
    for browser in [&mut desk, &mut phone, &mut tablet] {
        assert!(check(&world, browser, OLD).await.0.unwrap());
    }
    change_password(&world, &mut desk).await;
    let handle = world.request(&mut phone, |s| Ok(s.handle())).await.0;
    let listed = async || world.sessions.sessions_of("ada").await.unwrap();
    assert_eq!(listed().await.len(), 3, "nothing ends by itself");
    for (left, browser) in [(2, &mut phone), (1, &mut tablet)] {
        let (answer, response) = check(&world, browser, NEW).await;
        assert!(!answer.unwrap());
        assert_eq!((response.status, response.set_cookie()), (None, None), "no removal");
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(world.events(), [ENDED]);
        let listed = listed().await;
        assert_eq!(listed.len(), left);
        assert!(listed.iter().all(|info| Some(&info.handle) != handle.as_ref()));
        // Its token is nobody's from now on.
        assert!(!check(&world, browser, NEW).await.0.unwrap());
        assert_eq!(world.events(), [SessionEventKind::TokenRejected(RejectReason::Unknown)]);
    }
    assert!(check(&world, &mut desk, NEW).await.0.unwrap(), "the one that changed it");
    assert_eq!(world.principal(&mut desk).await.as_deref(), Some("ada"));
    assert_eq!(world.principal(&mut eve).await.as_deref(), Some("eve"));
    assert_eq!(world.model.dump().len(), 2);
}

#[tokio::test]
async fn check_that_passes_costs_nothing_and_changes_nothing() {
    let world = World::new();
    let mut browser = logged_in(&world).await;
    let before = world.model.dump();
    world.store.reset_calls();
    let (answer, response) = check(&world, &mut browser, OLD).await;
    assert!(answer.unwrap());
    assert_eq!((response.status, response.set_cookie()), (None, None));
    assert_eq!((world.store.calls().loads, world.store.calls().total()), (1, 1));
    assert_eq!((world.model.dump(), world.events()), (before, vec![]));
}

#[tokio::test]
async fn nobody_passes_who_is_not_logged_in_and_nothing_happens() {
    let world = World::new();
    let mut visitor = Browser::default();
    let (answer, response) = check(&world, &mut visitor, OLD).await;
    assert_eq!((answer.unwrap(), response.set_cookie(), world.store.calls().total()), (false, None, 0));
    world.request(&mut visitor, |s| s.set("basket", &1)).await;
    world.events();
    world.store.reset_calls();
    let (answer, response) = check(&world, &mut visitor, OLD).await;
    assert_eq!((answer.unwrap(), response.set_cookie(), world.store.calls().total()), (false, None, 1));
    assert_eq!((world.value(&mut visitor, "basket").await, world.events()), (Some(1), vec![]));
    // A token that was just rotated away reads as nobody's, and ends nothing.
    let mut browser = logged_in(&world).await;
    let mut stale = browser.clone();
    world.request(&mut browser, |s| s.rotate()).await;
    assert!(!check(&world, &mut stale, NEW).await.0.unwrap());
    assert!(check(&world, &mut browser, OLD).await.0.unwrap());
}

#[tokio::test]
async fn login_without_a_fingerprint_matches_none() {
    for current in ["", OLD] {
        let world = World::new();
        let mut browser = world.logged_in("ada").await;
        world.events();
        assert!(!check(&world, &mut browser, current).await.0.unwrap());
        assert_eq!((world.events(), world.model.dump()), (vec![ENDED], vec![]));
    }
}

#[tokio::test]
async fn fingerprints_outlive_the_keys() {
    let fleet = Fleet::new(false);
    let mut browser = logged_in(&fleet.world(&[1], |b| b)).await;
    assert!(check(&fleet.world(&[2, 1], |b| b), &mut browser, OLD).await.0.unwrap());
    let world = fleet.world(&[2], |b| b);
    assert!(check(&world, &mut browser, OLD).await.0.unwrap());
    assert!(!check(&world, &mut browser, NEW).await.0.unwrap());
}

#[tokio::test]
async fn outdated_session_reads_as_empty_and_refuses_writes() {
    let world = World::new();
    let browser = logged_in(&world).await;
    let (visit, session) = opened(&world, &browser).await;
    session.set("noted", &1).unwrap();
    session.rotate().unwrap();
    assert!(!session.verify_fingerprint(NEW).await.unwrap());
    assert!(world.model.dump().is_empty(), "now, not with the response");
    world.store.reset_calls();
    assert_eq!((session.principal(), session.keys(), session.len()), (None, vec![], 0));
    assert_eq!((session.get::<i64>("a").unwrap(), session.contains("a")), (None, false));
    assert_eq!(session.authenticated_at(), None);
    assert!(!session.authenticated_within(Duration::MAX));
    for refused in [
        session.set("a", &2),
        session.remove("a"),
        session.clear(),
        session.flash("x"),
        session.rotate(),
        session.authenticate(ada(NEW)),
        session.remember(Duration::from_secs(60)),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::LoggedOut);
    }
    assert_eq!(session.detached().await.unwrap_err().kind(), ErrorKind::Ended);
    assert!(!session.verify_fingerprint(OLD).await.unwrap(), "it does not come back");
    session.save().await.unwrap();
    session.end().await.unwrap();
    session.logout();
    let response = browser.clone().take(&visit.commit_at_once().expect("it is over"));
    assert_eq!((response.status, response.set_cookie()), (None, None));
    assert_eq!((world.store.calls().total(), world.events()), (0, vec![ENDED]));
}

#[tokio::test]
async fn check_judges_the_login_of_its_own_request() {
    // The password is changed and checked in one request: the session stays.
    let world = World::new();
    let mut browser = logged_in(&world).await;
    let (visit, session) = opened(&world, &browser).await;
    session.authenticate(ada(NEW)).unwrap();
    assert!(session.verify_fingerprint(NEW).await.unwrap());
    browser.take(&visit.commit().await);
    assert!(check(&world, &mut browser, NEW).await.0.unwrap());
    assert_eq!((world.events(), world.model.dump().len()), (vec![SessionEventKind::Authenticated], 1));
    // A login that is outdated already ends what it was to be stored in.
    let (visit, session) = opened(&world, &browser).await;
    session.authenticate(ada(OLD)).unwrap();
    assert!(!session.verify_fingerprint(NEW).await.unwrap());
    assert_eq!(browser.clone().take(&visit.commit().await).set_cookie(), None);
    assert_eq!((world.events(), world.model.dump()), (vec![ENDED], vec![]));
    // Where nothing was stored, nothing is, and there is nothing to tell. The second comes with a dead token,
    // the third with one that was just rotated away.
    let mut rotated = logged_in(&world).await;
    let stale = rotated.clone();
    world.request(&mut rotated, |s| s.rotate()).await;
    let before = world.model.dump();
    for browser in [Browser::default(), browser, stale] {
        let (visit, session) = opened(&world, &browser).await;
        world.events();
        world.store.reset_calls();
        session.authenticate(ada(OLD)).unwrap();
        assert!(!session.verify_fingerprint(NEW).await.unwrap());
        let response = browser.clone().take(&visit.commit().await);
        assert_eq!((response.status, response.set_cookie()), (None, None));
        assert_eq!((world.store.calls().total(), world.events()), (0, vec![]));
    }
    assert_eq!(world.model.dump(), before);
}

#[tokio::test]
async fn outage_ends_the_session_for_this_request_and_the_response_tries_again() {
    for verb in [Verb::Replace, Verb::Delete] {
        let world = World::new();
        let mut browser = logged_in(&world).await;
        let (visit, session) = opened(&world, &browser).await;
        world.store.fail_next(verb, DOWN);
        assert_eq!(session.verify_fingerprint(NEW).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!((session.principal(), session.len(), world.events()), (None, 0, vec![]), "{verb:?}");
        assert_eq!(session.set("a", &2).unwrap_err().kind(), ErrorKind::LoggedOut);
        assert!(visit.commit_at_once().is_none(), "it is still to be ended");
        let response = browser.clone().take(&visit.commit().await);
        assert_eq!((response.status, response.set_cookie()), (None, None), "{verb:?}");
        assert_eq!((world.events(), world.model.dump()), (vec![ENDED], vec![]), "{verb:?}");

        // It stays down: nobody is told that it ended, and the next request begins again.
        browser = logged_in(&world).await;
        let (visit, session) = opened(&world, &browser).await;
        world.store.fail_next(verb, DOWN);
        world.store.fail_next(verb, DOWN);
        world.store.fail_next(verb, DOWN);
        for _ in 0..2 {
            assert!(session.verify_fingerprint(NEW).await.unwrap_err().is_transient());
        }
        let response = browser.clone().take(&visit.commit().await);
        assert_eq!((response.status, response.set_cookie()), (Some(503), None), "{verb:?}");
        assert_eq!((world.events(), world.model.dump().len()), (vec![], 1), "{verb:?}");
        assert!(!check(&world, &mut browser, NEW).await.0.unwrap());
        assert_eq!(world.principal(&mut browser).await, None);
        // What was not deleted goes by itself.
        world.clock.advance(Duration::from_secs(60));
        assert!(world.model.dump().is_empty(), "{verb:?}");
    }
}

#[tokio::test]
async fn token_of_a_login_that_was_saved_and_ended_is_not_sent() {
    let world = World::new();
    let (visit, session) = opened(&world, &Browser::default()).await;
    session.authenticate(ada(OLD)).unwrap();
    session.save().await.unwrap();
    assert!(!session.verify_fingerprint(NEW).await.unwrap());
    assert_eq!(Browser::default().take(&visit.commit().await).set_cookie(), None);
}

#[tokio::test]
async fn detached_session_is_checked_as_it_was_loaded() {
    let world = World::new();
    let mut browser = logged_in(&world).await;
    let (visit, session) = opened(&world, &browser).await;
    let (task, late) = (session.detached().await.unwrap(), session.detached().await.unwrap());
    browser.take(&visit.commit().await);
    assert!(task.verify_fingerprint(OLD).await.unwrap());
    assert!(!task.verify_fingerprint(NEW).await.unwrap());
    assert_eq!((world.events(), world.model.dump()), (vec![ENDED], vec![]));
    assert_eq!(task.set("a", &2).unwrap_err().kind(), ErrorKind::LoggedOut);
    task.save().await.unwrap();
    world.store.reset_calls();
    assert!(!late.verify_fingerprint(NEW).await.unwrap(), "another one ended it");
    assert_eq!((world.store.calls().total(), world.events()), (1, vec![]));

    let mut browser = logged_in(&world).await;
    let (_visit, session) = opened(&world, &browser).await;
    let task = session.detached().await.unwrap();
    change_password(&world, &mut browser).await;
    assert_eq!(task.verify_fingerprint(NEW).await.unwrap_err().kind(), ErrorKind::Ended);
    assert!(check(&world, &mut browser, NEW).await.0.unwrap());
}

#[tokio::test]
async fn check_after_the_end_of_a_session_or_of_its_request() {
    let world = World::new();
    let mut browser = logged_in(&world).await;
    let (visit, session) = opened(&world, &browser).await;
    let _ = visit.commit().await;
    assert!(session.verify_fingerprint(OLD).await.unwrap());
    assert_eq!(session.verify_fingerprint(NEW).await.unwrap_err().kind(), ErrorKind::Committed);
    assert!(check(&world, &mut browser, OLD).await.0.unwrap(), "it was too late to end it");

    let (_visit, session) = opened(&world, &browser).await;
    world.request(&mut browser, |s| s.rotate()).await;
    session.set("a", &2).unwrap();
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Ended);
    for current in [OLD, NEW] {
        assert_eq!(session.verify_fingerprint(current).await.unwrap_err().kind(), ErrorKind::Ended);
    }

    // A logout stays one, and takes the token away.
    let (visit, session) = opened(&world, &browser).await;
    session.logout();
    world.events();
    assert!(!session.verify_fingerprint(NEW).await.unwrap());
    assert_eq!(world.model.dump().len(), 1, "not yet");
    assert!(browser.take(&visit.commit().await).set_cookie().unwrap().contains("Max-Age=0"));
    assert_eq!(world.events(), [SessionEventKind::Ended(EndReason::Logout)]);
}

#[tokio::test]
async fn check_runs_in_any_task() {
    let session = cloakroom_core::testing::session(|s| s.authenticate(ada(OLD))).unwrap();
    let task = tokio::spawn(async move { session.verify_fingerprint(OLD.to_owned()).await });
    assert!(task.await.unwrap().unwrap());
}
