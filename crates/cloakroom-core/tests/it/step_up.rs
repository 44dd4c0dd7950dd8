//! Logins that must be recent for what is asked.

use std::time::{Duration, UNIX_EPOCH};

use cloakroom_core::{Login, Session};

use crate::world::{Browser, World};

const MINUTE: Duration = Duration::from_secs(60);
const MILLI: Duration = Duration::from_millis(1);

#[tokio::test]
async fn age_of_a_login_is_exact() {
    let world = World::new();
    let mut browser = world.logged_in("ada").await;
    let mut age = Duration::ZERO;
    for (wait, recent) in [
        (Duration::ZERO, true),
        (5 * MINUTE - MILLI, true),
        (MILLI, true),
        (MILLI, false),
        (20 * MINUTE, false),
    ] {
        world.clock.advance(wait);
        age += wait;
        let look = |s: &Session| Ok((s.authenticated_within(5 * MINUTE), s.authenticated_within(age)));
        assert_eq!(world.request(&mut browser, look).await.0, (recent, true), "{age:?}");
        let shorter = age.saturating_sub(Duration::from_nanos(1));
        let look = |s: &Session| Ok(s.authenticated_within(shorter));
        assert_eq!(world.request(&mut browser, look).await.0, age.is_zero(), "{age:?}");
    }
}

#[tokio::test]
async fn nobody_has_logged_in_recently_who_is_not_logged_in() {
    let world = World::new();
    let mut browser = Browser::default();
    let recent = |s: &Session| Ok(s.authenticated_within(Duration::MAX));
    assert!(!world.request(&mut browser, recent).await.0);
    world.request(&mut browser, |s| s.set("a", &1)).await;
    assert!(!world.request(&mut browser, recent).await.0);
    let look = |s: &Session| {
        s.authenticate("ada")?;
        let within = s.authenticated_within(Duration::ZERO);
        s.logout();
        Ok((within, s.authenticated_within(Duration::MAX), s.authenticated_at()))
    };
    assert_eq!(world.request(&mut browser, look).await.0, (true, false, None), "in this request already");
}

#[tokio::test]
async fn login_in_the_future_counts_for_a_minute_at_most() {
    for (back, recent) in [(MILLI, true), (MINUTE, true), (MINUTE + MILLI, false), (60 * MINUTE, false)] {
        let world = World::new();
        let mut browser = world.logged_in("ada").await;
        world.clock.set_back(back);
        let look =
            |s: &Session| Ok((s.authenticated_within(Duration::ZERO), s.authenticated_within(Duration::MAX)));
        assert_eq!(world.request(&mut browser, look).await.0, (recent, recent), "{back:?}");
        // Whoever logs in again has.
        let again = |s: &Session| s.authenticate("ada").map(|()| s.authenticated_within(Duration::ZERO));
        assert!(world.request(&mut browser, again).await.0, "{back:?}");
    }
}

#[tokio::test]
async fn logging_in_again_rotates_and_keeps_all_but_the_time() {
    let world = World::new();
    let mut browser = Browser::default();
    let began = UNIX_EPOCH + world.clock.wall();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    world.clock.advance(MINUTE);
    let login = || Login::new("ada").with_label("device", "laptop");
    world.request(&mut browser, |s| s.authenticate(login()).and_then(|()| s.flash("welcome"))).await;
    world.clock.advance(10 * MINUTE);
    let seen = |s: &Session| Ok((s.created_at(), s.principal(), s.keys(), s.handle(), s.is_new()));
    let before = world.request(&mut browser, seen).await.0;
    let at = |s: &Session| Ok((s.authenticated_at().unwrap(), s.authenticated_within(5 * MINUTE)));
    assert_eq!(world.request(&mut browser, at).await.0, (began + MINUTE, false));

    let mut old = browser.clone();
    let (_, response) = world.request(&mut browser, |s| s.authenticate(login())).await;
    assert!(response.set_cookie().is_some());
    assert_ne!(browser.token, old.token);
    assert_eq!(world.request(&mut browser, at).await.0, (began + 11 * MINUTE, true));
    assert_eq!(world.request(&mut browser, seen).await.0, before);
    assert_eq!((before.0, world.model.dump().len()), (began, 1));
    assert_eq!(world.value(&mut browser, "basket").await, Some(1));
    assert_eq!(world.request(&mut browser, |s| s.take_flashes::<String>()).await.0, ["welcome"]);
    assert_eq!(world.principal(&mut old).await, None, "the old token is worth nothing");
    // And later neither: not even as one that was renewed away.
    world.clock.advance(5 * MINUTE);
    assert_eq!(world.principal(&mut old).await, None);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
}
