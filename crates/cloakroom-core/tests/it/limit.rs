//! How many sessions a principal may have.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{EndReason, ErrorKind, Login, Result, SessionEventKind, SessionLimit, SessionManager};

use crate::fleet::{Fleet, Step};
use crate::world::{Browser, World};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
const MILLI: Duration = Duration::from_millis(1);
/// Twice the deadline of a commit.
pub(crate) const SETTLED: Duration = Duration::from_secs(4);

pub(crate) fn world(fleet: &Fleet, limit: SessionLimit) -> World {
    fleet.world(&[1], |builder| builder.with_session_limit(limit))
}

/// Logs in as a handler does that shows a refusal.
pub(crate) async fn log_in(world: &World, browser: &mut Browser, who: &str) -> Result<()> {
    let visit = world.visit(browser);
    let session = visit.session().await?;
    session.authenticate(who)?;
    let saved = session.save().await;
    drop(session);
    let response = browser.take(&visit.commit().await);
    let may_try_again = saved.as_ref().is_err_and(cloakroom_core::Error::is_transient);
    assert!(may_try_again || response.status.is_none(), "the handler's response passes");
    saved
}

/// The same, again and again while other logins are in the way: a machine may be busy with something else.
async fn log_in_at_last(world: &World, browser: &mut Browser, who: &str) -> Result<()> {
    loop {
        match log_in(world, browser, who).await {
            Err(error) if error.kind() == ErrorKind::Contention => tokio::task::yield_now().await,
            answer => return answer,
        }
    }
}

pub(crate) async fn live(world: &World, who: &str) -> usize {
    world.sessions.sessions_of(who).await.unwrap().len()
}

#[tokio::test]
async fn oldest_login_gives_way() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::EvictOldest(2));
    // Born first, and logged in last.
    let mut late = Browser::default();
    world.request(&mut late, |s| s.set("a", &1)).await;
    let mut browsers = Vec::new();
    for _ in 0..2 {
        world.clock.advance(MINUTE);
        browsers.push(world.logged_in("ada").await);
    }
    let mut eve = world.logged_in("eve").await;
    world.clock.advance(MINUTE);
    world.events();
    log_in(&world, &mut late, "ada").await.unwrap();
    let events = world.events();
    assert_eq!(events, [SessionEventKind::Ended(EndReason::Evicted), SessionEventKind::Authenticated]);
    assert_eq!(world.principal(&mut browsers[0]).await, None, "the first login is the longest ago");
    assert_eq!(world.principal(&mut browsers[1]).await.as_deref(), Some("ada"));
    assert_eq!(world.principal(&mut late).await.as_deref(), Some("ada"));
    assert_eq!(world.value(&mut late, "a").await, Some(1));
    assert_eq!(world.principal(&mut eve).await.as_deref(), Some("eve"));
    assert_eq!(live(&world, "ada").await, 2);
}

#[tokio::test]
async fn login_beyond_the_limit_is_refused_and_a_handler_can_show_it() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::Refuse(2));
    for _ in 0..2 {
        log_in(&world, &mut Browser::default(), "ada").await.unwrap();
    }
    let mut third = Browser::default();
    world.request(&mut third, |s| s.set("basket", &3)).await;
    world.events();
    let refused = log_in(&world, &mut third, "ada").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitReached);
    assert_eq!((refused.status(), refused.is_transient()), (409, false));
    assert_eq!(world.events(), [], "nobody was logged in, and nobody out");
    assert_eq!(world.principal(&mut third).await, None);
    assert_eq!(world.value(&mut third, "basket").await, Some(3), "the visitor's session is as it was");
    // Whoever does not call `save` is answered for.
    let (_, response) = world.request(&mut third, |s| s.authenticate("ada")).await;
    assert_eq!(response.status, Some(409));
    log_in(&world, &mut third, "eve").await.unwrap();
    assert_eq!(live(&world, "ada").await, 2);
}

#[tokio::test]
async fn logging_in_again_is_not_counted_twice() {
    let fleet = Fleet::new(true);
    for limit in [SessionLimit::Refuse(1), SessionLimit::EvictOldest(1)] {
        let world = world(&fleet, limit);
        let who = format!("{limit:?}");
        let mut browser = Browser::default();
        for _ in 0..3 {
            log_in(&world, &mut browser, &who).await.unwrap();
            world.request(&mut browser, |s| s.remember(MINUTE * 600)).await;
        }
        assert_eq!(world.principal(&mut browser).await, Some(who.clone()));
        assert_eq!(live(&world, &who).await, 1);
        assert!(!world.events().contains(&SessionEventKind::Ended(EndReason::Evicted)));
    }
}

#[tokio::test]
async fn sessions_that_are_over_do_not_count() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::Refuse(2));
    let mut out = Browser::default();
    log_in(&world, &mut out, "ada").await.unwrap();
    let mut other = Browser::default();
    log_in(&world, &mut other, "ada").await.unwrap();
    // A moment after its login.
    world.logout(&mut out).await;
    let mut next = Browser::default();
    log_in(&world, &mut next, "ada").await.unwrap();
    // Passed to somebody else, a moment after its login; and time goes on between a login and its entry.
    world.logout(&mut next).await;
    let visit = world.visit(&next);
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    world.clock.advance(MILLI);
    session.save().await.unwrap();
    drop(session);
    next.take(&visit.commit().await);
    world.clock.advance(MILLI);
    log_in(&world, &mut next, "eve").await.unwrap();
    log_in(&world, &mut out, "ada").await.unwrap();
    // Revoked, a moment after its login.
    let infos = world.sessions.sessions_of("ada").await.unwrap();
    assert!(world.sessions.revoke("ada", &infos[0].handle).await.unwrap());
    log_in(&world, &mut Browser::default(), "ada").await.unwrap();
    assert_eq!(world.sessions.revoke_all("ada").await.unwrap(), 2);
    for _ in 0..2 {
        log_in(&world, &mut Browser::default(), "ada").await.unwrap();
    }
    // Nobody has used them for their idle time; their entries would stay for twelve hours.
    world.clock.advance(31 * MINUTE);
    for _ in 0..2 {
        log_in(&world, &mut Browser::default(), "ada").await.unwrap();
    }
    assert_eq!(log_in(&world, &mut out, "ada").await.unwrap_err().kind(), ErrorKind::LimitReached);
    assert_eq!(fleet.entries().1, 3, "what is over has left the lists");
}

/// Two applications with one store, each with 25 logins at the same time, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_logins_at_once_the_limit_is_kept() {
    for (round, limit) in [
        SessionLimit::Refuse(3),
        SessionLimit::EvictOldest(3),
        SessionLimit::Refuse(1),
        SessionLimit::EvictOldest(1),
    ]
    .into_iter()
    .cycle()
    .take(12)
    .enumerate()
    {
        let fleet = Fleet::new(true);
        let worlds = [Arc::new(world(&fleet, limit)), Arc::new(world(&fleet, limit))];
        let most = if round % 4 < 2 { 3 } else { 1 };
        let start = Arc::new(tokio::sync::Barrier::new(50));
        let logins: Vec<_> = (0..50)
            .map(|number| {
                let (world, start) = (Arc::clone(&worlds[number % 2]), Arc::clone(&start));
                tokio::spawn(async move {
                    start.wait().await;
                    let mut browser = Browser::default();
                    let answer = log_in_at_last(&world, &mut browser, "ada").await;
                    (answer.map_err(|error| error.kind()), browser)
                })
            })
            .collect();
        let (mut taken, mut refused, mut known) = (0, 0, 0);
        let mut browsers = Vec::new();
        for login in logins {
            let (answer, browser) = login.await.unwrap();
            browsers.push(browser);
            match answer {
                Ok(()) => taken += 1,
                Err(ErrorKind::LimitReached) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        for browser in &mut browsers {
            known += usize::from(worlds[0].principal(browser).await.is_some());
        }
        assert_eq!(known, most, "{limit:?}");
        assert_eq!(live(&worlds[0], "ada").await, most);
        match limit {
            SessionLimit::Refuse(_) => assert_eq!((taken, refused), (most, 50 - most)),
            _ => assert_eq!((taken, refused), (50, 0)),
        }
    }
}

/// Two instances, one of which writes with another secret already.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn limit_is_kept_while_the_secrets_change_over() {
    for phase in [[&[1_u8][..], &[1, 2]], [&[1, 2], &[2, 1]], [&[2, 1], &[2]]] {
        for _ in 0..10 {
            let fleet = Fleet::new(true);
            let limit = |builder: cloakroom_core::SessionManagerBuilder| {
                builder.with_session_limit(SessionLimit::Refuse(1))
            };
            let worlds = phase.map(|secrets| Arc::new(fleet.world(secrets, limit)));
            let logins: Vec<_> = (0..8)
                .map(|number| {
                    let world = Arc::clone(&worlds[number % 2]);
                    tokio::spawn(async move {
                        match log_in_at_last(&world, &mut Browser::default(), "ada").await {
                            Ok(()) => true,
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::LimitReached);
                                false
                            }
                        }
                    })
                })
                .collect();
            let mut taken = 0;
            for login in logins {
                taken += usize::from(login.await.unwrap());
            }
            assert_eq!(taken, 1, "{phase:?}");
        }
    }
}

#[tokio::test]
async fn conflict_in_the_session_is_replayed_and_counted_once() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::Refuse(1));
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("a", &1)).await;
    let visit = world.visit(&browser);
    visit.session().await.unwrap().authenticate(Login::new("ada")).unwrap();
    world.request(&mut browser, |s| s.set("b", &2)).await;
    assert_eq!(browser.take(&visit.commit().await).status, None);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"));
    assert_eq!(world.value(&mut browser, "b").await, Some(2));
    fleet.plan(&[Step::Pass]);
    assert_eq!(live(&world, "ada").await, 1);
}

#[test]
fn what_cannot_be_kept_does_not_build() {
    let build = |indexed: bool, limit: SessionLimit, required: bool| {
        let fleet = Fleet::new(indexed);
        let world = fleet.world(&[1], |builder| builder);
        let keys = cloakroom_core::KeyRing::generate();
        let builder = SessionManager::builder(world.store.clone(), keys).with_session_limit(limit);
        let builder = if required { builder.with_required_index() } else { builder };
        builder.build().map(drop).map_err(|error| error.kind())
    };
    for limit in [SessionLimit::EvictOldest(3), SessionLimit::Refuse(1), SessionLimit::Refuse(1000)] {
        assert_eq!(build(true, limit, false), Ok(()));
        assert_eq!(build(false, limit, false), Err(ErrorKind::Misconfigured));
    }
    for limit in [SessionLimit::EvictOldest(0), SessionLimit::Refuse(0), SessionLimit::Refuse(1001)] {
        assert_eq!(build(true, limit, false), Err(ErrorKind::Misconfigured));
    }
    assert_eq!(build(true, SessionLimit::Unlimited, true), Ok(()));
    assert_eq!(build(false, SessionLimit::Unlimited, true), Err(ErrorKind::Misconfigured));
    assert_eq!(build(false, SessionLimit::Unlimited, false), Ok(()));
    let keys = cloakroom_core::KeyRing::generate();
    let carried = SessionManager::builder(cloakroom_core::Backend::client_side(), keys).with_required_index();
    assert_eq!(carried.build().map(drop).unwrap_err().kind(), ErrorKind::Misconfigured);
}

/// Other logins wait for the one that has the seat.
#[tokio::test]
async fn login_with_a_seat_waits_for_no_turn_of_a_writer() {
    let fleet = Fleet::new(true);
    let world = world(&fleet, SessionLimit::EvictOldest(1));
    let mut browser = world.logged_in("ada").await;
    let (count, login) = (world.visit(&browser), world.visit(&browser));
    count.session().await.unwrap().set("a", &1).unwrap();
    login.session().await.unwrap().authenticate("eve").unwrap();
    world.request(&mut browser, |s| s.set("b", &2)).await;
    world.store.reset_calls();
    let mut has_a_turn = Box::pin(count.commit());
    while world.store.calls().loads == 0 {
        assert!(futures_util::poll!(&mut has_a_turn).is_pending());
    }
    let reply =
        tokio::time::timeout(Duration::from_secs(10), login.commit()).await.expect("it does not wait");
    assert_eq!(browser.take(&reply).status, None);
    assert_eq!(world.principal(&mut browser).await.as_deref(), Some("eve"));
    assert_eq!(browser.clone().take(&has_a_turn.await).status, Some(409), "it was a session of ada's");
}
