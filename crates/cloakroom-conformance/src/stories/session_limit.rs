//! How many sessions a person may have at once. Needs a backend with an index of principals.
//!
//! A service that is given a limit ends the session whose login is the longest ago.

use std::time::Duration;

use super::index::{device, list, own_handle};
use super::{App, Client, Response, Settings};
use crate::crowd::at_once;

/// More than the millisecond that tells two logins apart.
const APART: Duration = Duration::from_millis(20);

/// Two sessions are allowed. A person logs in on three devices, on the one that came first as the last.
///
/// 1. The login that is the longest ago gives way, however old the other sessions are: that device is a stranger,
///    without a cookie in its response.
/// 2. The list has the two others. Other people are not affected, nor visitors who are not logged in.
pub async fn limit_evicts_the_oldest_login(app: &impl App) {
    let instance = app.start(Settings::new().with_max_sessions(2)).await;
    let (last, stranger) = (Client::of(&instance), Client::of(&instance));
    last.put("/value/cart", "3").await.is(204);
    stranger.put("/value/cart", "4").await.is(204);
    let eve = device(&instance, "eve").await;
    let first = device(&instance, "ada").await;
    first.put("/value/diary", "\"private\"").await.is(204);
    super::pass(APART).await;
    let second = device(&instance, "ada").await;
    super::pass(APART).await;
    last.post("/login/ada").await.is(204);
    let seen = first.get("/session").await.is(200).sets_no_cookie().json();
    assert!(seen["new"] == true && seen["principal"].is_null(), "the evicted session is {seen}");
    first.get("/value/diary").await.is(404);
    first.get("/sessions").await.is(401);
    assert!(second.is_known().await, "the wrong session was evicted");
    assert!(last.get("/value/cart").await.is(200).body() == b"3", "the login lost what the visitor had");
    assert!(list(&second).await.len() == 2, "the evicted session is listed");
    assert!(eve.is_known().await && stranger.is_known().await, "somebody else's session was evicted");
}

/// Three sessions are allowed. A person logs in on twelve devices at the same moment, again and again.
///
/// 1. No device ever sees more than three sessions.
/// 2. In the end three devices are logged in, and the list has those.
pub async fn parallel_logins_stay_within_the_limit(app: &impl App) {
    let instance = app.start(Settings::new().with_max_sessions(3)).await;
    let mut devices = Vec::new();
    for round in 0..3 {
        devices.extend(
            at_once(12, |_| {
                let device = Client::of(&instance);
                async move {
                    device.post("/login/ada").await.is(204);
                    let seen = device.get("/sessions").await;
                    let listed = if seen.status() == 401 { 0 } else { length(&seen.is(200)) };
                    assert!(listed <= 3, "{listed} sessions are listed at once; the limit is 3");
                    device
                }
            })
            .await,
        );
        let mut known = Vec::new();
        for device in &devices {
            if device.is_known().await {
                known.push(device);
            }
        }
        let count = known.len();
        assert!(count == 3, "{count} devices are logged in after round {round}; the limit is 3");
        for device in known {
            assert!(list(device).await.len() == 3, "the list is not that of the devices that are logged in");
        }
    }
}

/// One session is allowed. A write is parked, and the person logs in elsewhere meanwhile.
///
/// 1. It is refused without a cookie, and the evicted session does not come back.
pub async fn evicted_session_does_not_come_back(app: &impl App) {
    let instance = app.start(Settings::new().with_max_sessions(1)).await;
    let evicted = device(&instance, "ada").await;
    let writers = ["/slow/400/value/n", "/slow/400/add/n/1"].map(|path| {
        let writer = evicted.clone();
        tokio::spawn(async move { writer.ask(super::Request::new("POST", path).with_body("1")).await })
    });
    super::pass(Duration::from_millis(200)).await;
    let here = device(&instance, "ada").await;
    for write in writers {
        match write.await {
            Ok(response) => response.says_session_ended(),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
    }
    assert!(!evicted.is_known().await, "the evicted session came back");
    assert!(here.is_known().await, "the login that evicted it is gone");
    assert!(list(&here).await.len() == 1, "the evicted session is listed");
}

/// Two sessions are allowed. A person with two devices logs in again on the older one, as to prove who it is.
///
/// 1. Nobody is logged out, however often that happens.
/// 2. The next login elsewhere ends the session whose login is the longest ago by then: that of the other device.
pub async fn login_again_is_not_counted_twice(app: &impl App) {
    let instance = app.start(Settings::new().with_max_sessions(2)).await;
    let (older, newer) = (device(&instance, "ada").await, device(&instance, "ada").await);
    for _ in 0..3 {
        super::pass(APART).await;
        older.post("/login/ada").await.is(204);
        older.post("/rotate").await.is(204);
        assert!(older.is_known().await && newer.is_known().await, "a login in a session took a second place");
    }
    assert!(list(&newer).await.len() == 2, "a session is listed twice");
    super::pass(APART).await;
    let third = device(&instance, "ada").await;
    assert!(!newer.is_known().await, "the login that was the longest ago did not give way");
    assert!(older.is_known().await && third.is_known().await, "the wrong session was evicted");
}

/// Two sessions are allowed. One of them ends, and the person logs in anew at once.
///
/// 1. After a logout, a revocation and somebody else's login in the same browser there is room: the other session,
///    whose login is the longest ago, stays.
/// 2. Somebody else's session is not taken for the one that it was.
pub async fn ended_sessions_take_no_place(app: &impl App) {
    let instance = app.start(Settings::new().with_max_sessions(2)).await;
    let stays = device(&instance, "ada").await;
    for end in ["logout", "revocation", "login of somebody else"] {
        super::pass(APART).await;
        let ends = device(&instance, "ada").await;
        match end {
            "logout" => ends.post("/logout").await.is(204),
            "revocation" => stays.delete(&format!("/sessions/{}", own_handle(&ends).await)).await.is(204),
            _ => ends.post("/login/eve").await.is(204),
        };
        super::pass(APART).await;
        let next = device(&instance, "ada").await;
        assert!(stays.is_known().await && next.is_known().await, "after a {end} there is no room");
        assert!(list(&stays).await.len() == 2, "after a {end} the list is not that of who is logged in");
        assert!(
            (end == "login of somebody else") == ends.is_known().await,
            "after a {end} the wrong session goes on"
        );
        next.post("/logout").await.is(204);
    }
}

fn length(listing: &Response) -> usize {
    listing.json().as_array().map_or(0, Vec::len)
}
