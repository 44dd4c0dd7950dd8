//! What the application hears of its sessions.

use cloakroom_core::{EndReason, ErrorKind, RejectReason, SessionEventKind};

use crate::world::{Browser, World};

#[tokio::test]
async fn life_is_told_in_events_each_once() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.get::<i64>("a")).await;
    assert_eq!(world.events(), [], "nobody there");
    world.request(&mut browser, |s| s.set("a", &1)).await;
    assert_eq!(world.events(), [SessionEventKind::Created]);
    world.request(&mut browser, |s| s.set("a", &2)).await;
    world.request(&mut browser, |_| Ok(())).await;
    assert_eq!(world.events(), [], "an update is no birth, and a look is nothing");
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    assert_eq!(world.events(), [SessionEventKind::Authenticated]);
    world.request(&mut browser, |s| s.rotate()).await;
    assert_eq!(world.events(), [SessionEventKind::Rotated], "neither an end nor a birth");
    let old = browser.clone();
    world.logout(&mut browser).await;
    assert_eq!(world.events(), [SessionEventKind::Ended(EndReason::Logout)]);
    world.request(&mut old.clone(), |_| Ok(())).await;
    assert_eq!(world.events(), [SessionEventKind::TokenRejected(RejectReason::Unknown)]);
}

#[tokio::test]
async fn login_in_the_first_request_is_a_birth_and_a_login() {
    let world = World::new();
    world.logged_in("ada").await;
    assert_eq!(world.events(), [SessionEventKind::Created, SessionEventKind::Authenticated]);
}

#[tokio::test]
async fn listing_needs_an_index() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let session = world.visit(&browser).session().await.unwrap();
    let handle = session.handle().unwrap();
    for error in [
        world.sessions.sessions_of("ada").await.map(drop).unwrap_err(),
        world.sessions.revoke("ada", &handle).await.map(drop).unwrap_err(),
        world.sessions.revoke_others(&session).await.map(drop).unwrap_err(),
        world.sessions.revoke_all("ada").await.map(drop).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unsupported, 501));
    }
    assert_eq!(world.model.dump().len(), 1);
}
