//! What a commit does without waiting for anybody, and what it leaves to the one that waits.

use std::time::Duration;

use cloakroom_core::{ErrorKind, Session, SessionEventKind, Visit};

use crate::cancellation::{cut_short, waiting_world};
use crate::client_side;
use crate::world::{Browser, Response, World};

/// The commit that waits for nobody, where it is enough.
fn at_once(visit: &Visit, browser: &mut Browser) -> Option<Response> {
    visit.commit_at_once().map(|reply| browser.take(&reply))
}

#[tokio::test]
async fn what_must_be_stored_is_left_to_the_commit_that_waits() {
    type Handler = fn(&Session);
    let handlers: [(&str, Handler); 5] = [
        ("write", |s| s.set("a", &1).unwrap()),
        ("rotate", |s| s.rotate().unwrap()),
        ("login", |s| s.authenticate("eve").unwrap()),
        ("logout", Session::logout),
        ("flash", |s| s.flash("x").unwrap()),
    ];
    for (name, handler) in handlers {
        for is_new in
            [true, false].into_iter().filter(|is_new| !is_new || !["rotate", "logout"].contains(&name))
        {
            let world = World::new();
            let mut browser = if is_new { Browser::default() } else { world.logged_in("ada").await };
            let before = world.model.dump();
            let visit = world.visit(&browser);
            let session = visit.session().await.unwrap();
            handler(&session);
            world.store.reset_calls();
            assert_eq!(at_once(&visit, &mut browser), None, "{name}");
            assert_eq!((world.store.calls().total(), world.model.dump()), (0, before.clone()), "{name}");
            let refused = session.set("late", &2).unwrap_err().kind();
            assert!(matches!(refused, ErrorKind::Committed | ErrorKind::LoggedOut), "the response has begun");
            assert_eq!(browser.take(&visit.commit().await).status, None, "{name}");
            assert_ne!(world.model.dump(), before, "{name} is stored");
            world.store.reset_calls();
            let response = at_once(&visit, &mut browser).expect("nothing is left to store");
            assert_eq!((response.status, world.store.calls().total()), (None, 0), "{name}");
            assert_eq!(world.value(&mut browser, "late").await, None);
        }
    }
}

#[tokio::test]
async fn what_was_only_read_ends_at_once() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.set("a", &1)).await;
    world.store.reset_calls();

    let reply = world.visit(&browser).commit_at_once().unwrap();
    assert!(reply.is_untouched() && world.store.calls().total() == 0, "nobody asked");
    let visit = world.visit(&browser);
    assert_eq!(visit.session().await.unwrap().get::<i64>("a").unwrap(), Some(1));
    let response = at_once(&visit, &mut browser).unwrap();
    assert_eq!((response.status, response.set_cookie()), (None, None));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!((world.store.calls().loads, world.store.calls().total()), (1, 1));
}

#[tokio::test]
async fn a_visitor_for_whom_nothing_stays_written_ends_at_once() {
    let world = World::new();
    let mut browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    session.remove("a").unwrap();
    session.remember(Duration::from_secs(86_400)).unwrap();
    let response = at_once(&visit, &mut browser).expect("there is nothing to store");
    assert_eq!((response.set_cookie(), world.store.calls().total()), (None, 0));
}

#[tokio::test]
async fn what_is_to_be_kept_alive_is_left() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    for (seconds, is_due) in [(10, false), (600, true)] {
        world.clock.advance(Duration::from_secs(seconds));
        let visit = world.visit(&browser);
        visit.session().await.unwrap();
        world.store.reset_calls();
        assert_eq!(at_once(&visit, &mut browser).is_none(), is_due, "after {seconds} s");
        browser.take(&visit.commit().await);
        assert_eq!(world.store.calls().total(), u64::from(is_due), "after {seconds} s");
    }
}

/// What was taken back after a save had begun would stay stored.
#[tokio::test]
async fn a_commit_under_way_is_not_overtaken() {
    let world = waiting_world();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    let mut save = Box::pin(session.save());
    assert!(!cut_short(1, &mut save).await, "the store has not answered");
    // As it was loaded, but not as the save that is on its way leaves it.
    session.remove("a").unwrap();
    assert_eq!(at_once(&visit, &mut browser), None);
    save.await.unwrap();
    assert_eq!(browser.take(&visit.commit().await).status, None);
    assert_eq!(world.value(&mut browser, "a").await, None);
}

#[tokio::test]
async fn a_write_with_a_token_that_was_rotated_away_is_refused_at_once() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let mut old = browser.clone();
    world.request(&mut browser, |s| s.rotate()).await;
    let visit = world.visit(&old);
    visit.session().await.unwrap().set("a", &1).unwrap();
    world.events();
    world.store.reset_calls();
    let response = at_once(&visit, &mut old).expect("nobody has to be asked");
    assert_eq!((response.status, response.set_cookie()), (Some(409), None));
    assert_eq!((world.events(), world.store.calls().total()), (vec![SessionEventKind::WriteRefused], 0));
    assert_eq!(world.value(&mut browser, "a").await, None);
}

#[tokio::test]
async fn what_a_handler_wrote_before_it_panicked_is_given_up_at_once_and_told_once() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    let handler = tokio::spawn(async move {
        session.set("a", &1).unwrap();
        panic!("a handler");
    });
    assert!(handler.await.unwrap_err().is_panic());
    world.events();
    world.store.reset_calls();
    let response = at_once(&visit, &mut browser).expect("there is nothing to store");
    assert_eq!((response.status, response.set_cookie()), (None, None));
    assert_eq!((world.events(), world.store.calls().total()), (vec![SessionEventKind::HandlerPanicked], 0));
    assert_eq!(world.value(&mut browser, "a").await, None);
}

#[tokio::test]
async fn a_load_that_failed_or_was_dropped_ends_at_once_and_keeps_the_response_private() {
    use cloakroom_core::StoreErrorKind::Unavailable;
    use cloakroom_core::testing::{Failure, Verb};
    for is_dropped in [false, true] {
        let world = waiting_world();
        let mut browser = world.logged_in("ada").await;
        let visit = world.visit(&browser);
        if is_dropped {
            cut_short(1, visit.session()).await;
        } else {
            world.store.fail_next(Verb::Load, Failure::Before(Unavailable));
            visit.session().await.unwrap_err();
        }
        let response = at_once(&visit, &mut browser).expect("nobody has to be asked");
        assert_eq!((response.status, response.set_cookie()), (None, None));
        assert_eq!(response.header("cache-control"), Some("no-store"), "dropped: {is_dropped}");
    }
}

/// [`client_side::World`] ends each of its requests at once.
#[tokio::test]
async fn a_session_that_its_client_carries_is_handed_back_and_forgotten_at_once() {
    let (world, mut browser) = (client_side::World::new(), Browser::default());
    let (_, response) = world.request(&mut browser, |s| s.set("a", &1)).await;
    assert!(response.set_cookie().is_some() && browser.token.is_some());
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
    let (_, response) = world
        .request(&mut browser, |s| {
            s.logout();
            Ok(())
        })
        .await;
    assert!(response.set_cookie().is_some() && browser.token.is_none(), "{response:?}");
}

#[tokio::test]
async fn who_asks_after_the_response_can_write_no_more() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.set("a", &1)).await;
    for at_once in [true, false] {
        let visit = world.visit(&browser);
        let reply = if at_once { visit.commit_at_once().unwrap() } else { visit.commit().await };
        assert!(reply.is_untouched(), "nobody has asked");
        let before = world.model.dump();
        for _ in 0..2 {
            let session = visit.session().await.unwrap();
            assert_eq!(session.get::<i64>("a").unwrap(), Some(1));
            assert_eq!(session.set("a", &2).unwrap_err().kind(), ErrorKind::Committed);
        }
        let session = visit.session().await.unwrap();
        session.save().await.expect("there is nothing to save");
        session.logout();
        assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Committed, "nobody was logged out");
        assert_eq!(session.end().await.unwrap_err().kind(), ErrorKind::Committed);
        drop(visit.commit().await);
        assert_eq!(world.model.dump(), before);
    }
}

#[tokio::test]
async fn load_that_waits_across_the_response_finds_a_session_to_read() {
    let world = waiting_world();
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let visit = world.visit(&browser);
    let mut load = Box::pin(visit.session());
    assert!(futures_util::poll!(&mut load).is_pending());
    let response = at_once(&visit, &mut browser).expect("nothing is written");
    assert_eq!((response.status, response.header("cache-control")), (None, Some("no-store")));
    let session = load.await.unwrap();
    assert_eq!(session.get::<i64>("a").unwrap(), Some(1));
    assert_eq!(session.set("a", &2).unwrap_err().kind(), ErrorKind::Committed);
    assert_eq!(visit.session().await.unwrap().set("a", &2).unwrap_err().kind(), ErrorKind::Committed);
}
