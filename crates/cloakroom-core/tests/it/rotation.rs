//! Secrets that change hands.

use std::time::Duration;

use cloakroom_core::{
    Clock, ErrorKind, KeyRing, Login, RejectReason, SessionEventKind, SessionManager, VisitorValues,
};

use crate::world::{Browser, World};

#[tokio::test]
async fn token_from_before_a_login_is_worth_nothing_after_it() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let before = browser.clone();
    let handle = world.request(&mut browser, |s| s.authenticate("ada").map(|()| s.handle())).await.0;
    assert_ne!(browser.token, before.token);
    let mut thief = before;
    let (seen, response) = world.request(&mut thief, |s| Ok((s.principal(), s.keys(), s.is_new()))).await;
    assert_eq!(seen, (None, vec![], true));
    assert_eq!(response.set_cookie(), None, "no removal: it would take away the login's cookie");
    let (seen, _) = world.request(&mut browser, |s| Ok((s.principal(), s.handle(), s.keys()))).await;
    assert_eq!(
        seen,
        (Some("ada".to_owned()), handle, vec!["basket".to_owned()]),
        "same session, same values"
    );
    assert_eq!(world.model.dump().len(), 1, "one record, rotated in its place");
}

#[tokio::test]
async fn write_with_a_token_just_rotated_away_is_refused_for_a_minute() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    world.request(&mut browser, |s| s.rotate()).await;
    world.clock.advance(Duration::from_millis(59_999));
    let mut page = old.clone();
    let (_, response) = world.request(&mut page, |s| s.set("a", &1)).await;
    assert_eq!((response.status, response.set_cookie()), (Some(409), None));
    let (_, response) = world.logout(&mut page).await;
    assert_eq!((response.status, response.set_cookie()), (Some(409), None), "nor can it log anybody out");
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    assert!(world.events().contains(&SessionEventKind::TokenRejected(RejectReason::Stale)));
    world.clock.advance(Duration::from_millis(1));
    let (_, response) = world.request(&mut page, |s| s.set("a", &1)).await;
    assert_eq!(response.status, None);
    assert_eq!((world.value(&mut page, "a").await, world.value(&mut browser, "a").await), (Some(1), None));
}

#[tokio::test]
async fn login_with_a_token_just_rotated_away_starts_anew() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let mut lost = browser.clone();
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    // The login's response never arrived; the visitor logs in again.
    let (_, response) = world.request(&mut lost, |s| s.authenticate("ada")).await;
    assert_eq!(response.status, None);
    assert_eq!(world.principal(&mut lost).await.as_deref(), Some("ada"));
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    assert_eq!(world.model.dump().len(), 2);
}

#[tokio::test]
async fn rotation_keeps_everything_else() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.set("a", &1).and_then(|()| s.set("kept", &1))).await;
    world.clock.advance(Duration::from_secs(300));
    let seen = |s: &cloakroom_core::Session| {
        Ok((s.created_at(), s.authenticated_at(), s.principal(), s.keys(), s.handle()))
    };
    let before = world.request(&mut browser, seen).await.0;
    let token = browser.token.clone();
    world
        .request(&mut browser, |s| {
            s.rotate()?;
            s.rotate()?;
            s.set("a", &2)
        })
        .await;
    assert_ne!(browser.token, token);
    assert_eq!(world.request(&mut browser, seen).await.0, before);
    assert_eq!(world.value(&mut browser, "a").await, Some(2));
    assert!(world.events().contains(&SessionEventKind::Rotated));
}

#[tokio::test]
async fn rotation_does_not_extend_the_absolute_deadline() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    for _ in 0..47 {
        world.clock.advance(Duration::from_secs(15 * 60));
        world.request(&mut browser, |s| s.rotate()).await;
        assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    }
    world.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(world.principal(&mut browser).await, None, "12 hours after the login");
}

#[tokio::test]
async fn login_begins_a_new_absolute_deadline_and_keeps_the_birth() {
    let world = World::new();
    let mut browser = Browser::default();
    let (born, _) = world.request(&mut browser, |s| s.set("a", &1).map(|()| s.created_at())).await;
    for _ in 0..24 {
        world.clock.advance(Duration::from_secs(25 * 60));
        world.request(&mut browser, |_| Ok(())).await;
    }
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    for _ in 0..28 {
        world.clock.advance(Duration::from_secs(25 * 60));
        let (seen, _) = world.request(&mut browser, |s| Ok((s.principal(), s.created_at()))).await;
        assert_eq!(seen, (Some("ada".to_owned()), born));
    }
    world.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(world.principal(&mut browser).await, None);
}

#[tokio::test]
async fn another_principal_begins_with_nothing() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.set("secret", &1).and_then(|()| s.flash("for ada"))).await;
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    assert_eq!(world.value(&mut browser, "secret").await, Some(1), "the same principal keeps all");
    world.request(&mut browser, |s| s.authenticate("eve")).await;
    let (seen, _) = world.request(&mut browser, |s| Ok((s.keys(), s.take_flashes::<String>()?))).await;
    assert_eq!(seen, (vec![], vec![]));
}

#[tokio::test]
async fn visitor_values_go_if_the_login_says_so() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let login = Login::new("ada").with_visitor_values(VisitorValues::Discard);
    world.request(&mut browser, |s| s.authenticate(login).and_then(|()| s.set("fresh", &1))).await;
    assert_eq!(world.request(&mut browser, |s| Ok(s.keys())).await.0, ["fresh"]);
}

#[tokio::test]
async fn token_under_an_old_key_is_issued_again() {
    let world = World::new();
    let (old, new) = ([[1u8; 16], [2u8; 16]].concat(), [[3u8; 16], [4u8; 16]].concat());
    let manager = |secrets: Vec<&Vec<u8>>| {
        SessionManager::builder(world.store.clone(), KeyRing::from_secrets(secrets).unwrap())
            .with_clock(world.clock.clone())
            .build()
            .unwrap()
    };
    let visit_with = |manager: &SessionManager, browser: &Browser| {
        let header = browser.token.as_ref().map(|token| format!("__Host-session={token}"));
        manager.visit(header.iter().map(String::as_bytes))
    };
    let mut browser = Browser::default();
    let visit = visit_with(&manager(vec![&old]), &browser);
    visit.session().await.unwrap().authenticate("ada").unwrap();
    browser.take(&visit.commit().await);
    let first = browser.token.clone();
    // Published second everywhere: read, not written with.
    let visit = visit_with(&manager(vec![&old, &new]), &browser);
    assert_eq!(visit.session().await.unwrap().principal().as_deref(), Some("ada"));
    assert_eq!(browser.take(&visit.commit().await).set_cookie(), None);
    // Moved first: the first use writes both anew, so that the old key becomes free to go.
    let turned = manager(vec![&new, &old]);
    let visit = visit_with(&turned, &browser);
    assert_eq!(visit.session().await.unwrap().principal().as_deref(), Some("ada"));
    world.store.reset_calls();
    assert!(browser.take(&visit.commit().await).set_cookie().is_some());
    assert_eq!((world.store.calls().replaces, world.store.calls().total()), (1, 1));
    assert_ne!(browser.token, first);
    let visit = visit_with(&turned, &browser);
    assert_eq!(visit.session().await.unwrap().principal().as_deref(), Some("ada"));
    assert_eq!(browser.take(&visit.commit().await).set_cookie(), None);
    assert_eq!(world.store.calls().total(), 2, "once is enough");
    // The old key has gone.
    let visit = visit_with(&manager(vec![&new]), &browser);
    assert_eq!(visit.session().await.unwrap().principal().as_deref(), Some("ada"));
    // And the token under it is nobody's.
    let visit = visit_with(&manager(vec![&new]), &Browser { token: first });
    assert_eq!(visit.session().await.unwrap().principal(), None);
}

#[tokio::test]
async fn detached_session_writes_but_never_rotates() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    let task = session.detached().await.unwrap();
    browser.take(&visit.commit().await);
    task.set("later", &1).unwrap();
    task.save().await.unwrap();
    assert_eq!(world.value(&mut browser, "later").await, Some(1));
    for refused in [task.rotate(), task.authenticate("eve")] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Detached);
    }
    // Its changes meet others' and both are kept.
    world.request(&mut browser, |s| s.set("page", &1)).await;
    task.set("again", &1).unwrap();
    task.save().await.unwrap();
    assert_eq!(world.request(&mut browser, |s| Ok(s.keys())).await.0, ["again", "later", "page"]);
    // A login of somebody else is not its session any more.
    world.request(&mut browser, |s| s.authenticate("eve")).await;
    task.set("late", &1).unwrap();
    assert_eq!(task.save().await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(session.detached().await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(world.request(&mut browser, |s| Ok(s.keys())).await.0, Vec::<String>::new());
}

#[tokio::test]
async fn detached_needs_a_stored_session_and_may_end_it() {
    let world = World::new();
    let mut browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    assert_eq!(session.detached().await.unwrap_err().kind(), ErrorKind::Detached);
    session.save().await.unwrap();
    let task = session.detached().await.unwrap();
    browser.take(&visit.commit().await);
    task.end().await.unwrap();
    assert!(world.model.dump().is_empty());
    task.save().await.unwrap();
    assert!(world.model.dump().is_empty());
}

#[test]
fn login_shows_nobody() {
    let login = Login::new("ada").with_fingerprint("hash").with_label("device", "laptop");
    assert!(!format!("{login:?}").contains("ada"));
    let _ = Clock::system();
}

#[tokio::test]
async fn rotating_twice_counts_once() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    world.store.reset_calls();
    world.request(&mut browser, |s| s.rotate().and_then(|()| s.rotate())).await;
    assert_eq!((world.store.calls().replaces, world.store.calls().total()), (1, 2));
    assert_ne!(browser.token, old.token);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    assert_eq!(world.principal(&mut old.clone()).await, None);
}

#[tokio::test]
async fn rotation_before_the_first_save_is_part_of_it() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1).and_then(|()| s.rotate())).await;
    assert_eq!((world.store.calls().creates, world.store.calls().total()), (1, 1));
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
}

#[tokio::test]
async fn saves_after_a_rotation_do_not_rotate_again() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    world.events();
    world.store.reset_calls();
    session.rotate().unwrap();
    session.save().await.unwrap();
    session.save().await.unwrap();
    session.set("a", &1).unwrap();
    session.save().await.unwrap();
    browser.take(&visit.commit().await);
    assert_eq!((world.store.calls().replaces, world.store.calls().total()), (2, 2));
    assert_eq!(world.events(), [SessionEventKind::Rotated]);
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
}

#[tokio::test]
async fn cleared_and_rotated_session_is_an_empty_one_under_another_token() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1).and_then(|()| s.flash("hello"))).await;
    let old = browser.clone();
    world.request(&mut browser, |s| s.clear().and_then(|()| s.rotate())).await;
    assert_ne!(browser.token, old.token);
    let look = |s: &cloakroom_core::Session| Ok((s.is_new(), s.keys(), s.take_flashes::<String>()?));
    assert_eq!(world.request(&mut browser, look).await.0, (false, vec![], vec![]));
    assert_eq!(world.request(&mut old.clone(), look).await.0, (true, vec![], vec![]));
    assert_eq!(world.model.dump().len(), 1);
}
