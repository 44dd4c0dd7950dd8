//! A person's sessions, listed and ended. Needs a backend with an index of principals.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{App, Client, Instance, Settings};
use crate::crowd::at_once;

/// A person is logged in on three devices, somebody else on one.
///
/// 1. Each device sees the person's three sessions, one of them marked as its own.
/// 2. Each tells when it began and when it was last seen.
/// 3. Nobody sees the sessions of others, and a stranger is asked to log in.
pub async fn sessions_of_a_person_are_listed(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let devices =
        [device(&instance, "ada").await, device(&instance, "ada").await, device(&instance, "ada").await];
    let eve = device(&instance, "eve").await;
    let mut own = Vec::new();
    for device in &devices {
        let listed = list(device).await;
        assert!(listed.len() == 3, "{} sessions are listed; the story wants 3", listed.len());
        let current: Vec<&Value> = listed.iter().filter(|entry| entry["current"] == true).collect();
        let [current] = current[..] else { panic!("{} sessions are the current one", current.len()) };
        own.push(current["handle"].clone());
        for entry in &listed {
            let (began, seen) = (entry["created_at"].as_u64(), entry["last_seen"].as_u64());
            assert!(began.is_some() && began <= seen, "a session is listed as {entry}");
            let told: Vec<_> = entry.as_object().into_iter().flat_map(|entry| entry.keys()).collect();
            assert!(
                told == ["created_at", "current", "handle", "last_seen"],
                "a session is listed as {entry}"
            );
        }
    }
    own.sort_by_key(Value::to_string);
    own.dedup();
    assert!(own.len() == 3, "two devices have one handle");
    assert!(list(&eve).await.len() == 1, "eve sees more than her own session");
    Client::of(&instance).get("/sessions").await.is(401).sets_no_cookie();
}

/// A handle from the listing is tried as a token.
///
/// 1. It opens nothing.
pub async fn listed_handle_is_no_token(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let ada = device(&instance, "ada").await;
    let listed = list(&ada).await;
    let handle = listed.first().and_then(|entry| entry["handle"].as_str()).unwrap_or_default().to_owned();
    let thief = Client::with_cookies(&instance, [("__Host-session".to_owned(), handle)].into());
    assert!(!thief.is_known().await, "a listed handle logs in");
}

/// A person ends the session of a lost device.
///
/// 1. That device is a stranger from then on; the others are not.
/// 2. The handle is unknown afterwards, as are made-up ones and those of other people.
pub async fn one_session_is_revoked_by_its_handle(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (lost, kept) = (device(&instance, "ada").await, device(&instance, "ada").await);
    let eve = device(&instance, "eve").await;
    let handle = own_handle(&lost).await;
    eve.delete(&format!("/sessions/{handle}")).await.is(404);
    assert!(lost.is_known().await, "somebody else ended the session");
    kept.delete(&format!("/sessions/{handle}")).await.is(204).sets_no_cookie();
    let seen = lost.get("/session").await.is(200).sets_no_cookie().json();
    assert!(seen["new"] == true && seen["principal"].is_null(), "the revoked session is {seen}");
    assert!(kept.is_known().await, "the wrong session was ended");
    assert!(list(&kept).await.len() == 1, "the revoked session is still listed");
    for handle in [handle.as_str(), "nothing", &"A".repeat(43), "..%2F.."] {
        kept.delete(&format!("/sessions/{handle}")).await.is(404);
    }
    Client::of(&instance).delete(&format!("/sessions/{}", own_handle(&kept).await)).await.is(401);
}

/// A person ends all other sessions.
///
/// 1. As many as there were are counted; this one goes on.
/// 2. Other people's go on, too.
pub async fn all_other_sessions_are_revoked(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (here, there) = (device(&instance, "ada").await, device(&instance, "ada").await);
    let (elsewhere, eve) = (device(&instance, "ada").await, device(&instance, "eve").await);
    let answer = here.post("/revoke-others").await.is(200).json();
    assert!(answer == json!({"revoked": 2}), "the answer is {answer}");
    assert!(here.is_known().await, "this session was ended, too");
    assert!(!there.is_known().await && !elsewhere.is_known().await, "another session goes on");
    assert!(eve.is_known().await, "somebody else's session was ended");
    assert!(list(&here).await.len() == 1, "ended sessions are listed");
    Client::of(&instance).post("/revoke-others").await.is(401);
}

/// A person ends all sessions, this one included.
///
/// 1. All are counted, and all are over.
/// 2. A login afterwards works, and is alone.
pub async fn all_sessions_are_revoked(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (here, there) = (device(&instance, "ada").await, device(&instance, "ada").await);
    let eve = device(&instance, "eve").await;
    let answer = here.post("/revoke-all").await.is(200).json();
    assert!(answer == json!({"revoked": 2}), "the answer is {answer}");
    assert!(!here.is_known().await && !there.is_known().await, "a session goes on");
    assert!(eve.is_known().await, "somebody else's session was ended");
    let again = device(&instance, "ada").await;
    assert!(list(&again).await.len() == 1, "ended sessions are listed");
    Client::of(&instance).post("/revoke-all").await.is(401);
}

/// A write is parked, and its session is revoked meanwhile.
///
/// 1. It is refused without a cookie, and the session does not come back.
pub async fn revoked_session_does_not_come_back(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (lost, kept) = (device(&instance, "ada").await, device(&instance, "ada").await);
    let writer = lost.clone();
    let write = tokio::spawn(async move { writer.post("/slow/400/add/n/1").await });
    super::pass(Duration::from_millis(200)).await;
    let answer = kept.post("/revoke-others").await.is(200).json();
    assert!(answer == json!({"revoked": 1}), "the answer is {answer}");
    match write.await {
        Ok(response) => response.says_session_ended(),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    assert!(!lost.is_known().await, "the revoked session came back");
    assert!(list(&kept).await.len() == 1, "the revoked session is listed");
}

/// A person ends the session of the device that is in use.
///
/// 1. It is a stranger from then on, and its cookie opens nothing.
pub async fn own_session_is_revoked_by_its_handle(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (here, there) = (device(&instance, "ada").await, device(&instance, "ada").await);
    let copy = Client::with_cookies(&instance, here.cookies());
    here.delete(&format!("/sessions/{}", own_handle(&here).await)).await.is(204);
    assert!(!here.is_known().await && !copy.is_known().await, "the revoked session goes on");
    assert!(list(&there).await.len() == 1, "the revoked session is listed");
}

/// The token was copied. The person rotates it and ends all other sessions.
///
/// 1. This session goes on under its new token, and is not counted.
/// 2. The copy opens nothing, before and after.
pub async fn rotated_session_is_spared_when_all_others_are_revoked(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (here, there) = (device(&instance, "ada").await, device(&instance, "ada").await);
    here.put("/value/a", "1").await.is(204);
    let thief = Client::with_cookies(&instance, here.cookies());
    here.post("/rotate").await.is(204);
    assert!(!thief.is_known().await, "the copy from before the rotation opens the session");
    let answer = here.post("/revoke-others").await.is(200).sets_no_cookie().json();
    assert!(answer == json!({"revoked": 1}), "the answer is {answer}");
    assert!(here.get("/value/a").await.is(200).body() == b"1", "the session that asked was ended, too");
    assert!(!there.is_known().await && !thief.is_known().await, "another session goes on");
    let listed = list(&here).await;
    assert!(listed.len() == 1 && listed[0]["current"] == true, "{} sessions are listed", listed.len());
}

/// Sessions may be a second old, and two devices are remembered for longer, on one with a further login.
///
/// 1. Beyond that time they are listed like others, each marked as its own for its device.
/// 2. One is revoked by its handle, the other with all.
pub async fn remembered_sessions_are_listed_and_revoked(app: &impl App) {
    let short = Duration::from_secs(1);
    let instance = app.start(Settings::new().with_idle(short).with_absolute(short)).await;
    let (here, lost) = (device(&instance, "ada").await, device(&instance, "ada").await);
    for device in [&here, &lost] {
        device.post("/remember/60").await.is(204);
    }
    lost.post("/login/ada").await.is(204);
    // An entry of the index may stay for a while longer than its session.
    super::pass(short * 2 + app.resolution()).await;
    let (seen, handle) = (list(&here).await, own_handle(&lost).await);
    assert!(seen.len() == 2, "{} of two remembered sessions are listed", seen.len());
    here.delete(&format!("/sessions/{handle}")).await.is(204);
    assert!(!lost.is_known().await && here.is_known().await, "the wrong session was ended");
    let answer = here.post("/revoke-all").await.is(200).json();
    assert!(answer == json!({"revoked": 1}), "the answer is {answer}");
    assert!(!here.is_known().await, "the remembered session goes on");
}

/// A person logs in on many devices, and ends all sessions while some of those logins are under way.
///
/// 1. A login that was answered before the call was made is over after it.
/// 2. One beside it is over, too, or goes on and is listed: whoever calls again ends it.
pub async fn login_before_all_are_revoked_is_over(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    for round in 0..4_u64 {
        let here = device(&instance, "ada").await;
        let logins = at_once(9, |number| {
            let (revoker, device) = ((number == 8).then(|| here.clone()), Client::of(&instance));
            async move {
                super::pass(Duration::from_millis(round * u64::try_from(number).unwrap_or(0))).await;
                match revoker {
                    Some(here) => {
                        let asked_at = Instant::now();
                        here.post("/revoke-all").await.is(200);
                        (asked_at, here)
                    }
                    None => {
                        device.post("/login/ada").await.is(204);
                        (Instant::now(), device)
                    }
                }
            }
        })
        .await;
        let asked_at = logins.last().map(|(at, _)| *at);
        let mut left = Vec::new();
        for (answered_at, device) in &logins {
            if device.is_known().await {
                assert!(Some(*answered_at) > asked_at, "a login from before the call goes on");
                left.push(device);
            }
        }
        assert!(!here.is_known().await, "the session that asked goes on");
        for device in &left {
            let listed = list(device).await.len();
            assert!(listed == left.len(), "{listed} of {} sessions are listed", left.len());
        }
        let again = device(&instance, "ada").await;
        let answer = again.post("/revoke-all").await.is(200).json();
        assert!(answer == json!({"revoked": left.len() + 1}), "the second answer is {answer}");
        for device in left {
            assert!(!device.is_known().await, "a session survives the second call");
        }
    }
}

/// Sessions that ended in other ways.
///
/// 1. A logout, another principal's login in the same browser, and a rotation keep the list true.
pub async fn listing_follows_the_sessions(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (one, two) = (device(&instance, "ada").await, device(&instance, "ada").await);
    let three = device(&instance, "ada").await;
    one.post("/rotate").await.is(204);
    assert!(list(&one).await.len() == 3, "a rotation changed the number of sessions");
    two.post("/logout").await.is(204);
    assert!(list(&one).await.len() == 2, "a session that was logged out is listed");
    three.post("/login/eve").await.is(204);
    assert!(list(&one).await.len() == 1, "a session that is somebody else's now is listed");
    assert!(list(&three).await.len() == 1, "eve's session is not listed");
}

/// A device on which somebody has logged in.
pub(super) async fn device(instance: &impl Instance, who: &str) -> Client {
    let client = Client::of(instance);
    client.post(&format!("/login/{who}")).await.is(204);
    client
}

/// The list that this device sees.
pub(super) async fn list(client: &Client) -> Vec<Value> {
    client.get("/sessions").await.is(200).json().as_array().cloned().unwrap_or_default()
}

/// The name of this device's session in the list.
pub(super) async fn own_handle(client: &Client) -> String {
    let listed = list(client).await;
    let own = listed.iter().find(|entry| entry["current"] == true).and_then(|entry| entry["handle"].as_str());
    own.map(str::to_owned).unwrap_or_default()
}
