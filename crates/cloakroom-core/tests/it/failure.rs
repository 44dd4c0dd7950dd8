//! What happens when the store, the handler or a hook fails.

use std::time::Duration;

use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{
    Created, EndReason, ErrorKind, Freshness, Record, Renewal, SessionEvent, SessionEventKind, SessionEvents,
    Store, StoreErrorKind, StoreKey, Version,
};

use crate::world::{Browser, Response, World};

const DOWN: Failure = Failure::Before(StoreErrorKind::Unavailable);

#[tokio::test]
async fn outage_at_load_is_no_logout() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    for (kind, status) in [
        (StoreErrorKind::Unavailable, 503),
        (StoreErrorKind::Timeout, 503),
        (StoreErrorKind::Ambiguous, 503),
        (StoreErrorKind::Misconfigured, 503),
        (StoreErrorKind::Other, 503),
    ] {
        world.store.fail_always(Failure::Before(kind));
        let visit = world.visit(&browser);
        let error = visit.session().await.unwrap_err();
        assert_eq!(
            (error.status(), error.public_message()),
            (status, "session store unavailable"),
            "{kind:?}"
        );
        assert_eq!(visit.session().await.unwrap_err().kind(), error.kind(), "asked once");
        let response = browser.take(&visit.commit().await);
        assert_eq!((response.status, response.set_cookie()), (None, None));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        world.store.heal();
    }
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"), "the same cookie works again");
}

#[tokio::test]
async fn outage_does_not_reach_those_who_do_not_ask() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.store.fail_always(DOWN);
    assert!(world.visit(&browser).commit().await.is_untouched());
    let mut stranger = Browser::default();
    world.request(&mut stranger, |s| s.get::<i64>("a")).await;
    browser.token.as_mut().unwrap().push('x');
    world.request(&mut browser, |s| s.get::<i64>("a")).await;
}

#[tokio::test]
async fn outage_at_commit_takes_the_place_of_the_response() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let token = browser.token.clone();
    for verb in [Verb::Replace, Verb::Create, Verb::Delete] {
        world.store.fail_next(verb, DOWN);
        let mut stranger = Browser::default();
        let (_, response) = match verb {
            Verb::Replace => world.request(&mut browser, |s| s.set("a", &1).and_then(|()| s.rotate())).await,
            Verb::Create => world.request(&mut stranger, |s| s.set("a", &1)).await,
            _ => world.logout(&mut browser).await,
        };
        assert_eq!((response.status, response.set_cookie()), (Some(503), None), "{verb:?}");
    }
    assert_eq!(browser.token, token);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"), "nobody was told 'logged out'");
}

#[tokio::test]
async fn failed_upkeep_lets_the_response_pass() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.flash("hello")).await;
    world.clock.advance(Duration::from_secs(600));
    world.events();
    world.store.fail_next(Verb::Touch, DOWN);
    let (_, response) = world.request(&mut browser, |_| Ok(())).await;
    assert_eq!(response.status, None);
    assert_eq!(world.events(), [SessionEventKind::UpkeepFailed]);
    world.store.fail_next(Verb::Replace, DOWN);
    let (seen, response) = world.request(&mut browser, |s| s.take_flashes::<String>()).await;
    assert_eq!((seen.len(), response.status), (1, None));
    assert_eq!(world.events(), [SessionEventKind::UpkeepFailed]);
    let (seen, _) = world.request(&mut browser, |s| s.take_flashes::<String>()).await;
    assert_eq!(seen, ["hello"], "not stored, so seen once more");
}

#[tokio::test]
async fn failed_save_can_be_tried_again() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).unwrap();
    world.store.fail_next(Verb::Replace, DOWN);
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Unavailable);
    // All tries of this save reach the store and lose their reply.
    for _ in 0..3 {
        world.store.fail_next(Verb::Replace, Failure::After(StoreErrorKind::Ambiguous));
    }
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    session.save().await.unwrap();
    browser.take(&visit.commit().await);
    assert_eq!(world.value(&mut browser, "n").await, Some(1), "stored once");
}

#[tokio::test]
async fn token_of_a_saved_login_survives_an_outage_after_it() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    session.save().await.unwrap();
    session.set("a", &1).unwrap();
    world.store.fail_next(Verb::Replace, DOWN);
    let response = browser.take(&visit.commit().await);
    assert_eq!((response.status, response.header("cache-control")), (Some(503), Some("no-store")));
    assert!(response.set_cookie().is_some(), "the login was stored");
    assert!(browser.take(&visit.failed()).set_cookie().is_some(), "nor is it lost to a panic");
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"), "the login was stored");
}

/// A login is saved, and at the end of the request its secret is due for renewal.
async fn saved_login_with_upkeep_due(meanwhile: impl AsyncFnOnce(&World, &mut Browser)) -> Response {
    let world = World::with(|builder| builder.with_renewal(Renewal::every(Duration::from_secs(600))));
    let mut browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    session.save().await.unwrap();
    let mut told = Browser::default();
    told.take(&visit.failed());
    world.clock.advance(Duration::from_secs(700));
    meanwhile(&world, &mut told).await;
    browser.take(&visit.commit().await)
}

#[tokio::test]
async fn upkeep_that_fails_keeps_the_token_of_a_saved_login() {
    let response =
        saved_login_with_upkeep_due(async |world, _| world.store.fail_next(Verb::Replace, DOWN)).await;
    assert!(response.status.is_none() && response.set_cookie().is_some(), "{response:?}");
}

#[tokio::test]
async fn upkeep_that_meets_a_logout_sends_no_token_of_a_saved_login() {
    let response = saved_login_with_upkeep_due(async |world, told| {
        assert!(told.token.is_some());
        world.logout(told).await;
    })
    .await;
    assert_eq!((response.status, response.set_cookie()), (None, None));
}

#[tokio::test]
async fn logout_is_sent_again_only_where_its_reply_may_be_lost() {
    for (failure, calls) in [
        (DOWN, 1),
        (Failure::Before(StoreErrorKind::Misconfigured), 1),
        (Failure::After(StoreErrorKind::Timeout), 3),
        (Failure::After(StoreErrorKind::Ambiguous), 3),
    ] {
        let world = World::new();
        let mut browser = world.logged_in("ada").await;
        let visit = world.visit(&browser);
        visit.session().await.unwrap().logout();
        world.store.reset_calls();
        world.store.fail_always(failure);
        let response = browser.take(&visit.commit().await);
        assert_eq!((world.store.calls().deletes, response.status), (calls, Some(503)), "{failure:?}");
    }
}

#[tokio::test]
async fn logout_is_told_by_the_request_that_ended_the_session() {
    let ended = SessionEventKind::Ended(EndReason::Logout);
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    visit.session().await.unwrap().logout();
    world.logout(&mut browser.clone()).await;
    assert!(world.events().contains(&ended));
    browser.take(&visit.commit().await);
    assert!(!world.events().contains(&ended), "the other request told it");

    let mut browser = world.logged_in("ada").await;
    world.events();
    world.store.fail_next(Verb::Delete, Failure::After(StoreErrorKind::Timeout));
    world.logout(&mut browser).await;
    assert_eq!(world.events(), [ended], "the reply was lost, the logout was not");
}

#[tokio::test]
async fn full_store_is_told_to_the_client() {
    let world = World::new();
    let mut browser = Browser::default();
    world.store.fail_next(Verb::Create, Failure::Before(StoreErrorKind::Full));
    let (_, response) = world.request(&mut browser, |s| s.set("a", &1)).await;
    assert_eq!((response.status, response.set_cookie()), (Some(503), None));
}

#[tokio::test]
async fn record_that_cannot_be_opened_is_an_event_and_an_anonymous_request() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let other = world.logged_in("eve").await;
    let records = world.model.dump();
    let own = world.request(&mut browser, |s| Ok(s.handle().unwrap())).await.0;
    let (key, good) = records.iter().find(|(key, _)| key.public_handle() == own).unwrap().clone();
    let (_, foreign) = records.iter().find(|(key, _)| key.public_handle() != own).unwrap().clone();
    let mut flipped = good.payload.clone();
    flipped[40] ^= 1;
    for payload in [flipped, foreign.payload, b"garbage".to_vec(), vec![0; 200]] {
        let planted = Record::new(payload.clone(), Version::random().unwrap(), good.ttl);
        world.model.plant(key, planted);
        world.events();
        let (seen, response) = world.request(&mut browser.clone(), |s| Ok((s.principal(), s.is_new()))).await;
        assert_eq!((seen, response.set_cookie()), ((None, true), None));
        assert!(world.events().contains(&SessionEventKind::Unopenable));
        // A write begins a session elsewhere, and leaves the evidence alone.
        world.request(&mut browser.clone(), |s| s.set("a", &1)).await;
        let there = world.model.load(&key, Freshness::Latest).await.unwrap().unwrap();
        assert_eq!(there.payload, payload);
    }
    world.store.fail_next(Verb::Load, Failure::Before(StoreErrorKind::Corrupt));
    assert_eq!(world.principal(&mut browser.clone()).await, None);
    world.model.plant(key, good);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    assert_eq!(world.principal(&mut other.clone()).await.as_deref(), Some("eve"));
}

#[tokio::test]
async fn tombstone_reads_as_absent() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let (key, record) = world.model.dump().remove(0);
    world.model.plant(key, Record::new(Vec::new(), Version::random().unwrap(), record.ttl));
    world.events();
    assert_eq!(world.principal(&mut browser.clone()).await, None);
    assert!(!world.events().contains(&SessionEventKind::Unopenable));
}

#[tokio::test]
async fn occupied_key_is_left_alone_and_another_is_drawn() {
    let world = World::new();
    let occupied = StoreKey::from_bytes([9; 32]);
    let record = Record::new(b"somebody".to_vec(), Version::random().unwrap(), Duration::from_secs(60));
    assert_eq!(world.store.create(&occupied, &record).await.unwrap(), Created::Created);
    let crowded = crate::cancellation::Crowded::new(std::sync::Arc::clone(&world.model), 2);
    let sessions = cloakroom_core::SessionManager::new(crowded.clone(), cloakroom_core::KeyRing::generate());
    let visit = sessions.visit([]);
    visit.session().await.unwrap().set("a", &1).unwrap();
    assert!(visit.commit().await.refusal().is_none());
    assert_eq!(crowded.keys_tried(), 3, "three different keys");
    crowded.crowd(u32::MAX);
    let visit = sessions.visit([]);
    visit.session().await.unwrap().set("a", &1).unwrap();
    assert_eq!(visit.commit().await.refusal().unwrap().status(), 500, "not for ever");
    assert_eq!(crowded.keys_tried(), 6);
}

struct PanickingHook;

impl SessionEvents for PanickingHook {
    fn on_event(&self, _: &SessionEvent) {
        panic!("a hook");
    }
}

#[tokio::test]
async fn panicking_hook_changes_nothing() {
    let world = World::with(|builder| builder.with_events(PanickingHook));
    let mut browser = world.logged_in("ada").await;
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    world.logout(&mut browser).await;
    assert!(world.model.dump().is_empty());
}

#[tokio::test]
async fn panicking_handler_stores_nothing() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    let handler = tokio::spawn(async move {
        session.set("marker", &1).unwrap();
        panic!("a handler");
    });
    assert!(handler.await.unwrap_err().is_panic());
    let response = browser.take(&visit.commit().await);
    assert_eq!((response.status, response.set_cookie()), (None, None));
    assert_eq!(world.value(&mut browser, "marker").await, None);
    assert!(world.events().contains(&SessionEventKind::HandlerPanicked));
}

#[tokio::test]
async fn response_of_a_login_that_panicked_is_kept_by_nobody() {
    let world = World::new();
    let visit = world.visit(&Browser::default());
    let session = visit.session().await.unwrap();
    let handler = tokio::spawn(async move {
        session.authenticate("ada").unwrap();
        panic!("a handler");
    });
    assert!(handler.await.unwrap_err().is_panic());
    let response = Browser::default().take(&visit.commit().await);
    assert_eq!((response.set_cookie(), response.header("cache-control")), (None, Some("no-store")));
}
