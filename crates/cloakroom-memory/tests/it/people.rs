//! The sessions of a person, listed and ended through a manager over this store.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "shared by tests, which may fail")]

use std::time::{Duration, UNIX_EPOCH};

use cloakroom_core::{Clock, KeyRing, Login, Result, Session, SessionManager, Visit};
use cloakroom_memory::MemoryStore;

use crate::world::MINUTE;

struct House {
    clock: Clock,
    store: MemoryStore,
    sessions: SessionManager,
}

/// The `Cookie` header of a browser.
type Cookie = Option<String>;

impl House {
    fn new() -> Self {
        let clock = Clock::manual();
        Self::at(MemoryStore::new().with_clock(clock.clone()), clock)
    }

    /// Another instance of the same application.
    fn again(&self) -> Self {
        Self::at(self.store.clone(), self.clock.clone())
    }

    fn at(store: MemoryStore, clock: Clock) -> Self {
        let keys = KeyRing::from_secrets([b"that of a test, the same for all"]).unwrap();
        let builder = SessionManager::builder(store.clone(), keys);
        let sessions = builder.with_clock(clock.clone()).build().unwrap();
        Self { clock, store, sessions }
    }

    fn visit(&self, cookie: &Cookie) -> Visit {
        self.sessions.visit(cookie.iter().map(String::as_bytes))
    }

    /// One request; the status that took the place of the handler's, if any.
    async fn request<T>(
        &self,
        cookie: &mut Cookie,
        handler: impl FnOnce(&Session) -> Result<T>,
    ) -> (T, Option<u16>) {
        let visit = self.visit(cookie);
        let answer = handler(&visit.session().await.unwrap()).unwrap();
        let status = finish(&visit, cookie).await;
        (answer, status)
    }

    async fn login(&self, login: impl Into<Login>) -> Cookie {
        let mut cookie = None;
        let login = login.into();
        self.request(&mut cookie, |session| session.authenticate(login)).await;
        cookie
    }

    async fn principal(&self, cookie: &Cookie) -> Option<String> {
        self.request(&mut cookie.clone(), |session| Ok(session.principal())).await.0
    }

    async fn count(&self, principal: &str) -> usize {
        self.sessions.sessions_of(principal).await.unwrap().len()
    }
}

/// Commits, and keeps the cookie as a browser does.
async fn finish(visit: &Visit, cookie: &mut Cookie) -> Option<u16> {
    struct Headers(Vec<(String, String)>);
    impl cloakroom_core::ResponseHeaders for Headers {
        fn values(&self, _: &str) -> Vec<String> {
            Vec::new()
        }
        fn set(&mut self, name: &str, value: &str) {
            self.append_sensitive(name, value);
        }
        fn append_sensitive(&mut self, name: &str, value: &str) {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }
    let reply = visit.commit().await;
    let mut headers = Headers(Vec::new());
    reply.write_to(&mut headers);
    if let Some((_, line)) = headers.0.iter().find(|(name, _)| name == "set-cookie") {
        let pair = line.split(';').next().unwrap();
        *cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
    }
    reply.refusal().map(cloakroom_core::Error::status)
}

#[tokio::test]
async fn exactly_the_live_sessions_of_a_person_are_listed() {
    let house = House::new();
    let laptop = house.login("ada").await;
    let phone = house.login("ada").await;
    house.login("eve").await;
    house.request(&mut None, |s| s.set("basket", &1)).await;
    assert_eq!((house.count("ada").await, house.count("eve").await), (2, 1));
    assert_eq!((house.count("Ada").await, house.count("").await, house.count("bob").await), (0, 0, 0));
    // One is used, the other is not.
    house.clock.advance(29 * MINUTE);
    house.request(&mut laptop.clone(), |_| Ok(())).await;
    house.clock.advance(2 * MINUTE);
    let infos = house.sessions.sessions_of("ada").await.unwrap();
    assert_eq!(infos.len(), 1);
    assert!(infos[0].is_current(&house.visit(&laptop).session().await.unwrap()));
    assert_eq!(house.principal(&phone).await, None);
}

#[tokio::test]
async fn writes_rotations_and_further_logins_keep_one_entry() {
    let house = House::new();
    let mut cookie = house.login("ada").await;
    let before = house.sessions.sessions_of("ada").await.unwrap()[0].handle.clone();
    house.request(&mut cookie, |s| s.set("a", &1)).await;
    house.request(&mut cookie, |s| s.remove("a")).await;
    house.request(&mut cookie, Session::rotate).await;
    house.request(&mut cookie, |s| s.authenticate("ada")).await;
    let infos = house.sessions.sessions_of("ada").await.unwrap();
    assert_eq!(infos.len(), 1);
    assert_eq!(infos[0].handle, before, "and under the same name");
}

#[tokio::test]
async fn session_of_a_visitor_is_listed_once_he_logs_in_and_moves_with_another_login() {
    let house = House::new();
    let mut cookie = None;
    house.request(&mut cookie, |s| s.set("basket", &1)).await;
    assert_eq!(house.count("ada").await, 0);
    house.request(&mut cookie, |s| s.authenticate("ada")).await;
    assert_eq!((house.count("ada").await, house.count("eve").await), (1, 0));
    house.request(&mut cookie, |s| s.authenticate("eve")).await;
    assert_eq!((house.count("ada").await, house.count("eve").await), (0, 1));
    house
        .request(&mut cookie, |s| {
            s.logout();
            Ok(())
        })
        .await;
    assert_eq!(house.count("eve").await, 0);
    assert!(format!("{:?}", house.store).contains("indexed: 0"), "{:?}", house.store);
}

#[tokio::test]
async fn entry_goes_with_an_expired_session_though_nobody_looks() {
    let house = House::new();
    house.login("ada").await;
    house.clock.advance(31 * MINUTE);
    assert_eq!(house.count("ada").await, 0);
    // Anything else that happens to the store sweeps both.
    house.login("eve").await;
    house.clock.advance(13 * 60 * MINUTE);
    assert!(house.store.is_empty());
    assert!(format!("{:?}", house.store).contains("indexed: 0"), "{:?}", house.store);
}

#[tokio::test]
async fn names_of_people_are_taken_literally() {
    let house = House::new();
    let names =
        ["ada", "Ada", "ada ", "ada:1", "{ada}", "a\0da", "é", "e\u{301}", "🧥", &"x".repeat(1024), ""];
    for name in names {
        house.login(name).await;
    }
    for name in names {
        assert_eq!(house.count(name).await, 1, "{name:?}");
    }
}

#[tokio::test]
async fn listing_tells_when_where_and_which() {
    let house = House::new();
    let born = house.clock.wall();
    let laptop = house.login(Login::new("ada").with_label("device", "laptop")).await;
    house.clock.advance(10 * MINUTE);
    let phone = house.login(Login::new("ada").with_label("device", "phone")).await;
    house.clock.advance(10 * MINUTE);
    let infos = house.sessions.sessions_of("ada").await.unwrap();
    let labels: Vec<&str> = infos.iter().map(|info| info.labels[0].1.as_str()).collect();
    assert_eq!(labels, ["phone", "laptop"], "the last one seen first");
    assert_eq!(infos[1].created_at, UNIX_EPOCH + born);
    assert_eq!(infos[1].last_seen, UNIX_EPOCH + born);
    assert_eq!(infos[1].expires_at, UNIX_EPOCH + born + 30 * MINUTE);
    assert_eq!(infos[0].last_seen, UNIX_EPOCH + born + 10 * MINUTE);
    let own = house.visit(&laptop).session().await.unwrap();
    assert_eq!(infos.iter().map(|info| info.is_current(&own)).collect::<Vec<_>>(), [false, true]);
    house.request(&mut laptop.clone(), |_| Ok(())).await;
    let infos = house.sessions.sessions_of("ada").await.unwrap();
    assert_eq!(infos[0].last_seen, UNIX_EPOCH + house.clock.wall());
    assert!(infos[0].is_current(&own));
    let shown = format!("{infos:?}");
    let token = phone.unwrap().split_once('=').unwrap().1.to_owned();
    for secret in ["ada", "laptop", infos[0].handle.as_str(), &token] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn revoke_all_ends_all_and_nothing_comes_back() {
    let house = House::new();
    let mine = [house.login("ada").await, house.login("ada").await, house.login("ada").await];
    let eve = house.login("eve").await;
    let slow = house.visit(&mine[0]);
    let session = slow.session().await.unwrap();
    assert_eq!(house.sessions.revoke_all("ada").await.unwrap(), 3);
    assert_eq!(house.sessions.revoke_all("ada").await.unwrap(), 0);
    session.set("late", &1).unwrap();
    assert_eq!(finish(&slow, &mut mine[0].clone()).await, Some(409), "a write that was under way is told");
    for cookie in &mine {
        assert_eq!(house.principal(cookie).await, None);
    }
    assert_eq!((house.count("ada").await, house.count("eve").await, house.store.len()), (0, 1, 1));
    assert_eq!(house.principal(&eve).await.as_deref(), Some("eve"));
}

#[tokio::test]
async fn revoke_others_spares_the_one_that_asks() {
    let house = House::new();
    let (own, other) = (house.login("ada").await, house.login("ada").await);
    let session = house.visit(&own).session().await.unwrap();
    assert_eq!(house.sessions.revoke_others(&session).await.unwrap(), 1);
    assert_eq!(house.principal(&own).await.as_deref(), Some("ada"));
    assert_eq!(house.principal(&other).await, None);
    let nobody = house.visit(&None).session().await.unwrap();
    assert!(house.sessions.revoke_others(&nobody).await.is_err());
}

#[tokio::test]
async fn one_session_is_revoked_by_its_handle_and_its_owner() {
    let house = House::new();
    let (laptop, phone) = (house.login("ada").await, house.login("ada").await);
    let handle = house.visit(&phone).session().await.unwrap().handle().unwrap();
    assert!(!house.sessions.revoke("eve", &handle).await.unwrap(), "it is not hers");
    assert_eq!(house.principal(&phone).await.as_deref(), Some("ada"));
    assert!(house.sessions.revoke("ada", &handle).await.unwrap());
    assert!(!house.sessions.revoke("ada", &handle).await.unwrap(), "it has gone");
    assert_eq!(
        (house.principal(&laptop).await.as_deref(), house.principal(&phone).await),
        (Some("ada"), None)
    );
}

/// Two instances of an application: what one of them ends is over for the other at once.
#[tokio::test]
async fn revocation_holds_for_every_instance() {
    let here = House::new();
    let there = here.again();
    let (mine, other) = (here.login("ada").await, there.login("ada").await);
    let (eve, writer) = (there.login("eve").await, there.visit(&mine));
    let parked = writer.session().await.unwrap();
    for cookie in [&mine, &other] {
        assert_eq!(there.principal(cookie).await.as_deref(), Some("ada"));
    }
    assert_eq!(here.sessions.revoke_all("ada").await.unwrap(), 2);
    for cookie in [&mine, &other] {
        assert_eq!(there.principal(cookie).await, None);
        assert_eq!(here.principal(cookie).await, None);
    }
    parked.set("late", &1).unwrap();
    assert_eq!(finish(&writer, &mut mine.clone()).await, Some(409));
    assert_eq!((there.count("ada").await, there.principal(&eve).await.as_deref()), (0, Some("eve")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_login_before_a_revocation_is_over_after_it() {
    for _ in 0..20 {
        cloakroom_testkit::logins_beside_revocations(MemoryStore::new()).await;
    }
}

#[tokio::test]
async fn login_beside_a_revocation_is_whole_or_ended() {
    // A login that was stored before the list was read is ended, one that is stored later stays.
    let house = House::new();
    let mut cookie = None;
    let visit = house.visit(&cookie);
    visit.session().await.unwrap().authenticate("ada").unwrap();
    assert_eq!(house.sessions.revoke_all("ada").await.unwrap(), 0);
    assert_eq!(finish(&visit, &mut cookie).await, None);
    assert_eq!((house.principal(&cookie).await.as_deref(), house.count("ada").await), (Some("ada"), 1));
    assert_eq!(house.sessions.revoke_all("ada").await.unwrap(), 1);
    assert_eq!((house.principal(&cookie).await, house.count("ada").await), (None, 0));
    house.clock.advance(Duration::from_secs(1));
}
