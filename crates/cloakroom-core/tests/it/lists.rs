//! The index of principals: what it must never miss, and what it may forget.

use std::pin::pin;
use std::time::Duration;

use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{
    EndReason, ErrorKind, Freshness, Record, Replaced, SessionEventKind, Store, StoreErrorKind, Version,
};
use futures_util::poll;

use crate::fleet::Fleet;
use crate::world::{Browser, World};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Twice the deadline of a commit.
const SETTLED: Duration = Duration::from_secs(4);
const MILLI: Duration = Duration::from_millis(1);

async fn live(world: &World, who: &str) -> usize {
    world.sessions.sessions_of(who).await.unwrap().len()
}

#[tokio::test]
async fn stale_entries_are_healed_once_no_record_can_come() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let mut out = world.logged_in("ada").await;
    let mut moved = world.logged_in("ada").await;
    let mut here = world.logged_in("ada").await;
    world.logout(&mut out).await;
    assert_eq!(live(&world, "ada").await, 2);
    assert_eq!(fleet.entries().1, 3, "nothing of this tells it from a login under way");
    world.clock.advance(SETTLED - MILLI);
    assert_eq!((live(&world, "ada").await, fleet.entries().1), (2, 3));
    world.clock.advance(MILLI);
    assert_eq!((live(&world, "ada").await, fleet.entries().1), (2, 2), "it is gone for good");
    world.request(&mut moved, |s| s.authenticate("eve")).await;
    world.clock.advance(SETTLED);
    assert_eq!((live(&world, "ada").await, live(&world, "eve").await, fleet.entries().1), (1, 1, 2));
    assert_eq!(world.principal(&mut here).await.as_deref(), Some("ada"));
    // A failed repair is told, and the listing stands.
    world.logout(&mut here).await;
    assert_eq!(live(&world, "ada").await, 0);
}

/// The entry comes before the record: whoever lists in between must not take it away.
#[tokio::test]
async fn login_under_way_is_not_healed_away() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    let mut saving = Box::pin(session.save());
    fleet.until_listed(&mut saving).await;
    for _ in 0..3 {
        assert_eq!(live(&world, "ada").await, 0, "not logged in yet");
        world.clock.advance(SECOND);
    }
    saving.await.unwrap();
    assert_eq!(live(&world, "ada").await, 1);
}

/// A process that was asleep between entry and record: its entry was taken for a stale one.
#[tokio::test]
async fn login_that_took_too_long_is_entered_again() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    let mut saving = Box::pin(session.save());
    fleet.until_listed(&mut saving).await;
    world.clock.advance(SETTLED);
    assert_eq!((live(&world, "ada").await, fleet.entries().1), (0, 0));
    saving.await.unwrap();
    assert_eq!(live(&world, "ada").await, 1);
}

/// What this instance cannot read, another one may.
#[tokio::test]
async fn entry_of_what_cannot_be_opened_stays() {
    let fleet = Fleet::new(true);
    let [old, both] = [fleet.world(&[1], |b| b), fleet.world(&[2, 1], |b| b)];
    let mut browser = old.logged_in("ada").await;
    let (key, record) = old.model.dump().pop().unwrap();
    let version = Version::random().unwrap();
    let nonsense = Record::new(b"of a newer release".to_vec(), version, MINUTE * 30);
    let nonsense = nonsense.with_principal(record.principal);
    assert_eq!(old.store.replace(&key, record.version, &nonsense).await.unwrap(), Replaced::Replaced);
    old.clock.advance(SETTLED);
    assert_eq!((live(&both, "ada").await, fleet.entries().1), (0, 1));
    let record = record.clone();
    assert_eq!(old.store.replace(&key, version, &record).await.unwrap(), Replaced::Replaced);
    assert_eq!(live(&both, "ada").await, 1);
    assert_eq!(old.principal(&mut browser).await.as_deref(), Some("ada"));
    // To end all means all.
    let version = Version::random().unwrap();
    let nonsense = Record::new(b"of a newer release".to_vec(), version, MINUTE * 30);
    let nonsense = nonsense.with_principal(record.principal);
    let found = old.store.load(&key, Freshness::Latest).await.unwrap().unwrap();
    assert_eq!(old.store.replace(&key, found.version, &nonsense).await.unwrap(), Replaced::Replaced);
    assert_eq!(both.sessions.revoke_all("ada").await.unwrap(), 1);
    assert!(old.model.dump().is_empty());
}

/// A session that is used passes from the list of one secret to that of the next.
#[tokio::test]
async fn session_that_changes_lists_meanwhile_is_not_missed() {
    for revoked in [false, true] {
        let fleet = Fleet::new(true);
        fleet.finds_records();
        let mut browser = fleet.world(&[1], |b| b).logged_in("ada").await;
        let turned = fleet.world(&[2, 1], |b| b);
        let sessions = turned.sessions.clone();
        let mut looking = pin!(async {
            if revoked {
                sessions.revoke_all("ada").await.unwrap()
            } else {
                sessions.sessions_of("ada").await.unwrap().len()
            }
        });
        // The list of the second secret was read, and that of the first was not.
        for _ in 0..2 {
            assert!(poll!(&mut looking).is_pending());
        }
        turned.request(&mut browser, |s| s.set("a", &1)).await;
        assert_eq!(looking.await, 1, "revoked: {revoked}");
        assert_eq!(turned.principal(&mut browser).await.is_none(), revoked);
    }
}

/// A create whose reply was lost is looked for, and not sent again: the session may have been ended since.
#[tokio::test]
async fn revoked_session_is_not_created_again() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let mut browser = Browser::default();
    world.store.fail_next(Verb::Create, Failure::After(StoreErrorKind::Ambiguous));
    world.store.reset_calls();
    world.request(&mut browser, |s| s.authenticate("ada")).await;
    assert_eq!((world.store.calls().creates, world.store.calls().replaces), (1, 1), "it was found");
    assert_eq!((live(&world, "ada").await, world.model.dump().len()), (1, 1));
    // Gone when it is looked for.
    let mut browser = Browser::default();
    world.store.fail_next(Verb::Create, Failure::Before(StoreErrorKind::Ambiguous));
    world.request(&mut browser, |s| s.authenticate("eve")).await;
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("eve"), "under another handle");
    assert_eq!(world.model.dump().len(), 2);
}

#[tokio::test]
async fn one_failure_does_not_spare_the_others() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    for _ in 0..10 {
        world.logged_in("ada").await;
    }
    world.events();
    world.store.fail_next(Verb::Delete, Failure::Before(StoreErrorKind::Unavailable));
    world.store.fail_next(Verb::Load, Failure::Before(StoreErrorKind::Unavailable));
    assert!(world.sessions.revoke_all("ada").await.unwrap_err().is_transient());
    assert_eq!(world.model.dump().len(), 2, "those two, and no others");
    assert_eq!(world.events(), [SessionEventKind::Ended(EndReason::Revoked); 8]);
    // It was deleted, and the reply was lost.
    world.store.fail_next(Verb::Delete, Failure::After(StoreErrorKind::Ambiguous));
    assert_eq!(world.sessions.revoke_all("ada").await.unwrap(), 2);
    assert_eq!(world.events(), [SessionEventKind::Ended(EndReason::Revoked); 2]);
}

/// Whoever was ended meanwhile has no say any more.
#[tokio::test]
async fn ended_session_revokes_nobody() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let (mut thief, mut owner) = (world.logged_in("ada").await, world.logged_in("ada").await);
    let visit = world.visit(&thief);
    let session = visit.session().await.unwrap();
    assert_eq!(world.sessions.revoke_others(&owner_session(&world, &owner).await).await.unwrap(), 1);
    assert_eq!(world.sessions.revoke_others(&session).await.unwrap_err().kind(), ErrorKind::Ended, "unsaid");
    session.set("a", &1).unwrap();
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(world.sessions.revoke_others(&session).await.unwrap_err().kind(), ErrorKind::Ended);
    // A login that is not stored speaks for nobody.
    let visit = world.visit(&Browser::default());
    let stranger = visit.session().await.unwrap();
    stranger.authenticate("ada").unwrap();
    assert_eq!(world.sessions.revoke_others(&stranger).await.unwrap_err().kind(), ErrorKind::Ended);
    session.logout();
    assert_eq!(world.sessions.revoke_others(&session).await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(world.principal(&mut owner).await.as_deref(), Some("ada"));
    assert_eq!(world.principal(&mut thief).await, None);
}

async fn owner_session(world: &World, browser: &Browser) -> cloakroom_core::Session {
    world.visit(browser).session().await.unwrap()
}

/// A remembered session is never touched, and neither is one whose absolute deadline is near.
#[tokio::test]
async fn last_use_is_told_of_sessions_that_live_to_their_end() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let began = world.clock.wall();
    let seen = || async {
        let infos = world.sessions.sessions_of("ada").await.unwrap();
        infos[0].last_seen.duration_since(std::time::UNIX_EPOCH).unwrap() - began
    };
    let mut browser = world.logged_in("ada").await;
    world.request(&mut browser, |s| s.remember(MINUTE * 60 * 24 * 30)).await;
    for day in [1, 2, 3] {
        world.clock.advance(MINUTE * 60 * 24);
        world.principal(&mut browser).await;
        let at = world.clock.wall() - began;
        world.store.reset_calls();
        for _ in 0..3 {
            world.clock.advance(20 * SECOND);
            world.principal(&mut browser).await;
        }
        assert_eq!(world.store.calls().replaces, 0, "day {day}: within the touch interval");
        assert_eq!(seen().await, at);
    }
    let mut mortal = world.logged_in("ada").await;
    for _ in 0..36 {
        world.clock.advance(20 * MINUTE - SECOND);
        assert_eq!(world.principal(&mut mortal).await.as_deref(), Some("ada"));
    }
    assert_eq!(seen().await, world.clock.wall() - began, "up to its absolute deadline");
    // A visitor is on no list.
    let mut visitor = Browser::default();
    world.request(&mut visitor, |s| s.remember(MINUTE * 600).and_then(|()| s.set("a", &1))).await;
    world.store.reset_calls();
    world.clock.advance(MINUTE * 60);
    world.principal(&mut visitor).await;
    assert_eq!(world.store.calls().replaces, 0);
}
