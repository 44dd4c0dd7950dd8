//! Sessions that outlive the browser's.

use std::time::Duration;

use cloakroom_core::{ErrorKind, Expiry, Renewal, Result, Session};

use crate::fleet::Fleet;
use crate::world::{Browser, Response, World};

const DAY: Duration = Duration::from_secs(24 * 3600);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
const MILLI: Duration = Duration::from_millis(1);

/// How many seconds the browser shall keep what it was sent; `None` for a cookie of the browser's session.
fn max_age(response: &Response) -> Option<u64> {
    let line = response.set_cookie().unwrap();
    let found = line.split("; ").find_map(|part| part.strip_prefix("Max-Age="))?;
    Some(found.parse().unwrap())
}

async fn sent(world: &World, browser: &mut Browser, handler: fn(&Session) -> Result<()>) -> Option<u64> {
    max_age(&world.request(browser, handler).await.1)
}

async fn remembered(world: &World) -> Browser {
    let mut browser = Browser::default();
    let both = |s: &Session| s.remember(MONTH).and_then(|()| s.authenticate("ada"));
    assert_eq!(sent(world, &mut browser, both).await, Some(MONTH.as_secs()), "in either order");
    browser
}

#[tokio::test]
async fn remembered_session_lives_for_its_time_used_or_not() {
    for (wait, alive) in [(MONTH - MILLI, true), (MONTH, false)] {
        let world = World::new();
        let mut browser = remembered(&world).await;
        world.clock.advance(wait);
        assert_eq!(world.principal(&mut browser).await.is_some(), alive, "unused, {wait:?}");

        let world = World::new();
        let mut browser = remembered(&world).await;
        for _ in 0..30 {
            world.clock.advance(wait / 30);
            let (_, response) = world.request(&mut browser, |_| Ok(())).await;
            assert_eq!(response.set_cookie(), None, "the browser knows for how long");
        }
        world.clock.advance(wait - wait / 30 * 30);
        assert_eq!(world.principal(&mut browser).await.is_some(), alive, "used each day, {wait:?}");
        assert_eq!(world.store.calls().touches, 0, "nothing to extend");
    }
}

#[tokio::test]
async fn cookie_of_a_remembered_session_is_persistent_whenever_it_is_sent() {
    let world = World::with(|builder| builder.with_renewal(Renewal::every(5 * DAY)));
    let mut browser = remembered(&world).await;
    let days = |n: u64| Some(n * DAY.as_secs());
    world.clock.advance(DAY);
    world.request(&mut browser, |s| s.set("a", &1)).await;
    assert_eq!(sent(&world, &mut browser, |s| s.rotate()).await, days(29));
    world.clock.advance(5 * DAY);
    let before = browser.clone();
    assert_eq!(sent(&world, &mut browser, |_| Ok(())).await, days(24), "renewed");
    world.clock.advance(DAY);
    // Its response was lost: the token is sent once more, with what is left by now.
    assert_eq!(sent(&world, &mut before.clone(), |_| Ok(())).await, days(23), "and again");
    assert_eq!(sent(&world, &mut before.clone(), |s| s.set("a", &2)).await, days(23), "with a write");
    world.request(&mut browser, |s| s.set("a", &3)).await;
    world.request(&mut browser, |s| s.clear()).await;
    assert_eq!(sent(&world, &mut browser, |s| s.authenticate("ada")).await, days(30), "a login begins anew");
    world.clock.advance(MONTH - MILLI);
    let left = sent(&world, &mut browser, |s| s.rotate()).await;
    assert!(left.is_some_and(|left| left <= 1), "{left:?}");
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn remembered_session_stays_so_under_another_key() {
    let fleet = Fleet::new(false);
    let mut browser = remembered(&fleet.world(&[1], |b| b)).await;
    let world = fleet.world(&[2, 1], |b| b);
    world.clock.advance(DAY);
    assert_eq!(sent(&world, &mut browser, |_| Ok(())).await, Some(29 * DAY.as_secs()));
    let world = fleet.world(&[2], |b| b);
    assert_eq!(sent(&world, &mut browser, |s| s.rotate()).await, Some(29 * DAY.as_secs()));
}

#[tokio::test]
async fn remembering_again_begins_again_and_may_shorten() {
    let world = World::new();
    let mut browser = remembered(&world).await;
    world.clock.advance(DAY);
    assert_eq!(sent(&world, &mut browser, |s| s.remember(MONTH)).await, Some(MONTH.as_secs()));
    assert_eq!(sent(&world, &mut browser, |s| s.remember(DAY)).await, Some(DAY.as_secs()));
    assert_eq!(sent(&world, &mut browser, |s| s.authenticate("ada")).await, Some(DAY.as_secs()));
    world.clock.advance(DAY - MILLI);
    assert!(world.principal(&mut browser).await.is_some());
    world.clock.advance(MILLI);
    assert!(world.principal(&mut browser).await.is_none());
}

#[tokio::test]
async fn nobody_else_is_remembered() {
    let half_an_hour = Duration::from_secs(1800);
    let world = World::new();
    let mut browser = remembered(&world).await;
    assert_eq!(sent(&world, &mut browser, |s| s.authenticate("eve")).await, None);
    assert_eq!(world.model.dump()[0].1.ttl, half_an_hour, "with the manager's limits");
    assert_eq!(sent(&world, &mut browser, |s| s.rotate()).await, None);
    assert_eq!(sent(&world, &mut browser, |s| s.authenticate("eve")).await, None);
    let after = |s: &Session| s.authenticate("bob").and_then(|()| s.remember(MONTH));
    assert_eq!(sent(&world, &mut browser, after).await, Some(MONTH.as_secs()));
    // Nor is the same person in another browser, or after a logout.
    world.logout(&mut browser).await;
    assert_eq!(sent(&world, &mut browser, |s| s.authenticate("bob")).await, None);
    assert_eq!(sent(&world, &mut Browser::default(), |s| s.authenticate("bob")).await, None);
}

#[tokio::test]
async fn remembered_beside_another_write_is_remembered() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    world.request(&mut browser.clone(), |s| s.set("a", &1)).await;
    session.remember(MONTH).unwrap();
    drop(session);
    assert_eq!(max_age(&browser.take(&visit.commit().await)), Some(MONTH.as_secs()));
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
    assert_eq!(world.model.dump()[0].1.ttl, MONTH);
}

#[tokio::test]
async fn visitor_without_values_is_not_remembered_and_gets_no_cookie() {
    let world = World::new();
    let mut browser = Browser::default();
    let (_, response) = world.request(&mut browser, |s| s.remember(MONTH)).await;
    assert_eq!((response.set_cookie(), world.model.dump().len()), (None, 0));
    assert_eq!(
        sent(&world, &mut browser, |s| s.remember(MONTH).and_then(|()| s.set("a", &1))).await,
        Some(MONTH.as_secs())
    );
    // Nobody knows who asked for it: the session may have been planted.
    assert_eq!(sent(&world, &mut browser, |s| s.authenticate("ada")).await, None, "a login forgets it");
    assert_eq!(world.model.dump()[0].1.ttl, Duration::from_secs(1800));
}

#[tokio::test]
async fn remembered_session_can_be_given_narrower_limits() {
    let world = World::new();
    let mut browser = remembered(&world).await;
    let hour = Duration::from_secs(3600);
    let narrow =
        |s: &Session| s.set_expiry(Expiry::new(Duration::from_secs(3600), Duration::from_secs(7200)));
    assert_eq!(sent(&world, &mut browser, narrow).await, Some(7200));
    assert_eq!(world.model.dump()[0].1.ttl, hour);
    for wrong in [Duration::ZERO, Duration::from_millis(999), Duration::MAX] {
        let look = |s: &Session| Ok(s.remember(wrong).unwrap_err().kind());
        assert_eq!(world.request(&mut browser, look).await.0, ErrorKind::Misconfigured);
    }
}
