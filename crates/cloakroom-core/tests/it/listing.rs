//! The sessions of a person: what a listing says of them, and what ending them does.

use std::time::{Duration, UNIX_EPOCH};

use cloakroom_core::{EndReason, ErrorKind, Login, SessionEventKind};

use crate::fleet::Fleet;
use crate::world::{Browser, World};

const MINUTE: Duration = Duration::from_secs(60);

/// Ada at two devices, ten minutes apart, and Eve.
async fn three(world: &World) -> [Browser; 3] {
    let mut phone = Browser::default();
    let login = Login::new("ada").with_label("device", "phone");
    world.request(&mut phone, |s| s.authenticate(login)).await;
    world.clock.advance(10 * MINUTE);
    [phone, world.logged_in("ada").await, world.logged_in("eve").await]
}

#[tokio::test]
async fn listing_says_when_each_session_began_was_used_and_ends() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let began = UNIX_EPOCH + world.clock.wall();
    let [phone, desk, eve] = three(&world).await;
    world.clock.advance(5 * MINUTE);
    let infos = world.sessions.sessions_of("ada").await.unwrap();
    let seen = |at: usize| {
        let info = &infos[at];
        [info.created_at, info.last_seen, info.expires_at].map(|time| time.duration_since(began).unwrap())
    };
    assert_eq!(infos.len(), 2);
    // The latest used first; both end half an hour after their use.
    assert_eq!(seen(0), [10 * MINUTE, 10 * MINUTE, 40 * MINUTE]);
    assert_eq!(seen(1), [Duration::ZERO, Duration::ZERO, 30 * MINUTE]);
    assert_eq!(infos[1].labels, [("device".to_owned(), "phone".to_owned())]);
    for (browser, which) in [(&desk, Some(0)), (&phone, Some(1)), (&eve, None)] {
        let visit = world.visit(browser);
        let session = visit.session().await.unwrap();
        let current: Vec<bool> = infos.iter().map(|info| info.is_current(&session)).collect();
        assert_eq!(current, [which == Some(0), which == Some(1)]);
    }
    // A use moves what is said of it, and the order.
    world.request(&mut phone.clone(), |s| s.set("a", &1)).await;
    let infos = world.sessions.sessions_of("ada").await.unwrap();
    assert_eq!(infos[0].last_seen.duration_since(began).unwrap(), 15 * MINUTE);
    assert_eq!(infos[0].created_at, began);
}

#[tokio::test]
async fn ended_sessions_are_counted_and_told() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let [mut phone, mut desk, mut eve] = three(&world).await;
    let infos = world.sessions.sessions_of("ada").await.unwrap();
    world.events();
    assert!(!world.sessions.revoke("eve", &infos[1].handle).await.unwrap(), "it is not Eve's");
    assert!(world.sessions.revoke("ada", &infos[1].handle).await.unwrap());
    assert_eq!(world.events(), [SessionEventKind::Ended(EndReason::Revoked)]);
    assert!(!world.sessions.revoke("ada", &infos[1].handle).await.unwrap(), "it is gone");
    assert_eq!(world.events(), []);
    assert_eq!(world.principal(&mut phone).await, None);
    for _ in 0..2 {
        world.logged_in("ada").await;
    }
    let visit = world.visit(&desk);
    let session = visit.session().await.unwrap();
    assert_eq!(world.sessions.revoke_others(&session).await.unwrap(), 2);
    drop((session, visit));
    assert_eq!(world.principal(&mut desk).await.as_deref(), Some("ada"));
    world.logged_in("ada").await;
    assert_eq!(world.sessions.revoke_all("ada").await.unwrap(), 2);
    assert_eq!(world.sessions.revoke_all("ada").await.unwrap(), 0);
    assert_eq!(world.principal(&mut desk).await, None);
    assert_eq!(world.principal(&mut eve).await.as_deref(), Some("eve"));
    let stranger = world.visit(&Browser::default());
    let session = stranger.session().await.unwrap();
    assert_eq!(world.sessions.revoke_others(&session).await.unwrap_err().kind(), ErrorKind::Ended);
}
