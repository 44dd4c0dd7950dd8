//! Logging in, rotating, logging out: which tokens are worth something afterwards.

use std::time::Duration;

use serde_json::json;

use super::{App, Client, Settings};
use crate::crowd::at_once;

/// How long a parked request is parked.
const PARKED: u64 = 400;

/// A visitor fills a cart and logs in.
///
/// 1. The login sets another token, and the values stay.
/// 2. The session's beginning stays; the principal is there.
/// 3. The token from before is worth nothing: no principal, no values.
pub async fn login_rotates_the_token_and_keeps_the_values(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.put("/value/cart", "3").await.is(204);
    let before = visitor.get("/session").await.is(200).json();
    let old = Client::with_cookies(&instance, visitor.cookies());
    let token = visitor.post("/login/ada%20l.").await.is(204).token();
    assert!(token.is_some() && token != old.token(), "the login did not change the token");
    let after = visitor.get("/session").await.is(200).json();
    assert!(after["principal"] == "ada l.", "after the login the session is {after}");
    assert!(after["keys"] == json!(["cart"]), "after the login the session is {after}");
    assert!(after["created_at"] == before["created_at"], "the login moved the beginning");
    let stale = old.get("/session").await.is(200).sets_no_cookie().json();
    assert!(stale["principal"].is_null() && stale["keys"] == json!([]), "the old token opens {stale}");
    old.get("/value/cart").await.is(404);
}

/// An attacker plants a token of his own in a victim's browser, and waits for the login.
///
/// 1. After the login the attacker's token opens nothing.
/// 2. What he writes with it is refused without a cookie, so that it cannot overwrite the victim's.
/// 3. The victim's session is as the victim left it.
pub async fn planted_token_is_worthless_after_the_login(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let attacker = Client::of(&instance);
    attacker.put("/value/planted", "true").await.is(204);
    let victim = Client::with_cookies(&instance, attacker.cookies());
    victim.post("/login/victim").await.is(204);
    victim.put("/value/secret", "42").await.is(204);
    let seen = attacker.get("/session").await.is(200).sets_no_cookie().json();
    assert!(seen["principal"].is_null() && seen["keys"] == json!([]), "the attacker sees {seen}");
    attacker.get("/value/secret").await.is(404).sets_no_cookie();
    attacker.put("/value/secret", "0").await.says_session_ended();
    attacker.post("/add/secret/1").await.says_session_ended();
    attacker.post("/logout").await.says_session_ended();
    assert!(victim.get("/value/secret").await.is(200).body() == b"42", "the victim's value changed");
    let seen = victim.get("/session").await.is(200).json();
    assert!(seen["principal"] == "victim", "the victim's session is {seen}");
}

/// A write is parked, and the visitor logs in meanwhile.
///
/// 1. The write is refused, in every way of writing: it was not the logged-in visitor who asked.
/// 2. It sets no cookie, and the session is as the login left it.
pub async fn parked_write_does_not_reach_the_session_of_a_login(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    for parked in [format!("/slow/{PARKED}/value/late"), format!("/slow/{PARKED}/add/late/1")] {
        let visitor = Client::of(&instance);
        visitor.put("/value/early", "1").await.is(204);
        let writer = Client::with_cookies(&instance, visitor.cookies());
        let write = tokio::spawn(async move { writer.ask(post(&parked, "2")).await });
        super::pass(Duration::from_millis(PARKED / 2)).await;
        visitor.post("/login/ada").await.is(204);
        answered(write).await.says_session_ended();
        let seen = visitor.get("/session").await.is(200).json();
        assert!(seen["principal"] == "ada", "the session of the login is {seen}");
        assert!(seen["keys"] == json!(["early"]), "the parked write is in {seen}");
    }
}

/// A write is parked, and the visitor logs out meanwhile.
///
/// 1. The write is refused and sets no cookie.
/// 2. The old token opens nothing: the session did not come back.
pub async fn parked_write_does_not_bring_a_session_back(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    for parked in [format!("/slow/{PARKED}/value/late"), format!("/slow/{PARKED}/add/late/1")] {
        let visitor = Client::of(&instance);
        visitor.post("/login/ada").await.is(204);
        let ghost = Client::with_cookies(&instance, visitor.cookies());
        let writer = ghost.clone();
        let write = tokio::spawn(async move { writer.ask(post(&parked, "2")).await });
        super::pass(Duration::from_millis(PARKED / 2)).await;
        visitor.post("/logout").await.is(204);
        answered(write).await.says_session_ended();
        let seen = ghost.get("/session").await.is(200).sets_no_cookie().json();
        assert!(seen["new"] == true && seen["principal"].is_null(), "the dead session is {seen}");
        ghost.get("/value/late").await.is(404);
    }
}

/// A request that only reads is parked, and the visitor logs out meanwhile.
///
/// 1. It is answered: nothing that it asked for failed. It sets no cookie, and nothing comes back.
pub async fn parked_reader_is_not_disturbed_by_a_logout(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.post("/login/ada").await.is(204);
    let ghost = Client::with_cookies(&instance, visitor.cookies());
    let reader = ghost.clone();
    let read = tokio::spawn(async move { reader.post(&format!("/slow/{PARKED}/read")).await });
    super::pass(Duration::from_millis(PARKED / 2)).await;
    visitor.post("/logout").await.is(204);
    answered(read).await.is(204).sets_no_cookie();
    assert!(!ghost.is_known().await, "the reader brought the session back");
}

/// A token from before a logout comes again.
///
/// 1. It opens nothing, and no removal is sent for it.
/// 2. A write with it begins a new session under another token, and the dead one stays dead.
pub async fn logged_out_token_stays_dead(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.post("/login/ada").await.is(204);
    visitor.put("/value/a", "1").await.is(204);
    let ghost = Client::with_cookies(&instance, visitor.cookies());
    let dead = visitor.cookies();
    visitor.post("/logout").await.is(204);
    for _ in 0..3 {
        let seen = ghost.get("/session").await.is(200).sets_no_cookie().json();
        assert!(seen["new"] == true && seen["principal"].is_null(), "the dead token opens {seen}");
    }
    let token = ghost.put("/value/b", "2").await.is(204).token();
    assert!(token.is_some() && dead.values().next() != token.as_ref(), "the dead token was adopted");
    let again = Client::with_cookies(&instance, dead);
    assert!(!again.is_known().await, "the dead token opens the new session");
    let keys = ghost.get("/session").await.is(200).json()["keys"].clone();
    assert!(keys == json!(["b"]), "the new session has {keys}");
}

/// A session is rotated.
///
/// 1. Another token is set; values, principal and beginning stay.
/// 2. The old token opens nothing, and what is written with it is refused without a cookie.
pub async fn rotation_changes_nothing_but_the_token(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.put("/value/a", "1").await.is(204);
    visitor.post("/login/ada").await.is(204);
    let before = visitor.get("/session").await.is(200).json();
    let old = Client::with_cookies(&instance, visitor.cookies());
    for _ in 0..3 {
        let previous = visitor.token();
        visitor.post("/rotate").await.is(204);
        assert!(visitor.token() != previous, "the rotation did not change the token");
    }
    let after = visitor.get("/session").await.is(200).json();
    for field in ["keys", "principal", "created_at"] {
        assert!(after[field] == before[field], "the rotation changed {field}: {before} became {after}");
    }
    let ends = |seen: &serde_json::Value| seen["expires_at"].as_u64().unwrap_or_default();
    assert!(ends(&after) >= ends(&before), "the rotation shortened the session");
    assert!(!old.is_known().await, "the old token still opens the session");
    old.put("/value/a", "2").await.says_session_ended();
    assert!(visitor.get("/value/a").await.is(200).body() == b"1", "the old token wrote");
}

/// Somebody else logs in over a session.
///
/// 1. The same person's login keeps the values.
/// 2. Another person's login clears them, messages included.
pub async fn another_principal_finds_nothing_of_the_first(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.post("/login/ada").await.is(204);
    visitor.put("/value/diary", "\"private\"").await.is(204);
    visitor.put("/flash", "\"private\"").await.is(204);
    visitor.post("/login/ada").await.is(204);
    visitor.get("/value/diary").await.is(200);
    visitor.post("/login/eve").await.is(204);
    let seen = visitor.get("/session").await.is(200).json();
    assert!(seen["principal"] == "eve" && seen["keys"] == json!([]), "eve finds {seen}");
    let messages = visitor.get("/flash").await.is(200).json();
    assert!(messages == json!([]), "eve is told {messages}");
}

/// One browser sends its login twice at the same time.
///
/// 1. At least one is answered; the other is, too, or is told that its session ended.
/// 2. Each token that was handed out opens a session of that person.
pub async fn parallel_logins_leave_the_visitor_logged_in(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    for _ in 0..8 {
        let visitor = Client::of(&instance);
        visitor.put("/value/cart", "3").await.is(204);
        let start = visitor.cookies();
        let tabs: Vec<Client> = (0..2).map(|_| Client::with_cookies(&instance, start.clone())).collect();
        let answers = at_once(2, |n| {
            let tab = tabs.get(n).cloned().unwrap_or_else(|| visitor.clone());
            async move { (tab.post("/login/ada").await, tab) }
        })
        .await;
        let mut logged_in = 0;
        for (answer, tab) in answers {
            if answer.status() == 409 {
                answer.says_session_ended();
                continue;
            }
            assert!(answer.is(204).token().is_some(), "a login set no cookie");
            let seen = tab.get("/session").await.is(200).json();
            assert!(seen["principal"] == "ada", "a handed-out token opens {seen}");
            logged_in += 1;
        }
        assert!(logged_in > 0, "both logins were refused");
    }
}

fn post(path: &str, body: &str) -> super::Request {
    super::Request::new("POST", path).with_body(body)
}

async fn answered(request: tokio::task::JoinHandle<super::Response>) -> super::Response {
    match request.await {
        Ok(response) => response,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
