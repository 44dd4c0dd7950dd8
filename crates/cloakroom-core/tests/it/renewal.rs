//! Secrets that are renewed while nobody asks.

use std::time::Duration;

use cloakroom_core::{
    EndReason, OnReuse, RejectReason, Renewal, Reply, Session, SessionEventKind, SessionManagerBuilder, Visit,
};

use crate::fleet::Fleet;
use crate::world::{Browser, World};

const PERIOD: Duration = Duration::from_secs(600);
const GRACE: Duration = Duration::from_secs(10);

fn renewing() -> World {
    World::with(|builder| builder.with_renewal(Renewal::every(PERIOD).with_grace(GRACE)))
}

#[tokio::test]
async fn secret_is_renewed_after_its_period() {
    let world = renewing();
    let mut browser = world.logged_in("ada").await;
    world.clock.advance(PERIOD - Duration::from_millis(1));
    let (_, response) = world.request(&mut browser, |_| Ok(())).await;
    assert_eq!(response.set_cookie(), None);
    world.clock.advance(Duration::from_millis(1));
    let before = browser.token.clone();
    let (_, response) = world.request(&mut browser, |_| Ok(())).await;
    assert!(response.set_cookie().is_some());
    assert_ne!(browser.token, before);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    assert!(world.events().contains(&SessionEventKind::Renewed));
}

#[tokio::test]
async fn parallel_renewals_agree() {
    let world = renewing();
    let mut browser = world.logged_in("ada").await;
    world.clock.advance(PERIOD);
    let (one, two) = (world.visit(&browser), world.visit(&browser));
    one.session().await.unwrap().set("one", &1).unwrap();
    two.session().await.unwrap().set("two", &2).unwrap();
    let (mut first, mut second) = (browser.clone(), browser.clone());
    first.take(&one.commit().await);
    second.take(&two.commit().await);
    assert_ne!(first.token, browser.token);
    assert_eq!(first.token, second.token);
    browser = second;
    assert_eq!(world.request(&mut browser, |s| Ok(s.keys())).await.0, ["one", "two"]);
}

#[tokio::test]
async fn lost_renewal_heals() {
    let world = renewing();
    let mut browser = world.logged_in("ada").await;
    world.clock.advance(PERIOD);
    let mut lost = browser.clone();
    world.request(&mut lost, |_| Ok(())).await;
    // The response was lost: much later the old secret is still good, and the same new one comes again.
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(1000));
        let mut again = browser.clone();
        let (seen, _) = world.request(&mut again, |s| Ok(s.principal())).await;
        assert_eq!((seen.as_deref(), &again.token), (Some("ada"), &lost.token));
    }
    browser = lost;
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn grace_begins_when_the_new_secret_comes_back() {
    let world = renewing();
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    world.clock.advance(PERIOD);
    world.request(&mut browser, |_| Ok(())).await;
    world.clock.advance(Duration::from_secs(300));
    world.request(&mut browser, |_| Ok(())).await;
    world.clock.advance(GRACE - Duration::from_millis(1));
    assert_eq!(world.principal(&mut old.clone()).await.as_deref(), Some("ada"));
    world.clock.advance(Duration::from_millis(1));
    world.events();
    assert_eq!(world.principal(&mut old.clone()).await, None);
    let events = world.events();
    assert!(events.contains(&SessionEventKind::TokenRejected(RejectReason::Reused)));
    assert!(events.contains(&SessionEventKind::Ended(EndReason::TokenReuse)));
    assert_eq!(world.principal(&mut browser).await, None, "nobody can tell the thief from the owner");
}

/// Whatever else a request stores: whoever has not heard of the new secret does not start the time of the old one.
#[tokio::test]
async fn grace_does_not_begin_with_a_second_write_of_the_same_request() {
    let world = renewing();
    let browser = world.logged_in("ada").await;
    world.clock.advance(PERIOD);
    // The first of these requests renews, the second one comes with the old secret; both responses are lost.
    for key in ["a", "b"] {
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.set(key, &1).unwrap();
        session.save().await.unwrap();
        session.set(key, &2).unwrap();
        session.save().await.unwrap();
        session.set("end", &key).unwrap();
        drop(session);
        assert!(browser.clone().take(&visit.commit().await).set_cookie().is_some(), "{key}");
        world.clock.advance(GRACE * 2);
        assert_eq!(world.principal(&mut browser.clone()).await.as_deref(), Some("ada"), "{key}");
    }
}

/// A rotation leaves nothing of the renewal whose response was lost: its secret is like any other.
#[tokio::test]
async fn rotated_secret_is_renewed_in_its_time() {
    let world = renewing();
    let browser = world.logged_in("ada").await;
    world.clock.advance(PERIOD);
    world.request(&mut browser.clone(), |_| Ok(())).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.rotate().unwrap();
    session.save().await.unwrap();
    world.events();
    world.clock.advance(PERIOD);
    session.set("a", &1).unwrap();
    session.save().await.unwrap();
    assert!(world.events().contains(&SessionEventKind::Renewed));
    drop(session);
    let mut browser = browser;
    browser.take(&visit.commit().await);
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
}

#[tokio::test]
async fn secret_is_not_renewed_while_its_predecessor_is_good() {
    let world = renewing();
    let mut browser = world.logged_in("ada").await;
    world.clock.advance(PERIOD);
    assert!(world.request(&mut browser, |s| Ok(s.len())).await.1.set_cookie().is_some());
    // The new secret comes back late, so that the grace of the old one outlasts the period.
    world.clock.advance(PERIOD - GRACE / 2);
    assert_eq!(world.request(&mut browser, |s| Ok(s.len())).await.1.set_cookie(), None);
    world.clock.advance(GRACE - Duration::from_millis(1));
    assert_eq!(world.request(&mut browser, |s| Ok(s.len())).await.1.set_cookie(), None, "two were good");
    world.clock.advance(GRACE);
    assert_eq!(world.request(&mut browser, |s| Ok(s.len())).await.1.set_cookie(), None, "one is under way");
    world.clock.advance(Duration::from_millis(1));
    assert!(world.request(&mut browser, |s| Ok(s.len())).await.1.set_cookie().is_some(), "it is time");
}

#[tokio::test]
async fn reuse_may_be_reported_only() {
    let world = World::with(|builder| {
        builder.with_renewal(Renewal::every(PERIOD).with_grace(GRACE)).with_on_reuse(OnReuse::Report)
    });
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    world.clock.advance(PERIOD);
    world.request(&mut browser, |_| Ok(())).await;
    world.request(&mut browser, |_| Ok(())).await;
    world.clock.advance(GRACE);
    assert_eq!(world.principal(&mut old.clone()).await, None);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn merely_stale_token_never_ends_anything() {
    let world = renewing();
    let mut browser = world.logged_in("ada").await;
    let oldest = browser.clone();
    for _ in 0..3 {
        world.clock.advance(PERIOD);
        world.request(&mut browser, |_| Ok(())).await;
        world.request(&mut browser, |_| Ok(())).await;
        world.clock.advance(GRACE);
    }
    world.events();
    assert_eq!(world.principal(&mut oldest.clone()).await, None);
    assert_eq!(world.events(), [SessionEventKind::TokenRejected(RejectReason::Stale)]);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn grace_begins_with_the_end_of_the_request_that_brought_the_new_secret() {
    let world = renewing();
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    world.clock.advance(PERIOD);
    world.request(&mut browser, |_| Ok(())).await;
    let visit = world.visit(&browser);
    visit.session().await.unwrap();
    world.clock.advance(GRACE * 2);
    assert_eq!(world.principal(&mut old.clone()).await.as_deref(), Some("ada"));
    let _ = visit.commit().await;
    world.clock.advance(GRACE - Duration::from_millis(1));
    assert_eq!(world.principal(&mut old.clone()).await.as_deref(), Some("ada"));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.principal(&mut old.clone()).await, None);
}

#[tokio::test]
async fn renewal_costs_one_replace() {
    let world = renewing();
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    // Reading: the renewal, the beginning of the grace, nothing.
    world.clock.advance(PERIOD);
    for replaces in [1, 1, 0] {
        assert_eq!(costs(&world, &mut browser, false).await, (1, replaces, 0));
    }
    // To be told the newest secret is a touch, which finds the session as it was loaded.
    assert_eq!(costs(&world, &mut old.clone(), false).await, (1, 0, 1));
    // Writing: nothing more than the write.
    world.clock.advance(PERIOD);
    for _ in 0..3 {
        assert_eq!(costs(&world, &mut browser, true).await, (1, 1, 0));
    }
    let renewals = world.events().into_iter().filter(|kind| *kind == SessionEventKind::Renewed);
    assert_eq!(renewals.count(), 2);
}

/// Loads, replaces and touches of a request, which makes no other calls.
async fn costs(world: &World, browser: &mut Browser, write: bool) -> (u64, u64, u64) {
    world.store.reset_calls();
    let update = |s: &Session| s.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).map(drop);
    world.request(browser, |s| if write { update(s) } else { Ok(()) }).await;
    let calls = world.store.calls();
    assert_eq!(calls.total(), calls.loads + calls.replaces + calls.touches);
    (calls.loads, calls.replaces, calls.touches)
}

#[tokio::test]
async fn renewals_of_two_instances_agree() {
    let fleet = Fleet::new(false);
    let policy = |b: SessionManagerBuilder| b.with_renewal(Renewal::every(PERIOD).with_grace(GRACE));
    let (one, two) = (fleet.world(&[1, 2], policy), fleet.world(&[2, 1], policy));
    for write in [false, true] {
        let browser = one.logged_in("ada").await;
        one.clock.advance(PERIOD);
        let visits = [one.visit(&browser), two.visit(&browser), one.visit(&browser)];
        for (n, visit) in visits.iter().enumerate() {
            let session = visit.session().await.unwrap();
            if write {
                session.set(format!("{n}"), &n).unwrap();
            }
        }
        let replies = futures_util::future::join_all(visits.iter().map(Visit::commit)).await;
        let mut told: Vec<Browser> = replies.iter().map(told).collect();
        told.retain(|browser| browser.token.is_some());
        assert!(if write { told.len() == 3 } else { !told.is_empty() });
        let events = [one.events(), two.events()].concat();
        assert_eq!(events.iter().filter(|kind| **kind == SessionEventKind::Renewed).count(), 1);
        // The tokens of two instances differ, the secret in them does not.
        for _ in 0..2 {
            for browser in &told {
                assert_eq!(two.principal(&mut browser.clone()).await.as_deref(), Some("ada"));
            }
            two.clock.advance(GRACE);
        }
    }
}

/// What a response tells.
fn told(reply: &Reply) -> Browser {
    let mut browser = Browser::default();
    browser.take(reply);
    browser
}

/// Whoever has an old secret can have been let in with it, and hold his request back for as long as he likes.
#[tokio::test]
async fn parked_request_is_told_no_newer_secret_after_the_grace() {
    for (renewed_before, saves, again) in [
        (false, false, false),
        (false, false, true),
        (true, false, false),
        (true, false, true),
        (true, true, true),
    ] {
        let world = renewing();
        let mut browser = world.logged_in("ada").await;
        let old = browser.clone();
        world.clock.advance(PERIOD);
        let parked = world.visit(&old);
        if !renewed_before {
            parked.session().await.unwrap();
        }
        world.request(&mut browser, |_| Ok(())).await;
        let session = parked.session().await.unwrap();
        if saves {
            session.set("a", &1).unwrap();
            session.save().await.unwrap();
        }
        world.request(&mut browser, |_| Ok(())).await;
        world.clock.advance(if again { PERIOD } else { GRACE });
        world.request(&mut browser, |_| Ok(())).await;
        session.set("a", &2).unwrap();
        drop(session);
        let reply = parked.commit().await;
        assert_eq!((reply.refusal().is_none(), told(&reply).token), (true, None), "{saves} {again}");
        assert_eq!(world.value(&mut browser, "a").await, Some(2), "it was let in in time");
    }
}

/// A response that was decided long ago must not put an older secret in the place of a newer one.
#[tokio::test]
async fn saved_renewal_is_not_told_long_after() {
    for (waits, is_told) in [(GRACE - Duration::from_millis(1), true), (GRACE, false), (PERIOD, false)] {
        let world = renewing();
        let mut browser = world.logged_in("ada").await;
        world.clock.advance(PERIOD);
        let visit = world.visit(&browser);
        visit.session().await.unwrap().save().await.unwrap();
        // Meanwhile other requests go on, in the end to the next one.
        for _ in 0..2 {
            world.request(&mut browser, |_| Ok(())).await;
        }
        world.clock.advance(waits);
        world.request(&mut browser, |_| Ok(())).await;
        assert_eq!(told(&visit.commit().await).token.is_some(), is_told, "after {waits:?}");
    }
}

#[tokio::test]
async fn newest_secret_is_not_told_again_shortly_before_the_next() {
    const MILLI: Duration = Duration::from_millis(1);
    for (before, is_told) in [(GRACE, true), (GRACE - MILLI, false), (MILLI, false), (Duration::ZERO, true)] {
        let fleet = Fleet::new(false);
        let policy = |b: SessionManagerBuilder| b.with_renewal(Renewal::every(PERIOD).with_grace(GRACE));
        let (one, two) = (fleet.world(&[1, 2], policy), fleet.world(&[2, 1], policy));
        let mut browser = one.logged_in("ada").await;
        one.clock.advance(PERIOD - before);
        let mut remembering = browser.clone();
        assert_eq!(two.request(&mut browser, |_| Ok(())).await.1.set_cookie().is_some(), is_told);
        let day = Duration::from_secs(86_400);
        let (_, response) = one.request(&mut remembering, |s| s.remember(day)).await;
        assert_eq!(response.set_cookie().is_some(), is_told);
        // What it would have said comes with the next one.
        one.clock.advance(before);
        let (_, response) = one.request(&mut remembering, |_| Ok(())).await;
        assert!(is_told || response.set_cookie().is_some_and(|line| line.contains("Max-Age=86")));
    }
}

#[tokio::test]
async fn thief_who_renews_first_is_found_out_when_the_owner_comes_back() {
    for (policy, owner_waits, renewals) in [
        (OnReuse::End, Duration::ZERO, 1),
        (OnReuse::End, GRACE - Duration::from_millis(1), 1),
        (OnReuse::End, GRACE, 1),
        (OnReuse::Report, GRACE, 1),
        (OnReuse::End, GRACE, 2),
    ] {
        let world = World::with(|builder| {
            builder.with_renewal(Renewal::every(PERIOD).with_grace(GRACE)).with_on_reuse(policy)
        });
        let owner = world.logged_in("ada").await;
        let mut thief = owner.clone();
        for _ in 0..renewals {
            world.clock.advance(PERIOD);
            world.request(&mut thief, |_| Ok(())).await;
            // As long as the new secret was not used, the owner is told it as well.
            let mut soon = owner.clone();
            let seen = world.principal(&mut soon).await;
            assert_eq!(
                (seen.is_some(), soon.token == thief.token),
                (renewals == 1 || seen.is_some(), seen.is_some())
            );
            world.request(&mut thief, |_| Ok(())).await;
        }
        world.clock.advance(owner_waits);
        world.events();
        let mut late = owner.clone();
        let owner_sees = world.principal(&mut late).await.is_some();
        let (events, thief_sees) = (world.events(), world.principal(&mut thief).await.is_some());
        let ended = events.contains(&SessionEventKind::Ended(EndReason::TokenReuse));
        let reused = events.contains(&SessionEventKind::TokenRejected(RejectReason::Reused));
        let expected = match (policy, owner_waits < GRACE, renewals) {
            // Both have the newest: the next renewal parts them.
            (_, true, _) => (true, true, false, false),
            (OnReuse::End, _, 1) => (false, false, true, true),
            // Who came second is logged out, be it the owner.
            (OnReuse::Report, _, 1) => (false, true, true, false),
            // Only the last secret but one is known.
            _ => (false, true, false, false),
        };
        assert_eq!((owner_sees, thief_sees, reused, ended), expected);
        assert_eq!(late.token == thief.token, owner_sees);
    }
}

/// Otherwise a thief who writes all the time would keep his old secret for as long as he likes.
#[tokio::test]
async fn grace_begins_although_another_write_came_between() {
    let world = renewing();
    let mut browser = world.logged_in("ada").await;
    let old = browser.clone();
    world.clock.advance(PERIOD);
    world.request(&mut browser, |_| Ok(())).await;
    let visit = world.visit(&browser);
    visit.session().await.unwrap();
    world.request(&mut old.clone(), |s| s.set("a", &1)).await;
    assert_eq!(told(&visit.commit().await).token, None);
    world.clock.advance(GRACE);
    assert_eq!(world.principal(&mut old.clone()).await, None);
}
