//! Writes whose outcome is in doubt, and what is done to the session beside them.

use std::time::Duration;

use cloakroom_core::testing::{Failure, ModelStore, Verb};
use cloakroom_core::{Clock, ErrorKind, KeyRing, Login, Session, SessionManager, StoreErrorKind};

use crate::cancellation::cut_short;
use crate::fleet::{Fleet, Step};
use crate::world::{Browser, World};

const LOST: Failure = Failure::After(StoreErrorKind::Ambiguous);

#[tokio::test]
async fn take_beside_a_conflicting_save_is_still_once_only() {
    let fleet = Fleet::new(false);
    let world = fleet.world(&[1], |b| b);
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("ticket", &1)).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    let rival = world.request(&mut browser.clone(), |s| s.take::<i64>("ticket")).await.0;
    assert_eq!(rival, Some(1));
    session.set("other", &1).unwrap();
    let (saved, taken) =
        futures_util::join!(session.save(), async { session.clone().take::<i64>("ticket").unwrap() });
    saved.unwrap();
    assert_eq!(taken, Some(1));
    drop(session);
    assert_eq!(browser.take(&visit.commit().await).status, Some(409), "the ticket was handed out twice");
}

#[tokio::test]
async fn decision_beside_a_conflicting_save_is_still_checked() {
    let fleet = Fleet::new(false);
    let world = fleet.world(&[1], |b| b);
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("stock", &1)).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    world.request(&mut browser.clone(), |s| s.set("stock", &0)).await;
    session.set("other", &1).unwrap();
    let (saved, ()) = futures_util::join!(session.save(), async {
        assert_eq!(session.get::<i64>("stock").unwrap(), Some(1));
        session.require_unchanged("stock");
        session.set("order", &1).unwrap();
    });
    saved.unwrap();
    assert_eq!(browser.take(&visit.commit().await).status, Some(409));
    assert_eq!(world.value(&mut browser, "order").await, None);
}

#[tokio::test]
async fn compensation_after_a_doubtful_save_is_stored() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("reserved", &1).unwrap();
    for _ in 0..3 {
        world.store.fail_next(Verb::Replace, LOST);
    }
    assert!(session.save().await.is_err());
    session.remove("reserved").unwrap();
    assert_eq!(browser.take(&visit.commit().await).status, None);
    assert_eq!(world.value(&mut browser, "reserved").await, None, "the handler took it back");
}

#[tokio::test]
async fn compensation_after_a_save_that_was_cut_short_is_stored() {
    for polls in 0..6 {
        let fleet = Fleet::new(false);
        let world = fleet.world(&[1], |b| b);
        let mut browser = world.logged_in("ada").await;
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.set("reserved", &1).unwrap();
        cut_short(polls, session.save()).await;
        session.remove("reserved").unwrap();
        assert_eq!(browser.take(&visit.commit().await).status, None);
        assert_eq!(world.value(&mut browser, "reserved").await, None, "polls {polls}");
    }
}

#[tokio::test]
async fn login_cut_short_at_the_index_is_stored_once() {
    for polls in 0..8 {
        let fleet = Fleet::new(true);
        let world = fleet.world(&[1], |b| b);
        let mut browser = world.logged_in("ada").await;
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.authenticate("eve").unwrap();
        cut_short(polls, session.save()).await;
        session.set("a", &1).unwrap();
        drop(session);
        let response = browser.take(&visit.commit().await);
        assert_eq!(response.status, None, "after {polls} polls");
        assert_eq!(world.principal(&mut browser).await.as_deref(), Some("eve"), "after {polls} polls");
    }
}

#[tokio::test]
async fn remember_that_was_cut_short_reaches_the_client() {
    for polls in 0..6 {
        let fleet = Fleet::new(false);
        let world = fleet.world(&[1], |b| b);
        let mut browser = world.logged_in("ada").await;
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.remember(Duration::from_secs(86400 * 30)).unwrap();
        cut_short(polls, session.save()).await;
        let response = browser.take(&visit.commit().await);
        assert!(response.set_cookie().is_some_and(|c| c.contains("Max-Age")), "after {polls} polls");
    }
    // Also where every reply of a save was lost.
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.remember(Duration::from_secs(86400 * 30)).unwrap();
    for _ in 0..3 {
        world.store.fail_next(Verb::Replace, LOST);
    }
    assert!(session.save().await.is_err());
    let response = browser.take(&visit.commit().await);
    assert!(response.set_cookie().is_some_and(|c| c.contains("Max-Age")), "lost replies");
}

#[tokio::test]
async fn longer_life_whose_replies_were_lost_reaches_the_client() {
    let month = Duration::from_secs(86400 * 30);
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.remember(month)).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.remember(month * 2).unwrap();
    for _ in 0..3 {
        world.store.fail_next(Verb::Replace, LOST);
    }
    assert!(session.save().await.is_err());
    let response = browser.take(&visit.commit().await);
    assert!(response.set_cookie().is_some_and(|c| c.contains("Max-Age")), "it lives longer");
    // A value alone makes no session live longer.
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    for _ in 0..3 {
        world.store.fail_next(Verb::Replace, LOST);
    }
    assert!(session.save().await.is_err());
    let response = browser.take(&visit.commit().await);
    assert_eq!((response.status, response.set_cookie()), (None, None));
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
}

#[tokio::test]
async fn change_that_cannot_be_stored_is_not_kept_for_later() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    world.store.fail_next(Verb::Replace, Failure::Before(StoreErrorKind::TooLarge));
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::TooLarge);
    session.set("b", &2).unwrap();
    assert_eq!(browser.take(&visit.commit().await).status, None);
    assert_eq!(world.value(&mut browser, "a").await, None, "the handler was told that it is not stored");
    assert_eq!(world.value(&mut browser, "b").await, Some(2));
}

#[tokio::test]
async fn lost_create_is_tried_again() {
    let world = World::new();
    let mut browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    world.store.fail_next(Verb::Create, LOST);
    world.store.fail_next(Verb::Replace, Failure::Before(StoreErrorKind::Unavailable));
    let error = session.save().await.unwrap_err();
    assert!(error.is_transient());
    let response = browser.take(&visit.commit().await);
    assert_eq!(response.status, None);
    assert_eq!(
        world.value(&mut browser, "a").await,
        Some(1),
        "documented: the end of the request tries again"
    );
}

#[tokio::test]
async fn save_after_a_failed_commit_is_an_error() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    world.store.fail_next(Verb::Replace, Failure::Before(StoreErrorKind::Unavailable));
    assert!(visit.commit().await.refusal().is_some());
    assert!(session.save().await.is_err(), "nothing was stored");
}

#[tokio::test]
async fn rotation_that_arrived_survives_a_second_failure() {
    let fleet = Fleet::new(false);
    let world = fleet.world(&[1], |b| b);
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.rotate().unwrap();
    for _ in 0..3 {
        world.store.fail_next(Verb::Replace, LOST);
    }
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    session.set("a", &1).unwrap();
    // The next save finds its rotation in place, and then the store goes away for a moment.
    fleet.plan(&[Step::Pass, Step::Before(StoreErrorKind::Unavailable)]);
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Unavailable);
    drop(session);
    let response = browser.take(&visit.commit().await);
    assert_eq!(response.status, None, "nobody else touched the session");
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
}

#[tokio::test]
async fn token_of_a_doubtful_rotation_is_the_new_one() {
    // As above, but nothing is left for the end of the request.
    let fleet = Fleet::new(false);
    let world = fleet.world(&[1], |b| b);
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.rotate().unwrap();
    for _ in 0..3 {
        world.store.fail_next(Verb::Replace, LOST);
    }
    assert!(session.save().await.is_err());
    session.flash("x").unwrap();
    fleet.plan(&[Step::Pass, Step::Before(StoreErrorKind::TooLarge)]);
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::TooLarge);
    drop(session);
    let response = browser.take(&visit.commit().await);
    assert_eq!(response.status, None);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"), "the client got a dead token");
}

#[tokio::test]
async fn second_handle_is_told_that_its_change_is_lost() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    let task = session.clone();
    world.logout(&mut browser).await;
    task.set("b", &1).unwrap();
    session.set("a", &1).unwrap();
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Ended);
    assert!(task.save().await.is_err(), "its change was not stored");
}

/// Looks at the session while it is dropped.
struct Nosy(Session);

impl Drop for Nosy {
    fn drop(&mut self) {
        let _ = self.0.len();
    }
}

#[test]
fn dropping_a_noted_closure_holds_no_lock() {
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let browser = world.logged_in("ada").await;
            let visit = world.visit(&browser);
            let session = visit.session().await.unwrap();
            let nosy = Nosy(session.clone());
            session
                .update("n", move |n: Option<i64>| {
                    let _ = &nosy;
                    n.unwrap_or(0) + 1
                })
                .unwrap();
            session.logout();
            let _ = visit.commit().await;
        });
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(5)).expect("no deadlock");
}

#[tokio::test]
async fn longest_deadline_does_not_overflow() {
    let clock = Clock::manual();
    clock.advance(Duration::from_secs(1));
    let manager = SessionManager::builder(ModelStore::new(clock.clone()), KeyRing::generate())
        .with_clock(clock)
        .with_deadline(Duration::MAX)
        .build();
    if let Ok(manager) = manager {
        let visit = manager.visit([]);
        visit.session().await.unwrap().set("a", &1).unwrap();
        assert!(visit.commit().await.refusal().is_none());
    }
}

#[tokio::test]
async fn login_with_one_label_twice_is_refused_at_once() {
    let world = World::new();
    let visit = world.visit(&Browser::default());
    let session = visit.session().await.unwrap();
    let login = Login::new("ada").with_label("device", "a").with_label("device", "b");
    let told = session.authenticate(login).is_err();
    let reply = visit.commit().await;
    assert!(told || reply.refusal().is_none(), "{:?}", reply.refusal());
}

#[tokio::test]
async fn decision_beside_read_flashes_is_checked() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("stock", &1).and_then(|()| s.flash("x"))).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.require_unchanged("stock");
    session.take_flashes::<String>().unwrap();
    world.request(&mut browser, |s| s.set("stock", &0)).await;
    assert_eq!(browser.take(&visit.commit().await).status, Some(409));
}

#[tokio::test]
async fn equal_flash_of_another_request_is_not_swallowed() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.flash("saved")).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    assert_eq!(session.take_flashes::<String>().unwrap().len(), 1);
    assert_eq!(world.request(&mut browser, |s| s.take_flashes::<String>()).await.0.len(), 1);
    world.request(&mut browser, |s| s.flash("saved")).await; // another one
    browser.take(&visit.commit().await);
    assert_eq!(world.request(&mut browser, |s| s.take_flashes::<String>()).await.0.len(), 1);
}

#[tokio::test]
async fn change_that_a_rival_made_as_well_needs_no_second_look() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    world.request(&mut browser.clone(), |s| s.set("a", &1)).await;
    session.set("a", &1).unwrap();
    session.save().await.unwrap();
    world.store.reset_calls();
    assert_eq!(session.get::<i64>("a").unwrap(), Some(1));
    drop(session);
    assert_eq!(browser.take(&visit.commit().await).status, None);
    assert_eq!(world.store.calls().total(), 0, "all was done by the save");
}

#[tokio::test]
async fn save_after_the_response_is_an_error_only_where_something_is_left() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    let _ = visit.commit().await;
    session.save().await.expect("all is stored");
}

#[tokio::test]
async fn session_that_is_over_has_no_detached_handle() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.logout();
    assert_eq!(session.detached().await.unwrap_err().kind(), ErrorKind::Ended, "it is about to be deleted");
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    world.logout(&mut browser.clone()).await;
    session.set("a", &1).unwrap();
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Ended);
    world.store.reset_calls();
    assert_eq!(session.detached().await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(world.store.calls().total(), 0, "that is known");
}

#[tokio::test]
async fn limits_of_logins_and_of_remembering_hold_to_the_unit() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    let labels = |count: usize, name: usize, value: usize| {
        (0..count)
            .fold(Login::new("eve"), |login, n| login.with_label(format!("{n:0name$}"), "v".repeat(value)))
    };
    session.authenticate(labels(16, 64, 256)).unwrap();
    session.authenticate(Login::new("e".repeat(1024))).unwrap();
    let refused = [labels(17, 4, 4), labels(1, 65, 4), labels(1, 4, 257), Login::new("e".repeat(1025))];
    for (nth, login) in refused.into_iter().enumerate() {
        assert_eq!(session.authenticate(login).unwrap_err().kind(), ErrorKind::TooLarge, "{nth}");
    }
    let second = Duration::from_secs(1);
    session.remember(second).unwrap();
    for short in [second - Duration::from_millis(1), second / 2] {
        assert_eq!(session.remember(short).unwrap_err().kind(), ErrorKind::Misconfigured);
    }
}

/// The limit is of what is sealed, and to the byte.
#[tokio::test]
async fn largest_session_of_a_store_is_as_large_as_was_said() {
    let text = "x".repeat(700);
    let stored = |world: &World| world.model.dump()[0].1.payload.len() - cloakroom_codec::ENVELOPE_OVERHEAD;
    let world = World::new();
    world.request(&mut Browser::default(), |s| s.set("a", &text)).await;
    let size = stored(&world);
    let exact = World::with(|builder| builder.with_max_size(size));
    let (_, response) = exact.request(&mut Browser::default(), |s| s.set("a", &text)).await;
    assert_eq!((response.status, stored(&exact)), (None, size));
    let small = World::with(|builder| builder.with_max_size(size - 1));
    let (_, response) = small.request(&mut Browser::default(), |s| s.set("a", &text)).await;
    assert!(response.status.is_some() && small.model.dump().is_empty(), "{response:?}");
    // 64 KiB where nothing was said.
    for (kib, fits) in [(63, true), (64, false)] {
        let large = "x".repeat(kib * 1024);
        let (set, response) =
            world.request(&mut Browser::default(), |s| Ok(s.set("a", &large).is_ok())).await;
        assert_eq!(set && response.status.is_none(), fits, "{kib} KiB");
    }
}
