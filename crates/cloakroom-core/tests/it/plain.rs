//! What the small types say of themselves.

use std::any::TypeId;
use std::time::Duration;

use cloakroom_core::{
    Clock, Expiry, IndexVersion, PublicHandle, Renewal, StoreKey, Unnamed, Version, Visits,
};

use crate::world::{Browser, World};

#[test]
fn handle_is_the_key_in_base64url() {
    let handle = StoreKey::from_bytes([0xfb; 32]).public_handle();
    assert_eq!(handle.as_str(), "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
    assert_eq!(handle.as_str().parse::<PublicHandle>().unwrap(), handle);
    for text in ["", "-_v7", &handle.as_str()[1..], &format!("{}A", handle.as_str()), "xyzzy"] {
        assert!(text.parse::<PublicHandle>().is_err(), "{text}");
    }
}

#[test]
fn version_is_a_number_that_is_not_zero() {
    let version = Version::new(0x0102_0304_0506_0708).unwrap();
    assert_eq!(version.get(), 0x0102_0304_0506_0708);
    assert_eq!(version.to_be_bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(Version::from_be_bytes([1, 2, 3, 4, 5, 6, 7, 8]), Some(version));
    assert_eq!((Version::new(0), Version::from_be_bytes([0; 8])), (None, None));
    assert_eq!(IndexVersion::new(7).get(), 7);
}

#[test]
fn wall_clock_can_be_set_back_and_time_goes_on() {
    let clock = Clock::manual();
    let (wall, elapsed) = (clock.wall(), clock.monotonic());
    clock.advance(Duration::from_secs(5));
    clock.set_back(Duration::from_secs(7));
    assert_eq!(clock.wall(), wall - Duration::from_secs(2));
    assert_eq!(clock.monotonic(), elapsed + Duration::from_secs(5));
}

#[tokio::test]
async fn visits_are_found_by_the_names_of_their_sessions() {
    enum Admin {}
    enum Nobody {}
    let world = World::new();
    let browser = world.logged_in("ada").await;
    let mut visits = Visits::new(TypeId::of::<Unnamed>(), world.visit(&browser));
    visits.add(TypeId::of::<Admin>(), world.visit(&Browser::default()));
    let principal = async |name| visits.get(name).unwrap().session().await.unwrap().principal();
    assert_eq!(principal(TypeId::of::<Unnamed>()).await.as_deref(), Some("ada"));
    assert_eq!(principal(TypeId::of::<Admin>()).await, None);
    assert!(visits.get(TypeId::of::<Nobody>()).is_none());
}

#[test]
fn limits_themselves_are_allowed() {
    let builds = |expiry: Expiry| {
        let sessions = cloakroom_core::SessionManager::builder(
            cloakroom_core::testing::ModelStore::new(Clock::manual()),
            cloakroom_core::KeyRing::generate(),
        );
        sessions.with_expiry(expiry).build().is_ok()
    };
    let (shortest, second) = (Duration::from_millis(1), Duration::from_secs(1));
    assert!(builds(Expiry::new(shortest, second)) && builds(Expiry::new(second, second)));
    assert!(!builds(Expiry::new(Duration::from_micros(999), second)));
    World::with(|builder| builder.with_renewal(Renewal::every(second).with_grace(second)));
}

#[tokio::test]
async fn interval_as_long_as_one_sessions_idle_time_is_not_used_for_it() {
    let minute = Duration::from_secs(60);
    let policy = Expiry::new(30 * minute, 60 * minute).with_touch_interval(minute);
    let world = World::with(|builder| builder.with_expiry(policy));
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |session| session.set_expiry(Expiry::new(minute, 60 * minute))).await;
    for _ in 0..3 {
        world.clock.advance(minute / 2);
        assert!(world.principal(&mut browser).await.is_some(), "uses keep it alive");
    }
}
