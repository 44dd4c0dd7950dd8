//! A person's sessions, listed and ended. Needs a backend with an index of principals.

use std::time::Duration;

use serde_json::{Value, json};

use super::{App, Client, Instance, Settings};

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

async fn device(instance: &impl Instance, who: &str) -> Client {
    let client = Client::of(instance);
    client.post(&format!("/login/{who}")).await.is(204);
    client
}

async fn list(client: &Client) -> Vec<Value> {
    client.get("/sessions").await.is(200).json().as_array().cloned().unwrap_or_default()
}

async fn own_handle(client: &Client) -> String {
    let listed = list(client).await;
    let own = listed.iter().find(|entry| entry["current"] == true).and_then(|entry| entry["handle"].as_str());
    own.map(str::to_owned).unwrap_or_default()
}
