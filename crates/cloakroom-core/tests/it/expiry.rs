//! When sessions end by themselves, and what keeps them alive.

use std::time::{Duration, UNIX_EPOCH};

use cloakroom_core::{EndReason, Expiry, RejectReason, SessionEventKind};
use proptest::prelude::*;

use crate::world::{Browser, World};

const MINUTE: Duration = Duration::from_secs(60);
const MILLI: Duration = Duration::from_millis(1);

#[tokio::test]
async fn idle_time_is_exact() {
    for (wait, alive) in [(30 * MINUTE - MILLI, true), (30 * MINUTE, false), (30 * MINUTE + MILLI, false)] {
        let world = World::new();
        let mut browser = world.logged_in("ada").await;
        world.clock.advance(wait);
        assert_eq!(world.principal(&mut browser).await.is_some(), alive, "{wait:?}");
    }
}

#[tokio::test]
async fn absolute_deadline_is_exact_and_uses_do_not_move_it() {
    for (last, alive) in [(MILLI, true), (Duration::ZERO, false)] {
        let world = World::with(|builder| builder.with_expiry(Expiry::new(30 * MINUTE, 60 * MINUTE)));
        let mut browser = world.logged_in("ada").await;
        for _ in 0..3 {
            world.clock.advance(15 * MINUTE);
            world.request(&mut browser, |s| s.update("n", |n: Option<u8>| n.unwrap_or(0) + 1)).await;
        }
        world.clock.advance(15 * MINUTE - last);
        assert_eq!(world.principal(&mut browser).await.is_some(), alive, "{last:?}");
    }
}

#[tokio::test]
async fn absolute_deadline_holds_over_a_store_that_forgets_nothing() {
    let world = World::with(|builder| builder.with_expiry(Expiry::new(30 * MINUTE, 60 * MINUTE)));
    let mut browser = world.logged_in("ada").await;
    let (key, mut record) = world.model.dump().remove(0);
    record.ttl = Duration::from_secs(1_000_000);
    world.model.plant(key, record);
    world.clock.advance(60 * MINUTE - MILLI);
    assert!(world.principal(&mut browser).await.is_some());
    world.clock.advance(MILLI);
    assert_eq!(world.principal(&mut browser).await, None);
    assert!(world.events().contains(&SessionEventKind::Ended(EndReason::Absolute)));
}

#[tokio::test]
async fn use_keeps_a_session_alive() {
    let world = World::with(|builder| builder.with_expiry(Expiry::new(20 * MINUTE, 600 * MINUTE)));
    let mut browser = world.logged_in("ada").await;
    for _ in 0..5 {
        world.clock.advance(10 * MINUTE);
        assert!(world.principal(&mut browser).await.is_some());
    }
}

#[tokio::test]
async fn nearer_limit_wins() {
    let world = World::with(|builder| builder.with_expiry(Expiry::new(30 * MINUTE, 40 * MINUTE)));
    let mut browser = world.logged_in("ada").await;
    assert_eq!(world.model.dump()[0].1.ttl, 30 * MINUTE);
    world.clock.advance(25 * MINUTE);
    world.request(&mut browser, |s| s.set("a", &1)).await;
    assert_eq!(world.model.dump()[0].1.ttl, 15 * MINUTE, "never past the absolute deadline");
    let (ends, _) = world.request(&mut browser, |s| Ok(s.expires_at())).await;
    assert_eq!(ends, UNIX_EPOCH + world.clock.wall() + 15 * MINUTE);
}

#[tokio::test]
async fn uses_within_the_touch_interval_write_nothing() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let payload = world.model.dump()[0].1.payload.clone();
    world.store.reset_calls();
    for _ in 0..6 {
        world.clock.advance(Duration::from_secs(10));
        let (_, response) = world.request(&mut browser, |_| Ok(())).await;
        assert_eq!(response.set_cookie(), None);
    }
    assert_eq!((world.store.calls().loads, world.store.calls().total()), (6, 6), "60 s have not passed");
    world.clock.advance(Duration::from_secs(10));
    world.request(&mut browser, |_| Ok(())).await;
    assert_eq!((world.store.calls().touches, world.store.calls().total()), (1, 8));
    let (_, record) = world.model.dump().remove(0);
    assert_eq!((record.ttl, record.payload), (30 * MINUTE, payload), "longer, and not rewritten");
}

#[tokio::test]
async fn touch_interval_can_be_chosen() {
    let expiry = Expiry::new(30 * MINUTE, 600 * MINUTE).with_touch_interval(Duration::ZERO);
    let world = World::with(|builder| builder.with_expiry(expiry));
    let mut browser = world.logged_in("ada").await;
    world.store.reset_calls();
    for _ in 0..3 {
        world.clock.advance(MILLI);
        world.request(&mut browser, |_| Ok(())).await;
    }
    assert_eq!(world.store.calls().touches, 3);
}

#[tokio::test]
async fn write_is_never_throttled() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.store.reset_calls();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    world.request(&mut browser, |s| s.set("a", &2)).await;
    assert_eq!(world.store.calls().replaces, 2);
}

#[tokio::test]
async fn remembered_session_sticks() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let month = Duration::from_secs(30 * 24 * 3600);
    let (_, response) = world.request(&mut browser, |s| s.remember(month)).await;
    assert!(response.set_cookie().unwrap().contains("Max-Age=2592000"), "{response:?}");
    assert_eq!(world.model.dump()[0].1.ttl, month);
    // Through writes, rotation and another login of the same principal.
    world.clock.advance(Duration::from_secs(24 * 3600));
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let (_, response) = world.request(&mut browser, |s| s.rotate()).await;
    assert!(response.set_cookie().unwrap().contains("Max-Age=2505600"), "{response:?}");
    let (_, response) = world.request(&mut browser, |s| s.authenticate("ada")).await;
    assert!(response.set_cookie().unwrap().contains("Max-Age=2592000"), "{response:?}");
    world.clock.advance(month - MILLI);
    assert!(world.principal(&mut browser).await.is_some());
    // But not to somebody else.
    let (_, response) = world.request(&mut browser, |s| s.authenticate("eve")).await;
    assert!(!response.set_cookie().unwrap().contains("Max-Age"), "{response:?}");
}

#[tokio::test]
async fn limits_of_one_session_can_be_changed() {
    let world = World::new();
    let (mut one, mut other) = (world.logged_in("ada").await, world.logged_in("bob").await);
    let short = Expiry::new(MINUTE, 10 * MINUTE);
    world.request(&mut one, |s| s.set_expiry(short)).await;
    world.clock.advance(MINUTE - MILLI);
    world.request(&mut one, |s| s.set("a", &1)).await;
    world.clock.advance(MINUTE);
    assert_eq!(world.principal(&mut one).await, None);
    assert!(world.principal(&mut other).await.is_some());
    let contradiction = Expiry::new(10 * MINUTE, MINUTE);
    world
        .request(&mut other, |s| {
            assert!(s.set_expiry(contradiction).is_err());
            Ok(())
        })
        .await;
    world
        .request(&mut other, |s| {
            assert!(s.remember(Duration::ZERO).is_err());
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn deadline_in_the_past_stores_nothing() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.clock.advance(20 * MINUTE);
    let before = world.model.dump();
    world.store.reset_calls();
    let past = Expiry::new(MINUTE, 20 * MINUTE);
    let (_, response) = world.request(&mut browser, |s| s.set_expiry(past)).await;
    assert_eq!((response.status, response.set_cookie()), (Some(409), None));
    assert_eq!((world.store.calls().loads, world.store.calls().total()), (1, 1));
    assert_eq!(world.model.dump(), before);
}

#[tokio::test]
async fn expired_id_is_never_adopted_again() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let old = browser.token.clone();
    world.clock.advance(31 * MINUTE);
    let (_, response) = world.request(&mut browser, |_| Ok(())).await;
    assert_eq!(response.set_cookie(), None);
    assert!(world.events().contains(&SessionEventKind::TokenRejected(RejectReason::Unknown)));
    world.request(&mut browser, |s| s.set("a", &1)).await;
    assert_ne!(browser.token, old);
    assert_eq!(world.principal(&mut Browser { token: old }).await, None);
}

#[tokio::test]
async fn clock_set_back_revives_nothing_and_kills_nothing() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    world.clock.set_back(Duration::from_secs(3600));
    assert!(world.principal(&mut browser).await.is_some());
    world.clock.advance(30 * MINUTE);
    assert_eq!(world.principal(&mut browser).await, None, "the store's own clock went on");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is done to a session, no record outlives its absolute deadline, and a use that finds it
    /// alive leaves it with what it may have at most, but for the touch interval.
    #[test]
    fn life_stays_within_its_limits(steps in prop::collection::vec((0u8..5, 1u64..1500), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::with(|builder| builder.with_expiry(Expiry::new(30 * MINUTE, 180 * MINUTE)));
            let mut browser = world.logged_in("ada").await;
            let end = world.clock.wall() + 180 * MINUTE;
            for (what, seconds) in steps {
                world.clock.advance(Duration::from_secs(seconds));
                let (alive, _) = world
                    .request(&mut browser, |s| {
                        if s.principal().is_some() {
                            match what {
                                0 => s.set("a", &seconds)?,
                                1 => s.rotate()?,
                                2 => s.remove("a")?,
                                _ => {}
                            }
                        }
                        Ok(s.principal().is_some())
                    })
                    .await;
                // A use that is not written, for the touch interval's sake, may cost the last minute.
                let (now, last_minute) = (world.clock.wall(), end - MINUTE);
                let as_promised = if alive { now < end } else { now >= last_minute };
                prop_assert!(as_promised);
                for (_, record) in world.model.dump() {
                    prop_assert!(world.clock.wall() + record.ttl <= end);
                    let most = (30 * MINUTE).min(end.saturating_sub(world.clock.wall()));
                    prop_assert!(record.ttl >= most.saturating_sub(MINUTE));
                }
            }
            Ok(())
        })?;
    }
}
