//! Logins of sessions that their clients carry: outdated, and remembered.

use std::time::Duration;

use cloakroom_core::{EndReason, Login, Result, Session, SessionEventKind};

use crate::client_side::World;
use crate::world::Browser;

/// Nothing but the client's copy can be ended; another copy goes on, and falls at each check of its own.
#[tokio::test]
async fn outdated_login_makes_the_browser_forget_and_a_copy_falls_at_its_own_check() {
    let world = World::new();
    let ada = |fingerprint: &str| Login::new("ada").with_fingerprint(fingerprint);
    let check = async |browser: &mut Browser, noted: Option<Login>| {
        let header = browser.token.as_ref().map(|token| format!("__Host-session={token}"));
        let visit = world.sessions.visit(header.iter().map(String::as_bytes));
        let session = visit.session().await.unwrap();
        noted.into_iter().for_each(|login| session.authenticate(login).unwrap());
        world.events();
        let passes = session.verify_fingerprint("new").await.unwrap();
        assert_eq!(session.principal().is_some(), passes);
        let reply = visit.commit_at_once().expect("there is no store to wait for");
        (passes, browser.take(&reply))
    };
    let mut browser = Browser::default();
    world.request(&mut browser, |session| session.authenticate(ada("old"))).await;
    let (mut copy, mut changing) = (browser.clone(), browser.clone());
    for browser in [&mut browser, &mut copy] {
        let kept = browser.clone();
        let (passes, response) = check(browser, None).await;
        assert!(!passes && response.set_cookie().unwrap().contains("Max-Age=0"));
        assert_eq!(world.events(), [SessionEventKind::Ended(EndReason::CredentialsChanged)]);
        let seen = world.request(&mut kept.clone(), |session| Ok(session.principal())).await.0;
        assert_eq!(seen.as_deref(), Some("ada"), "without a check, a copy goes on");
        assert!(!check(&mut kept.clone(), None).await.0);
    }
    // The login of this request is what counts.
    let (passes, response) = check(&mut changing, Some(ada("new"))).await;
    assert!(passes && response.set_cookie().is_some());
    assert!(check(&mut changing, None).await.0);
    // A stranger has nothing to forget, whatever he tried.
    for noted in [None, Some(ada("old"))] {
        let (passes, response) = check(&mut Browser::default(), noted).await;
        assert_eq!((passes, response.set_cookie(), world.events()), (false, None, vec![]));
    }
}

#[tokio::test]
async fn a_remembered_cookie_is_sent_with_what_is_left() {
    let (world, mut browser) = (World::new(), Browser::default());
    let day = 86_400;
    let month = Duration::from_secs(30 * day);
    let sent = async |browser: &mut Browser, handler: fn(&Session) -> Result<()>| {
        let line = world.request(browser, handler).await.1.set_cookie()?.to_owned();
        line.split("; Max-Age=").nth(1)?.split(';').next()?.parse::<u64>().ok()
    };
    world.request(&mut browser, |session| session.authenticate("ada")).await;
    world.request(&mut browser, |session| session.remember(Duration::from_secs(30 * 86_400))).await;
    world.clock.advance(Duration::from_secs(day));
    assert_eq!(sent(&mut browser, |_| Ok(())).await, None, "nothing became longer");
    assert_eq!(sent(&mut browser, |session| session.set("a", &1)).await, Some(29 * day));
    assert_eq!(sent(&mut browser, |session| session.rotate()).await, Some(29 * day));
    assert_eq!(sent(&mut browser, |session| session.authenticate("ada")).await, Some(30 * day));
    world.clock.advance(month - Duration::from_millis(1));
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
    assert_eq!(sent(&mut browser, |session| session.authenticate("eve")).await, None);
}
