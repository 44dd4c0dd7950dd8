//! Secrets that are renewed while nobody asks.

use std::time::Duration;

use cloakroom_core::{EndReason, OnReuse, RejectReason, Renewal, SessionEventKind};
use proptest::prelude::*;

use crate::world::World;

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

#[derive(Clone, Copy, Debug)]
enum Move {
    /// A request whose response arrives.
    Request,
    /// A request whose response is lost.
    Lost,
    /// Two requests with one cookie; their responses arrive in either order.
    Two {
        write: bool,
        reversed: bool,
    },
    Wait(u16),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => Just(Move::Request),
        2 => Just(Move::Lost),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(write, reversed)| Move::Two { write, reversed }),
        3 => (1u16..900).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whoever loses responses, or sends requests in parallel, stays logged in.
    #[test]
    fn honest_client_is_never_logged_out(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::with(|builder| {
                builder
                    .with_renewal(Renewal::every(PERIOD).with_grace(GRACE))
                    .with_expiry(cloakroom_core::Expiry::new(
                        Duration::from_secs(1_000_000),
                        Duration::from_secs(1_000_000),
                    ))
            });
            let mut browser = world.logged_in("ada").await;
            for step in moves {
                match step {
                    Move::Wait(seconds) => world.clock.advance(Duration::from_secs(seconds.into())),
                    Move::Request => {
                        let seen = world.principal(&mut browser).await;
                        prop_assert_eq!(seen.as_deref(), Some("ada"));
                    }
                    Move::Lost => {
                        let seen = world.principal(&mut browser.clone()).await;
                        prop_assert_eq!(seen.as_deref(), Some("ada"));
                    }
                    Move::Two { write, reversed } => {
                        let (one, two) = (world.visit(&browser), world.visit(&browser));
                        for visit in [&one, &two] {
                            let session = visit.session().await.unwrap();
                            let seen = session.principal();
                            prop_assert_eq!(seen.as_deref(), Some("ada"));
                            if write {
                                session.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).unwrap();
                            }
                        }
                        let mut replies = vec![one.commit().await, two.commit().await];
                        if reversed {
                            replies.reverse();
                        }
                        for reply in &replies {
                            prop_assert!(reply.refusal().is_none());
                            browser.take(reply);
                        }
                    }
                }
            }
            let seen = world.principal(&mut browser).await;
            prop_assert_eq!(seen.as_deref(), Some("ada"));
            Ok(())
        })?;
    }
}
