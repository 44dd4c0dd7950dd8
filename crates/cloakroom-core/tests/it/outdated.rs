//! Checks of a fingerprint that meet other requests, lost replies and deadlines.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{ErrorKind, Renewal, Result, Session, SessionEventKind, StoreErrorKind};

use crate::cancellation::{cut_short, waiting_world};
use crate::concurrency::stubborn;
use crate::credentials::{ENDED, NEW, OLD, ada, change_password, check, logged_in, opened};
use crate::world::{Browser, World};

const LOST: Failure = Failure::After(StoreErrorKind::Ambiguous);
const FULL: Failure = Failure::Before(StoreErrorKind::Full);

/// Polls two futures in turns, each as the next bit says, and one of them to its end at last.
async fn in_turns<A: Future, B: Future>(bits: u32, a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_is, mut b_is, mut turn) = (None, None, 0);
    std::future::poll_fn(|context| {
        let a_next = bits.checked_shr(turn).unwrap_or_default() & 1 == 0;
        turn += 1;
        if a_is.is_none() && (a_next || b_is.is_some()) {
            if let Poll::Ready(answer) = a.as_mut().poll(context) {
                a_is = Some(answer);
            }
        } else if let Poll::Ready(answer) = b.as_mut().poll(context) {
            b_is = Some(answer);
        }
        if a_is.is_some() && b_is.is_some() {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    (a_is.unwrap(), b_is.unwrap())
}

#[tokio::test]
async fn lost_replies_end_it_once() {
    for verb in [Verb::Replace, Verb::Delete] {
        for lost in 1..=4 {
            let world = World::new();
            let browser = logged_in(&world).await;
            let (visit, session) = opened(&world, &browser).await;
            (0..lost).for_each(|_| world.store.fail_next(verb, LOST));
            let answer = session.verify_fingerprint(NEW).await;
            // Three tries, and the others with the response.
            assert_eq!(answer.is_ok(), lost < 3, "{verb:?} {lost}");
            let response = browser.clone().take(&visit.commit().await);
            assert_eq!((response.status, response.set_cookie()), (None, None), "{verb:?} {lost}");
            assert!(world.model.dump().is_empty(), "{verb:?} {lost}");
            if verb == Verb::Replace || lost < 3 {
                assert_eq!(world.events(), [ENDED], "{verb:?} {lost}");
            }
        }
    }
}

#[tokio::test]
async fn full_store_still_ends_it_but_no_new_login() {
    let world = World::new();
    let mut browser = logged_in(&world).await;
    world.store.fail_next(Verb::Replace, FULL);
    world.store.reset_calls();
    assert!(!check(&world, &mut browser, NEW).await.0.unwrap());
    assert_eq!((world.events(), world.model.dump()), (vec![ENDED], vec![]));
    let calls = world.store.calls();
    assert_eq!((calls.replaces, calls.loads, calls.deletes), (1, 2, 1), "one more look, then the delete");

    let mut browser = logged_in(&world).await;
    let (_visit, session) = opened(&world, &browser).await;
    change_password(&world, &mut browser).await;
    world.store.fail_next(Verb::Replace, FULL);
    assert_eq!(session.verify_fingerprint(NEW).await.unwrap_err().kind(), ErrorKind::Ended);
    assert!(check(&world, &mut browser, NEW).await.0.unwrap());
}

#[tokio::test]
async fn check_from_before_a_new_login_does_not_end_it() {
    type Handler = fn(&Session) -> Result<()>;
    let rivals: [(Handler, &str); 2] = [(|s| s.authenticate(ada(NEW)), NEW), (|s| s.rotate(), OLD)];
    for (rival, good) in rivals {
        let world = World::new();
        let mut browser = logged_in(&world).await;
        let (visit, session) = opened(&world, &browser).await;
        world.request(&mut browser, rival).await;
        world.events();
        let error = session.verify_fingerprint(NEW).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Ended, 409));
        assert_eq!((session.principal(), session.len()), (None, 0), "nor can this request go on");
        assert_eq!(world.events(), [SessionEventKind::WriteRefused]);
        world.store.reset_calls();
        let response = Browser::default().take(&visit.commit().await);
        assert_eq!((response.status, response.set_cookie()), (None, None), "the handler's own");
        assert_eq!(world.store.calls().total(), 0);
        assert!(check(&world, &mut browser, good).await.0.unwrap());
        assert_eq!(world.value(&mut browser, "a").await, Some(1));
    }
}

/// Of a check and a new login of the same session, in whatever order they reach the store, one is told.
#[tokio::test]
async fn check_beside_a_new_login_never_ends_it_in_silence() {
    let (mut stayed, mut ended) = (0, 0);
    for bits in 0..1 << 9 {
        let world = waiting_world();
        let mut browser = logged_in(&world).await;
        let (_checking, checked) = opened(&world, &browser).await;
        let (changing, session) = opened(&world, &browser).await;
        session.authenticate(ada(NEW)).unwrap();
        drop(session);
        let (answer, reply) = in_turns(bits, checked.verify_fingerprint(NEW), changing.commit()).await;
        let response = browser.take(&reply);
        match answer {
            Err(error) => {
                assert_eq!((error.kind(), response.status), (ErrorKind::Ended, None), "{bits:b}");
                assert!(check(&world, &mut browser, NEW).await.0.unwrap(), "{bits:b}");
                stayed += 1;
            }
            Ok(passes) => {
                assert_eq!((passes, response.status), (false, Some(409)), "{bits:b}");
                assert_eq!(response.set_cookie(), None, "{bits:b}");
                assert!(world.model.dump().is_empty(), "{bits:b}");
                ended += 1;
            }
        }
    }
    assert!(stayed > 20 && ended > 20, "both befall: {stayed} {ended}");
}

#[tokio::test]
async fn checks_beside_each_other_end_it_once() {
    for bits in 0..1 << 9 {
        let world = waiting_world();
        let browser = logged_in(&world).await;
        let (one, two) = (opened(&world, &browser).await, opened(&world, &browser).await);
        let answers = in_turns(bits, one.1.verify_fingerprint(NEW), two.1.verify_fingerprint(NEW)).await;
        assert!(!answers.0.unwrap() && !answers.1.unwrap(), "{bits:b}");
        assert_eq!((world.events(), world.model.dump()), (vec![ENDED], vec![]), "{bits:b}");
    }
}

/// Changes of the same login do not save a session: further values, and a renewed secret.
#[tokio::test]
async fn writes_beside_a_check_do_not_save_the_session() {
    let world = World::with(|builder| builder.with_renewal(Renewal::every(Duration::from_secs(600))));
    let browser = logged_in(&world).await;
    world.clock.advance(Duration::from_secs(600));
    let (_visit, session) = opened(&world, &browser).await;
    for _ in 0..2 {
        world.request(&mut browser.clone(), |s| s.update("n", |n: Option<u8>| n.unwrap_or(0) + 1)).await;
    }
    assert!(world.events().contains(&SessionEventKind::Renewed));
    assert!(!session.verify_fingerprint(NEW).await.unwrap());
    assert_eq!((world.events(), world.model.dump()), (vec![ENDED], vec![]));
}

#[tokio::test]
async fn login_of_this_request_whose_replies_were_lost_ends_as_well() {
    let world = World::new();
    let browser = logged_in(&world).await;
    let (_visit, session) = opened(&world, &browser).await;
    session.authenticate(ada(OLD)).unwrap();
    (0..3).for_each(|_| world.store.fail_next(Verb::Replace, LOST));
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    assert!(!session.verify_fingerprint(NEW).await.unwrap());
    assert!(world.model.dump().is_empty());
}

#[tokio::test]
async fn check_that_was_cut_short_is_finished_by_the_response() {
    for polls in 0..8 {
        let world = waiting_world();
        let mut browser = logged_in(&world).await;
        let (visit, session) = opened(&world, &browser).await;
        cut_short(polls, session.verify_fingerprint(NEW)).await;
        assert_eq!(session.principal().is_some(), polls == 0, "{polls}");
        drop(session);
        let response = browser.take(&visit.commit().await);
        assert_eq!((response.status, response.set_cookie()), (None, None), "{polls}");
        assert_eq!(world.model.dump().len(), usize::from(polls == 0), "{polls}");
    }
}

#[tokio::test]
async fn no_call_of_a_check_begins_after_the_deadline() {
    for (load_takes, takes, replaces, loads) in
        [(0, 100, 20, 20), (0, 1900, 2, 2), (0, 2000, 1, 1), (100, 1900, 1, 2), (99, 1900, 2, 2)]
    {
        let (load_takes, takes) = (Duration::from_millis(load_takes), Duration::from_millis(takes));
        let world = stubborn(load_takes, takes, None);
        let browser = logged_in(&world).await;
        world.store.reset_calls();
        let (_visit, session) = opened(&world, &browser).await;
        assert_eq!(session.verify_fingerprint(NEW).await.unwrap_err().kind(), ErrorKind::Contention);
        let calls = world.store.calls();
        assert_eq!((calls.replaces, calls.loads, calls.deletes), (replaces, loads, 0), "{takes:?}");
        assert_eq!(session.principal(), None);
    }
    // Nobody's already, and deleted with the response.
    let world = waiting_world();
    let browser = logged_in(&world).await;
    let (visit, session) = opened(&world, &browser).await;
    let late = async { world.clock.advance(Duration::from_secs(2)) };
    let (answer, ()) = futures_util::join!(session.verify_fingerprint(NEW), late);
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((world.store.calls().deletes, world.events()), (0, vec![]));
    assert_eq!(world.principal(&mut browser.clone()).await, None);
    world.events();
    assert_eq!(browser.clone().take(&visit.commit().await).status, None);
    assert_eq!((world.events(), world.model.dump()), (vec![ENDED], vec![]));
}

/// A write of the same session is stored before the end, or told that there is nothing to write to.
#[tokio::test]
async fn write_beside_a_check_is_told() {
    let (mut stored, mut told) = (0, 0);
    for bits in 0..1 << 9 {
        let world = waiting_world();
        let browser = logged_in(&world).await;
        world.store.reset_calls();
        let (_checking, checked) = opened(&world, &browser).await;
        let (writing, session) = opened(&world, &browser).await;
        session.set("b", &1).unwrap();
        drop(session);
        let (answer, reply) = in_turns(bits, checked.verify_fingerprint(NEW), writing.commit()).await;
        assert!(!answer.unwrap(), "{bits:b}");
        assert!(world.model.dump().is_empty(), "{bits:b}");
        match browser.clone().take(&reply).status {
            None => stored += 1,
            status => {
                assert_eq!(status, Some(409), "{bits:b}");
                assert_eq!(world.store.calls().replaces, 2, "{bits:b}: what is nobody's is not written to");
                told += 1;
            }
        }
    }
    assert!(stored > 20 && told > 20, "both befall: {stored} {told}");
}

/// Where the delete is lost, what is left opens to nobody and takes nothing in, however early it was loaded.
#[tokio::test]
async fn what_is_nobodys_takes_nothing_in() {
    let world = World::new();
    let browser = logged_in(&world).await;
    let (_checking, checked) = opened(&world, &browser).await;
    let (writing, writer) = opened(&world, &browser).await;
    let task = writer.detached().await.unwrap();
    world.store.fail_next(Verb::Delete, Failure::Before(StoreErrorKind::Unavailable));
    assert!(checked.verify_fingerprint(NEW).await.is_err());
    let left = world.model.dump();
    assert_eq!(left.len(), 1);
    assert_eq!(writer.detached().await.unwrap_err().kind(), ErrorKind::Ended);
    writer.set("b", &1).unwrap();
    assert_eq!(browser.clone().take(&writing.commit().await).status, Some(409));
    task.set("b", &1).unwrap();
    assert_eq!(task.save().await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(world.principal(&mut browser.clone()).await, None);
    assert_eq!(world.model.dump(), left);
}

/// A visitor's session that another request rotated is not ended by a login that was never stored.
#[tokio::test]
async fn login_that_was_never_stored_ends_no_rotated_session() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |s| s.set("basket", &1)).await;
    let (_visit, session) = opened(&world, &browser).await;
    world.request(&mut browser, |s| s.rotate()).await;
    session.authenticate(ada(OLD)).unwrap();
    assert_eq!(session.verify_fingerprint(NEW).await.unwrap_err().kind(), ErrorKind::Ended);
    assert_eq!(world.value(&mut browser, "basket").await, Some(1));
}
