//! Sessions that their clients carry: what holds without a store, and what is said not to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_codec::sealed_text_len;
use cloakroom_core::{
    Backend, Clock, CookiePolicy, EndReason, ErrorKind, Expiry, KeyRing, RejectReason, Renewal, Result,
    Session, SessionEvent, SessionEventKind, SessionEvents, SessionManager, SessionManagerBuilder,
};

use crate::world::{Browser, Response};

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) sessions: SessionManager,
    events: Log,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<SessionEventKind>>>);

impl SessionEvents for Log {
    fn on_event(&self, event: &SessionEvent) {
        assert!(event.handle().is_none(), "there is no handle to tell");
        self.0.lock().unwrap().push(event.kind());
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(KeyRing::generate(), |builder| builder)
    }

    fn with(keys: KeyRing, policy: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder) -> Self {
        let (clock, events) = (Clock::manual(), Log::default());
        let builder = SessionManager::builder(Backend::client_side(), keys)
            .with_clock(clock.clone())
            .with_events(events.clone());
        Self { clock, sessions: policy(builder).build().unwrap(), events }
    }

    pub(crate) async fn request<T>(
        &self,
        browser: &mut Browser,
        handler: impl FnOnce(&Session) -> Result<T>,
    ) -> (T, Response) {
        let header = browser.token.as_ref().map(|token| format!("__Host-session={token}"));
        let visit = self.sessions.visit(header.iter().map(String::as_bytes));
        let session = visit.session().await.unwrap();
        let answer = handler(&session).unwrap();
        drop(session);
        let reply = visit.commit_at_once().expect("there is no store to wait for");
        (answer, browser.take(&reply))
    }

    pub(crate) async fn value(&self, browser: &mut Browser, key: &str) -> Option<i64> {
        self.request(browser, |session| session.get(key)).await.0
    }

    pub(crate) fn events(&self) -> Vec<SessionEventKind> {
        std::mem::take(&mut *self.events.0.lock().unwrap())
    }
}

#[tokio::test]
async fn the_cookie_is_the_session_and_shows_nothing_of_it() {
    let (world, mut browser) = (World::new(), Browser::default());
    let ((), response) = world
        .request(&mut browser, |session| {
            session.set("colour", "vermilion")?;
            session.authenticate("ada")
        })
        .await;
    assert_eq!(world.events(), [SessionEventKind::Created, SessionEventKind::Authenticated]);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(response.set_cookie().unwrap().contains("; Path=/; Secure; HttpOnly; SameSite=Lax"));
    let (seen, response) = world
        .request(&mut browser, |session| {
            assert!(!session.is_new());
            assert_eq!(session.handle(), None);
            Ok((session.get::<String>("colour")?, session.principal()))
        })
        .await;
    assert_eq!(seen, (Some("vermilion".to_owned()), Some("ada".to_owned())));
    assert_eq!(response.set_cookie(), None, "it is not sent again without a reason");
    let text = browser.token.unwrap();
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&text).unwrap();
    for secret in ["vermilion", "colour", "ada"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
async fn a_stranger_costs_nothing_and_gets_nothing() {
    let (world, mut browser) = (World::new(), Browser::default());
    for _ in 0..3 {
        let (seen, response) = world
            .request(&mut browser, |session| {
                session.set("a", &1)?;
                session.remove("a")?;
                session.remember(Duration::from_secs(86_400))?;
                session.get::<i64>("a")
            })
            .await;
        assert_eq!((seen, response.set_cookie()), (None, None));
        let ((), response) = world
            .request(&mut browser, |session| {
                session.logout();
                Ok(())
            })
            .await;
        assert_eq!(response.set_cookie(), None);
    }
    assert_eq!(world.events(), []);
}

#[tokio::test]
async fn whatever_is_not_ours_is_a_strangers() {
    let world = World::new();
    let mut browser = Browser::default();
    world.request(&mut browser, |session| session.set("a", &1)).await;
    let good = browser.token.clone().unwrap();
    world.events();
    let mut changed = good.clone().into_bytes();
    changed[40] = if changed[40] == b'A' { b'B' } else { b'A' };
    let foreign = {
        let mut other = Browser::default();
        World::new().request(&mut other, |session| session.set("a", &2)).await;
        other.token.unwrap()
    };
    let long = "A".repeat(5000);
    for bad in
        ["", "A", "\"", &good[1..], &good[..99], std::str::from_utf8(&changed).unwrap(), &foreign, &long]
    {
        assert_eq!(world.value(&mut Browser::with(bad), "a").await, None, "{bad}");
        assert_eq!(world.events(), [SessionEventKind::TokenRejected(RejectReason::Forged)], "{bad}");
    }
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
}

#[tokio::test]
async fn two_authentic_ones_count_as_none_and_one_twice_as_one() {
    let (world, mut one, mut two) = (World::new(), Browser::default(), Browser::default());
    world.request(&mut one, |session| session.set("a", &1)).await;
    world.request(&mut two, |session| session.set("a", &2)).await;
    world.events();
    let (one, two) = (one.token.unwrap(), two.token.unwrap());
    let read = async |header: String| {
        let visit = world.sessions.visit([header.as_bytes()]);
        visit.session().await.unwrap().get::<i64>("a").unwrap()
    };
    assert_eq!(read(format!("__Host-session={one}; __Host-session={one}")).await, Some(1));
    assert_eq!(read(format!("__Host-session=x; __Host-session={two}")).await, Some(2));
    assert_eq!(world.events(), []);
    assert_eq!(read(format!("__Host-session={one}; __Host-session={two}")).await, None);
    assert_eq!(world.events(), [SessionEventKind::TokenRejected(RejectReason::Ambiguous)]);
}

#[tokio::test]
async fn idle_and_absolute_deadlines_are_in_the_seal() {
    let expiry = Expiry::new(Duration::from_secs(100), Duration::from_secs(350));
    let world = World::with(KeyRing::generate(), |builder| builder.with_expiry(expiry));
    let mut browser = Browser::default();
    world.request(&mut browser, |session| session.set("a", &1)).await;
    let kept = browser.clone();
    // Used within the throttle: not sealed anew.
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.request(&mut browser, |session| session.get::<i64>("a")).await.1.set_cookie(), None);
    // Used after it: kept alive.
    world.clock.advance(Duration::from_secs(1));
    let (seen, response) = world.request(&mut browser, |session| session.get::<i64>("a")).await;
    assert!(seen == Some(1) && response.set_cookie().is_some());
    world.clock.advance(Duration::from_secs(88));
    assert_eq!(world.value(&mut kept.clone(), "a").await, Some(1), "1 s before the idle deadline");
    world.clock.advance(Duration::from_secs(1));
    world.events();
    assert_eq!(world.value(&mut kept.clone(), "a").await, None);
    assert_eq!(world.events(), [SessionEventKind::Ended(EndReason::Idle)]);
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(world.value(&mut browser, "a").await, Some(1));
    }
    // 340 s old; used, it ends all the same at 350.
    world.clock.advance(Duration::from_secs(10));
    world.events();
    assert_eq!(world.value(&mut browser, "a").await, None);
    assert_eq!(world.events(), [SessionEventKind::Ended(EndReason::Absolute)]);
}

#[tokio::test]
async fn a_late_write_beyond_the_deadline_is_refused() {
    let expiry = Expiry::new(Duration::from_secs(10), Duration::from_secs(10));
    let world = World::with(KeyRing::generate(), |builder| builder.with_expiry(expiry));
    let mut browser = Browser::default();
    world.request(&mut browser, |session| session.set("a", &1)).await;
    world.events();
    let ((), response) = world
        .request(&mut browser, |session| {
            world.clock.advance(Duration::from_secs(10));
            session.set("a", &2)
        })
        .await;
    assert_eq!((response.status, response.set_cookie()), (Some(409), None));
    assert!(world.events().contains(&SessionEventKind::WriteRefused));
}

#[tokio::test]
async fn saved_before_something_too_large_it_is_sent_with_the_refusal() {
    let (world, mut browser) = (World::new(), Browser::default());
    let visit = world.sessions.visit([]);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    session.save().await.unwrap();
    session.set("b", &"x".repeat(2040)).unwrap();
    world.events();
    let response = browser.take(&visit.commit().await);
    assert!(response.status == Some(413) && response.set_cookie().is_some(), "{response:?}");
    assert!(!world.events().contains(&SessionEventKind::WriteRefused), "the session goes on");
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
}

#[tokio::test]
async fn upkeep_that_cannot_be_sealed_lets_the_response_pass() {
    let ring = || KeyRing::from_secrets([[[1; 16], [2; 16]].concat()]).unwrap();
    let (large, mut browser) = (World::with(ring(), |builder| builder), Browser::default());
    large.request(&mut browser, |session| session.set("a", &"x".repeat(1000))).await;
    let small = World::with(ring(), |builder| builder.with_max_size(512));
    small.clock.advance(Duration::from_secs(600));
    let (len, response) = small.request(&mut browser, |session| Ok(session.len())).await;
    assert_eq!((len, response.status, response.set_cookie()), (1, None, None));
    assert_eq!(small.events(), [SessionEventKind::UpkeepFailed]);
}

#[tokio::test]
async fn logout_makes_the_browser_forget_and_a_copy_goes_on() {
    let (world, mut browser) = (World::new(), Browser::default());
    world.request(&mut browser, |session| session.authenticate("ada")).await;
    let mut copy = browser.clone();
    world.events();
    let ((), response) = world
        .request(&mut browser, |session| {
            session.logout();
            assert_eq!(session.set("a", &1).unwrap_err().kind(), ErrorKind::LoggedOut);
            Ok(())
        })
        .await;
    assert!(response.set_cookie().unwrap().contains("Max-Age=0"));
    assert_eq!(
        (browser.token.as_ref(), world.events()),
        (None, vec![SessionEventKind::Ended(EndReason::Logout)])
    );
    // This is what the docs of `client_side` say.
    let seen = world.request(&mut copy, |session| Ok(session.principal())).await.0;
    assert_eq!(seen.as_deref(), Some("ada"));
}

/// Whoever uses a copy keeps it alive, as its owner would: this too is what the docs of `client_side` say.
#[tokio::test]
async fn a_copy_in_use_goes_on_to_its_absolute_deadline() {
    let expiry = Expiry::new(Duration::from_secs(100), Duration::from_secs(350));
    let world = World::with(KeyRing::generate(), |builder| builder.with_expiry(expiry));
    let mut browser = Browser::default();
    world.request(&mut browser, |session| session.authenticate("ada")).await;
    let mut copy = browser.clone();
    world
        .request(&mut browser, |session| {
            session.logout();
            Ok(())
        })
        .await;
    for passed in [60, 60, 60, 60, 60, 50] {
        let seen = world.request(&mut copy, |session| Ok(session.principal())).await.0;
        assert_eq!(seen.as_deref(), Some("ada"));
        world.clock.advance(Duration::from_secs(passed));
    }
    assert_eq!(world.request(&mut copy, |session| Ok(session.principal())).await.0, None);
}

#[tokio::test]
async fn an_expired_one_is_taken_away_by_logout_only() {
    let (world, mut browser) = (World::new(), Browser::default());
    world.request(&mut browser, |session| session.set("a", &1)).await;
    world.clock.advance(Duration::from_secs(3600));
    let (seen, response) = world.request(&mut browser, |session| session.get::<i64>("a")).await;
    assert_eq!((seen, response.set_cookie()), (None, None));
    let ((), response) = world
        .request(&mut browser, |session| {
            session.logout();
            Ok(())
        })
        .await;
    assert!(response.set_cookie().unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_anything_is_sent() {
    let (world, mut browser) = (World::new(), Browser::default());
    world.request(&mut browser, |session| session.set("a", &1)).await;
    let before = browser.token.clone();
    let mut count = 0;
    let refused = loop {
        let name = format!("v{count}");
        let ((), response) = world.request(&mut browser, |session| session.set(&name, &"x".repeat(90))).await;
        if response.status.is_some() {
            break response;
        }
        assert!(response.set_cookie().unwrap().len() <= 4093);
        count += 1;
        assert!(count < 100, "nothing is ever too large");
    };
    assert!((18..=21).contains(&count), "{count} values of 90 bytes are 2 KiB");
    assert_eq!((refused.status, refused.set_cookie()), (Some(413), None));
    assert_ne!(browser.token, before);
    let (kept, _) = world.request(&mut browser, |session| Ok(session.len())).await;
    assert_eq!(kept, count + 1, "what fitted is there");
    let (alone, _) = world.request(&mut browser, |session| Ok(session.set("b", &"x".repeat(2100)))).await;
    assert_eq!(alone.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn the_largest_that_builds_fits_into_a_browser() {
    let build = |policy: CookiePolicy, size: usize| {
        SessionManager::builder(Backend::client_side(), KeyRing::generate())
            .with_cookie(policy)
            .with_max_size(size)
            .build()
    };
    for policy in [
        CookiePolicy::default(),
        CookiePolicy::new("n".repeat(128))
            .with_domain("d".repeat(253))
            .with_path(format!("/{}", "p".repeat(500))),
    ] {
        let largest = (512..4096).rev().find(|size| build(policy.clone(), *size).is_ok()).unwrap();
        let refused = build(policy.clone(), largest + 1).unwrap_err().to_string();
        assert!(refused.contains(&format!("at most {largest} do")), "{refused}");
        for size in [largest, largest - 40] {
            let (text, _) = fill(&build(policy.clone(), size).unwrap(), largest).await;
            assert_eq!(text, sealed_text_len(size), "the size is the limit to the byte, and the line never");
        }
        let (_, longest) = fill(&build(policy, largest).unwrap(), largest).await;
        assert!((4080..=4093).contains(&longest), "the longest line was {longest} bytes");
    }
    let refused = build(CookiePolicy::default(), 64 * 1024).unwrap_err().to_string();
    assert!(refused.contains("do not fit into a cookie"), "{refused}");
}

/// It would do nothing, and whoever asks for it relies on what it does.
#[test]
fn renewal_is_refused() {
    let refused = SessionManager::builder(Backend::client_side(), KeyRing::generate())
        .with_renewal(Renewal::every(Duration::from_secs(900)))
        .build();
    assert!(refused.unwrap_err().to_string().contains("leave `with_renewal` out"));
}

/// The lengths of the longest text that is sent, and of its line.
async fn fill(sessions: &SessionManager, largest: usize) -> (usize, usize) {
    let mut last = None;
    for size in 0..largest {
        let visit = sessions.visit([]);
        let session = visit.session().await.unwrap();
        session.remember(Duration::from_secs(3600 * 24 * 3650)).unwrap();
        if session.set("a", &"x".repeat(size)).is_err() {
            break;
        }
        drop(session);
        let reply = visit.commit().await;
        let mut browser = Browser::default();
        let response = browser.take(&reply);
        if let Some(error) = reply.refusal() {
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            break;
        }
        last = Some((browser.token.unwrap().len(), response.set_cookie().unwrap().len()));
    }
    last.unwrap()
}

#[tokio::test]
async fn keys_change_over_with_the_next_use() {
    let secret = |byte: u8| {
        let mut secret = [byte; 32];
        secret[0] = !byte;
        secret
    };
    let ring = |bytes: &[u8]| KeyRing::from_secrets(bytes.iter().map(|byte| secret(*byte))).unwrap();
    let before = World::with(ring(&[1]), |builder| builder);
    let mut browser = Browser::default();
    before.request(&mut browser, |session| session.set("a", &1)).await;
    let during = World::with(ring(&[2, 1]), |builder| builder);
    let (seen, response) = during.request(&mut browser, |session| session.get::<i64>("a")).await;
    assert!(seen == Some(1) && response.set_cookie().is_some(), "it is sealed anew");
    assert_eq!(during.request(&mut browser, |session| session.get::<i64>("a")).await.1.set_cookie(), None);
    let after = World::with(ring(&[2]), |builder| builder);
    assert_eq!(after.value(&mut browser, "a").await, Some(1));
}

#[tokio::test]
async fn saved_early_it_is_sent_with_the_response() {
    let (world, mut browser) = (World::new(), Browser::default());
    let visit = world.sessions.visit([]);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    session.save().await.unwrap();
    session.set("a", &2).unwrap();
    session.save().await.unwrap();
    drop(session);
    browser.take(&visit.commit().await);
    assert_eq!(world.value(&mut browser, "a").await, Some(2));
    assert_eq!(world.events(), [SessionEventKind::Created]);
}

#[tokio::test]
async fn what_needs_a_store_is_unsupported() {
    let (world, mut browser) = (World::new(), Browser::default());
    world.request(&mut browser, |session| session.authenticate("ada")).await;
    assert_eq!(world.sessions.sessions_of("ada").await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(world.sessions.revoke_all("ada").await.unwrap_err().kind(), ErrorKind::Unsupported);
    let header = format!("__Host-session={}", browser.token.unwrap());
    let visit = world.sessions.visit([header.as_bytes()]);
    let session = visit.session().await.unwrap();
    assert_eq!(session.detached().await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(world.sessions.revoke_others(&session).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(session.principal().as_deref(), Some("ada"), "and the session is as it was");
}

#[tokio::test]
async fn a_header_carries_it_as_well() {
    let world = World::with(KeyRing::generate(), |builder| builder.with_header("x-session"));
    let visit = world.sessions.visit([]);
    visit.session().await.unwrap().set("a", &1).unwrap();
    let mut response = Response::default();
    visit.commit().await.write_to(&mut response);
    let carried = response.header("x-session").unwrap().to_owned();
    let visit = world.sessions.visit([b"".as_slice(), carried.as_bytes(), carried.as_bytes()]);
    assert_eq!(visit.session().await.unwrap().get::<i64>("a").unwrap(), Some(1));
    for (others, seen) in [(3, Some(1)), (4, None)] {
        let others: Vec<String> = (0..others).map(|n| format!("other{n}")).collect();
        let headers = others.iter().map(String::as_bytes).chain([carried.as_bytes()]);
        let visit = world.sessions.visit(headers);
        let told = visit.session().await.unwrap().get::<i64>("a").unwrap();
        assert_eq!(told, seen, "four different ones are looked at");
    }
}

#[tokio::test]
async fn remembered_it_outlives_the_browser() {
    let (world, mut browser) = (World::new(), Browser::default());
    let ((), response) = world
        .request(&mut browser, |session| {
            session.authenticate("ada")?;
            session.remember(Duration::from_secs(30 * 24 * 3600))
        })
        .await;
    assert!(response.set_cookie().unwrap().contains("; Max-Age=2592000"));
    world.clock.advance(Duration::from_secs(20 * 24 * 3600));
    let seen = world.request(&mut browser, |session| Ok(session.principal())).await.0;
    assert_eq!(seen.as_deref(), Some("ada"));
}
