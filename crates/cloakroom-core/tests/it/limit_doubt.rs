//! What a limit of sessions is worth when logins fail, stop half way, or come too late.

use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{EndReason, ErrorKind, SessionEventKind, SessionLimit, StoreErrorKind};

use crate::fleet::Fleet;
use crate::limit::{MINUTE, SECOND, SETTLED, live, log_in, world};
use crate::world::Browser;

#[tokio::test]
async fn login_that_failed_leaves_no_place_taken() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::Refuse(1));
    // Without effect.
    world.store.fail_next(Verb::Create, Failure::Before(StoreErrorKind::TooLarge));
    let mut browser = Browser::default();
    assert_eq!(log_in(&world, &mut browser, "ada").await.unwrap_err().kind(), ErrorKind::TooLarge);
    log_in(&world, &mut browser, "ada").await.unwrap();
    world.logout(&mut browser).await;
    // Over a session that is logged out meanwhile.
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    world.logout(&mut browser.clone()).await;
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Ended);
    log_in(&world, &mut Browser::default(), "ada").await.unwrap();
    assert_eq!(live(&world, "ada").await, 1);
}

/// Two logins in one session, as by a double click: the one that is refused does not take the other's place away.
#[tokio::test]
async fn refused_twin_leaves_the_entry_of_the_session() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::Refuse(1));
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let (first, second) = (world.visit(&browser), world.visit(&browser));
    for visit in [&first, &second] {
        visit.session().await.unwrap().authenticate("ada").unwrap();
    }
    assert!(first.commit().await.refusal().is_none());
    let refused = second.commit().await;
    assert_eq!(refused.refusal().map(cloakroom_core::Error::kind), Some(ErrorKind::Ended));
    assert_eq!(live(&world, "ada").await, 1);
    world.clock.advance(SETTLED);
    assert_eq!(live(&world, "ada").await, 1);
}

/// A reply to a create is lost, and so is the look after it: the next try takes the place of the first.
#[tokio::test]
async fn login_does_not_stand_in_its_own_way() {
    for limit in [SessionLimit::Refuse(1), SessionLimit::EvictOldest(1)] {
        let fleet = Fleet::new(true);
        let world = world(&fleet, limit);
        let mut browser = Browser::default();
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.authenticate("ada").unwrap();
        world.store.fail_next(Verb::Create, Failure::After(StoreErrorKind::Ambiguous));
        world.store.fail_next(Verb::Replace, Failure::Before(StoreErrorKind::Unavailable));
        assert!(session.save().await.unwrap_err().is_transient());
        drop(session);
        assert_eq!(browser.take(&visit.commit().await).status, None);
        assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
        assert_eq!(live(&world, "ada").await, 1);
        assert_eq!(world.model.dump().len(), 1, "the first try's record is gone");
    }
}

/// The response of a login is lost. Whoever holds the token from before it, and logs in again, takes its place.
#[tokio::test]
async fn lost_response_of_a_login_locks_nobody_out() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::Refuse(1));
    for wait in [SECOND, 2 * MINUTE] {
        let mut browser = Browser::default();
        world.request(&mut browser, |s| s.set("a", &1)).await;
        log_in(&world, &mut browser.clone(), "ada").await.unwrap();
        world.clock.advance(wait);
        assert_eq!(
            log_in(&world, &mut Browser::default(), "ada").await.unwrap_err().kind(),
            ErrorKind::LimitReached,
            "it counts for everybody else"
        );
        log_in(&world, &mut browser, "ada").await.unwrap();
        assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
        assert_eq!(live(&world, "ada").await, 1);
        world.logout(&mut browser).await;
    }
}

/// A process dies between the admission and the record: another one cannot know it.
#[tokio::test]
async fn place_of_a_login_that_died_is_free_again_soon() {
    for limit in [SessionLimit::Refuse(1), SessionLimit::EvictOldest(1)] {
        died(limit).await;
    }
}

async fn died(limit: SessionLimit) {
    let fleet = Fleet::new(true);
    let [dying, world] = [world(&fleet, limit), world(&fleet, limit)];
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let visit = dying.visit(&browser);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    // It is admitted, and waits for the replace.
    let admitted = fleet.dropped_at_the_replace(session.save()).await;
    assert!(admitted, "it got that far");
    drop((session, visit));
    let busy = log_in(&world, &mut Browser::default(), "ada").await.unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Contention, "its record may come: nobody is refused for good");
    world.clock.advance(SETTLED);
    log_in(&world, &mut Browser::default(), "ada").await.unwrap();
    assert_eq!(live(&world, "ada").await, 1);
}

/// In the same process it is known that nobody will write that record: a save that was dropped is waited for by nobody.
#[tokio::test]
async fn dropped_login_stands_in_nobodys_way() {
    for limit in [SessionLimit::Refuse(1), SessionLimit::EvictOldest(1)] {
        let fleet = Fleet::new(true);
        let world = world(&fleet, limit);
        let browser = Browser::default();
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.authenticate("ada").unwrap();
        {
            let mut saving = std::pin::pin!(session.save());
            fleet.until_listed(&mut saving).await;
        }
        drop((session, visit));
        log_in(&world, &mut Browser::default(), "ada").await.unwrap();
        assert_eq!(live(&world, "ada").await, 1);
    }
}

/// Whoever shared an anonymous session with its later owner, and failed to log in there, must not end it.
#[tokio::test]
async fn forerunner_of_somebody_else_is_left_alone() {
    for limit in [SessionLimit::Refuse(1), SessionLimit::EvictOldest(1)] {
        let fleet = Fleet::new(true);
        let world = world(&fleet, limit);
        let mut planted = Browser::default();
        world.request(&mut planted, |s| s.set("a", &1)).await;
        let parked = world.visit(&planted);
        let session = parked.session().await.unwrap();
        let mut victim = planted.clone();
        log_in(&world, &mut victim, "ada").await.unwrap();
        session.authenticate("mallory").unwrap();
        assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Ended);
        drop((session, parked));
        world.clock.advance(SETTLED);
        world.events();
        log_in(&world, &mut planted, "mallory").await.unwrap();
        assert_eq!(world.principal(&mut victim).await.as_deref(), Some("ada"));
        assert!(!world.events().contains(&SessionEventKind::Ended(EndReason::Evicted)));
    }
}

/// Two clients with one anonymous token: where there is room, neither login ends the other.
#[tokio::test]
async fn forerunner_stays_where_there_is_room() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::EvictOldest(2));
    let mut first = Browser::default();
    world.request(&mut first, |s| s.set("a", &1)).await;
    let (mut second, mut third) = (first.clone(), first.clone());
    log_in(&world, &mut first, "ada").await.unwrap();
    world.clock.advance(2 * MINUTE);
    log_in(&world, &mut second, "ada").await.unwrap();
    assert_eq!(world.principal(&mut first).await.as_deref(), Some("ada"));
    assert_eq!(world.principal(&mut second).await.as_deref(), Some("ada"));
    // Where there is none, it goes first, though another login is longer ago.
    world.clock.advance(2 * MINUTE);
    world.request(&mut first, |s| s.authenticate("ada")).await;
    log_in(&world, &mut third, "ada").await.unwrap();
    assert_eq!(world.principal(&mut first).await, None, "the session whose first secret it came with");
    assert_eq!(world.principal(&mut second).await.as_deref(), Some("ada"));
}

/// Somebody who was deleted for nothing, because another login came first, counts for nothing.
#[tokio::test]
async fn evicted_in_vain_are_not_evicted_for_twice() {
    let fleet = Fleet::new(true);
    let [world, other] =
        [world(&fleet, SessionLimit::EvictOldest(3)), world(&fleet, SessionLimit::EvictOldest(3))];
    for _ in 0..3 {
        world.clock.advance(MINUTE);
        log_in(&world, &mut Browser::default(), "ada").await.unwrap();
    }
    let browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    let mut saving = Box::pin(session.save());
    // The oldest is deleted, and the list not written yet.
    while world.model.dump().len() == 3 {
        assert!(futures_util::poll!(&mut saving).is_pending());
    }
    // A device logs out: the place of the deleted one is not needed any more, and its entry still there.
    assert_eq!(live(&other, "ada").await, 2);
    let infos = other.sessions.sessions_of("ada").await.unwrap();
    assert!(other.sessions.revoke("ada", &infos[0].handle).await.unwrap());
    saving.await.unwrap();
    drop(session);
    assert!(visit.commit().await.refusal().is_none());
    assert_eq!(live(&world, "ada").await, 2);
}

/// A process that was asleep after its admission does not write any more.
#[tokio::test]
async fn seat_that_was_taken_long_ago_is_given_back() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::Refuse(1));
    let browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    let mut saving = Box::pin(session.save());
    fleet.until_listed(&mut saving).await;
    world.clock.advance(2 * SECOND);
    assert_eq!(saving.await.unwrap_err().kind(), ErrorKind::Contention);
    assert_eq!((world.model.dump().len(), fleet.entries().1), (0, 0), "and its place is free");
}

/// So is one whose record took too long: somebody may have its place by now.
#[tokio::test]
async fn record_that_comes_too_late_is_taken_back() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::Refuse(1));
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    let mut saving = Box::pin(session.save());
    fleet.until_listed(&mut saving).await;
    // On its way to the store.
    assert!(futures_util::poll!(&mut saving).is_pending());
    world.clock.advance(SETTLED);
    let mut other = Browser::default();
    log_in(&world, &mut other, "eve").await.unwrap();
    assert_eq!(saving.await.unwrap_err().kind(), ErrorKind::Ended);
    drop(session);
    let _ = visit.commit().await;
    assert_eq!(live(&world, "ada").await, 0);
    log_in(&world, &mut browser, "ada").await.unwrap();
    assert_eq!(live(&world, "ada").await, 1);
}

/// What a login that fails has ended before is over, and no login under way.
#[tokio::test]
async fn login_that_failed_ends_one_session_and_not_two() {
    let fleet = Fleet::new(true);
    let [failing, world] = [0, 1].map(|_| world(&fleet, SessionLimit::EvictOldest(2)));
    for _ in 0..2 {
        log_in(&world, &mut Browser::default(), "ada").await.unwrap();
        world.clock.advance(SECOND);
    }
    let visit = failing.visit(&Browser::default());
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    {
        let mut saving = std::pin::pin!(session.save());
        while world.model.dump().len() == 2 {
            assert!(futures_util::poll!(&mut saving).is_pending());
        }
        // The oldest is deleted; before the list is written, the time is over.
        failing.clock.advance(2 * SECOND);
        assert_eq!(saving.await.unwrap_err().kind(), ErrorKind::Contention);
    }
    drop((session, visit));
    log_in(&world, &mut Browser::default(), "ada").await.unwrap();
    assert_eq!(live(&world, "ada").await, 2);
}
