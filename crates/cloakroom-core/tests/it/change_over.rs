//! Tokens, keys and limits that change while a request is under way.

use std::time::Duration;

use cloakroom_core::{EndReason, ErrorKind, Expiry, OnEnded, Renewal, SessionEventKind};

use crate::fleet::Fleet;
use crate::world::{Browser, World};

#[tokio::test]
async fn save_that_met_a_login_sends_no_token() {
    let fleet = Fleet::new(false);
    let mut browser = fleet.world(&[1], |b| b).logged_in("ada").await;
    let world = fleet.world(&[2, 1], |b| b);
    let page = browser.clone();
    let visit = world.visit(&page);
    let session = visit.session().await.unwrap();
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    session.set("a", &1).unwrap();
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Ended);
    let response = browser.take(&visit.commit().await);
    assert_eq!((response.status, response.set_cookie()), (None, None), "overwrites the login's cookie");
}

#[tokio::test]
async fn response_that_passes_a_login_sends_no_token() {
    let fleet = Fleet::new(false);
    let mut browser = fleet.world(&[1], |b| b).logged_in("ada").await;
    let world = fleet.world(&[2, 1], |b| b.with_on_ended(OnEnded::Pass));
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    session.set("a", &1).unwrap();
    let response = browser.take(&visit.commit().await);
    assert_eq!((response.status, response.set_cookie()), (None, None));
}

#[tokio::test]
async fn upkeep_that_met_a_login_sends_no_token() {
    let fleet = Fleet::new(false);
    let mut browser = fleet.world(&[1], |b| b).logged_in("ada").await;
    let world = fleet.world(&[2, 1], |b| b);
    world.request(&mut browser.clone(), |s| s.flash("x")).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    session.take_flashes::<String>().unwrap();
    let response = browser.take(&visit.commit().await);
    assert_eq!((response.status, response.set_cookie()), (None, None));
}

#[tokio::test]
async fn token_and_record_are_each_brought_under_the_new_key() {
    let fleet = Fleet::new(false);
    let (before, after) = (fleet.world(&[1, 2], |b| b), fleet.world(&[2, 1], |b| b));
    let mut browser = before.logged_in("ada").await;
    let mut late = browser.clone();
    assert!(after.request(&mut browser, |s| Ok(s.len())).await.1.set_cookie().is_some());
    // The record is under the new key by now, this copy of the token is not.
    assert!(after.request(&mut late, |s| Ok(s.len())).await.1.set_cookie().is_some());

    let new = browser.token.clone();
    before.request(&mut browser.clone(), |s| s.set("a", &1)).await;
    // Now the record is under the old key, and the token is not.
    browser.token = new;
    after.store.reset_calls();
    after.request(&mut browser, |s| Ok(s.len())).await;
    assert_eq!(after.store.calls().replaces, 1);
    after.request(&mut browser, |s| Ok(s.len())).await;
    assert_eq!(after.store.calls().replaces, 1, "once");
}

#[tokio::test]
async fn reader_under_an_old_key_does_not_overwrite_a_login() {
    let fleet = Fleet::new(false);
    let mut browser = fleet.world(&[1], |b| b).logged_in("ada").await;
    let world = fleet.world(&[2, 1], |b| b);
    let visit = world.visit(&browser);
    let _session = visit.session().await.unwrap();
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    browser.take(&visit.commit().await);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"), "logged out by a page request");
}

#[tokio::test]
async fn slow_reader_under_an_old_key_beside_a_renewal_is_no_reuse() {
    let fleet = Fleet::new(false);
    let renewal = Renewal::every(Duration::from_secs(600));
    let mut browser = fleet.world(&[1], |b| b.with_renewal(renewal)).logged_in("ada").await;
    let world = fleet.world(&[2, 1], |b| b.with_renewal(renewal));
    world.clock.advance(Duration::from_secs(600));
    let slow = world.visit(&browser);
    let _session = slow.session().await.unwrap();
    world.request(&mut browser, |_| Ok(())).await; // renews
    world.request(&mut browser, |_| Ok(())).await; // presents the new one
    browser.take(&{
        let v = slow;
        v.commit().await
    });
    world.clock.advance(Duration::from_secs(31));
    world.events();
    let who = world.principal(&mut browser).await;
    assert_eq!(who.as_deref(), Some("ada"), "{:?}", world.events());
}

#[tokio::test]
async fn writer_with_a_predecessor_does_not_overwrite_a_login() {
    let world = World::with(|b| b.with_renewal(Renewal::every(Duration::from_secs(600))));
    let mut browser = world.logged_in("ada").await;
    world.clock.advance(Duration::from_secs(600));
    let slow = world.visit(&browser);
    world.request(&mut browser.clone(), |_| Ok(())).await; // renews
    let session = slow.session().await.unwrap(); // predecessor
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    session.set("a", &1).unwrap();
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Ended);
    let response = browser.take(&slow.commit().await);
    assert_eq!(response.set_cookie(), None);
}

#[tokio::test]
async fn parked_writer_with_a_predecessor_hands_out_the_newest_secret() {
    const PERIOD: Duration = Duration::from_secs(60);
    const GRACE: Duration = Duration::from_secs(10);
    let world = World::with(|b| b.with_renewal(Renewal::every(PERIOD).with_grace(GRACE)));
    let mut browser = world.logged_in("ada").await;
    world.clock.advance(PERIOD);
    let first = browser.clone();
    world.request(&mut browser, |_| Ok(())).await; // S1
    let parked = world.visit(&first);
    let session = parked.session().await.unwrap(); // came with S0, a predecessor
    world.request(&mut browser, |_| Ok(())).await; // presents S1
    world.clock.advance(PERIOD);
    world.request(&mut browser, |_| Ok(())).await; // S2
    world.request(&mut browser, |_| Ok(())).await; // presents S2
    let newest = browser.token.clone();
    session.set("a", &1).unwrap();
    drop(session);
    let response = browser.take(&parked.commit().await);
    assert_eq!(response.status, None);
    assert_eq!(browser.token, newest, "an older secret was handed out");
    world.clock.advance(GRACE);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn index_follows_the_key_ring() {
    let fleet = Fleet::new(true);
    let mut browser = fleet.world(&[1], |b| b).logged_in("ada").await;
    let turned = fleet.world(&[2, 1], |b| b);
    turned.request(&mut browser, |s| s.set("a", &1)).await; // re-issued and re-sealed under 2
    assert_eq!(turned.sessions.sessions_of("ada").await.unwrap().len(), 1);
    let dropped = fleet.world(&[2], |b| b);
    assert_eq!(dropped.principal(&mut browser).await.as_deref(), Some("ada"), "alive");
    let _ = dropped.sessions.revoke_all("ada").await.unwrap();
    assert_eq!(dropped.principal(&mut browser).await, None, "all of ada's sessions were revoked");
}

#[tokio::test]
async fn index_is_told_of_a_principal_and_of_a_longer_life_only() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    assert_eq!(fleet.entries(), (0, 0), "nobody is logged in");
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    assert_eq!(fleet.entries(), (1, 1));
    world.request(&mut browser, |s| s.set("a", &2)).await;
    world.request(&mut browser, |s| s.set_expiry(Expiry::new(minute, hour))).await;
    assert_eq!(fleet.entries(), (1, 1), "it is known, and for longer");
    world.request(&mut browser, |s| s.set_expiry(Expiry::new(minute, 2 * hour))).await;
    assert_eq!(fleet.entries(), (2, 1), "it lives longer");
    world.request(&mut browser, |s| s.authenticate("eve")).await;
    assert_eq!(fleet.entries(), (3, 1), "it is somebody else's");
}

#[tokio::test]
async fn predecessor_does_not_outlive_renewals_that_were_turned_off() {
    let fleet = Fleet::new(false);
    let with = fleet.world(&[1], |b| b.with_renewal(Renewal::every(Duration::from_secs(600))));
    let mut browser = with.logged_in("ada").await;
    let old = browser.clone();
    with.clock.advance(Duration::from_secs(600));
    with.request(&mut browser, |_| Ok(())).await;
    let without = fleet.world(&[1], |b| b);
    without.request(&mut browser, |_| Ok(())).await;
    without.clock.advance(Duration::from_secs(1000));
    assert_eq!(without.principal(&mut old.clone()).await, None);
}

#[tokio::test]
async fn detached_save_keeps_a_session_alive() {
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let task = visit.session().await.unwrap().detached().await.unwrap();
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(600));
        task.save().await.unwrap();
    }
    assert_eq!(world.model.dump().len(), 1);
}

#[tokio::test]
async fn session_in_use_does_not_end_under_its_own_limits() {
    let expiry = Expiry::new(Duration::from_secs(1800), Duration::from_secs(36000))
        .with_touch_interval(Duration::from_secs(300));
    let world = World::with(|b| b.with_expiry(expiry));
    let mut browser = world.logged_in("ada").await;
    let limits = Expiry::new(Duration::from_secs(240), Duration::from_secs(36000));
    world.request(&mut browser, |s| s.set_expiry(limits)).await;
    for minute in 0..10 {
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"), "minute {minute}");
    }
}

#[tokio::test]
async fn limits_that_are_over_are_refused_without_an_event() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.clock.advance(Duration::from_secs(600));
    let limits = Expiry::new(Duration::from_secs(60), Duration::from_secs(300));
    let (_, response) = world.request(&mut browser, |s| s.set_expiry(limits)).await;
    let events = world.events();
    let alive = world.principal(&mut browser).await;
    assert!(
        !(events.contains(&SessionEventKind::Ended(EndReason::Absolute)) && alive.is_some()),
        "told {:?} and {events:?}, yet it lives on",
        response.status
    );
}
