//! The one `Set-Cookie` line.

use std::time::Duration;

use super::{App, Client, Keeps, Settings};

/// A stranger's first write.
///
/// 1. One cookie is set: 71 characters (or a sealed session) under `__Host-session`, with `Path=/`, `Secure`, `HttpOnly` and
///    `SameSite=Lax`, until the browser closes.
/// 2. Its characters are those of base64url, and no two tokens are alike.
pub async fn first_write_sets_a_guarded_cookie(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let mut seen = Vec::new();
    for _ in 0..8 {
        let lines = Client::of(&instance).put("/value/a", "1").await.is(204).header("set-cookie");
        let token = token_of(
            app.client_keeps(),
            &lines,
            "__Host-session=",
            "; Path=/; Secure; HttpOnly; SameSite=Lax",
        );
        assert!(!seen.contains(&token), "a token came twice");
        seen.push(token);
    }
}

/// The same under another name, and for plain HTTP.
///
/// 1. `--cookie-name` names the cookie.
/// 2. `--insecure-cookie` drops `Secure` and the prefix, and nothing else.
pub async fn cookie_is_named_and_guarded_as_configured(app: &impl App) {
    let named = app.start(Settings::new().with_cookie_name("__Secure-id")).await;
    let lines = Client::of(&named).put("/value/a", "1").await.is(204).header("set-cookie");
    token_of(app.client_keeps(), &lines, "__Secure-id=", "; Path=/; Secure; HttpOnly; SameSite=Lax");
    let plain = app.start(Settings::new().with_insecure_cookie()).await;
    let visitor = Client::of(&plain);
    let lines = visitor.put("/value/a", "1").await.is(204).header("set-cookie");
    token_of(app.client_keeps(), &lines, "session=", "; Path=/; HttpOnly; SameSite=Lax");
    assert!(visitor.is_known().await, "the cookie does not work");
}

/// A visitor logs out.
///
/// 1. The cookie is taken away under the same name and with the same attributes, or the browser would keep it.
/// 2. Logging out once more, without a cookie, sends none.
pub async fn logout_takes_the_cookie_away(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.post("/logout").await.is(204).sets_no_cookie();
    visitor.post("/login/ada").await.is(204);
    let lines = visitor.post("/logout").await.is(204).header("set-cookie");
    let wanted = "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0; \
        Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert!(lines == [wanted], "the removal is {lines:?}");
    assert!(visitor.token().is_none(), "the browser keeps the cookie");
    visitor.post("/logout").await.is(204).sets_no_cookie();
}

/// A visitor ticks "remember me".
///
/// 1. The cookie is set again, with a `Max-Age` of that long.
/// 2. Rotation and a later login of the same person keep it persistent.
/// 3. Another person's login in the same browser does not inherit it.
pub async fn remembered_session_has_a_persistent_cookie(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    let first = visitor.post("/login/ada").await.is(204).header("set-cookie");
    assert!(max_age(&first).is_none(), "the cookie is persistent unasked: {first:?}");
    let remembered = visitor.post("/remember/3600").await.is(204).header("set-cookie");
    lasts(&remembered, 3590..=3600);
    lasts(&visitor.post("/rotate").await.is(204).header("set-cookie"), 3590..=3600);
    lasts(&visitor.post("/login/ada").await.is(204).header("set-cookie"), 3590..=3600);
    let other = visitor.post("/login/eve").await.is(204).header("set-cookie");
    assert!(max_age(&other).is_none(), "another person inherits the persistence: {other:?}");
}

/// A very long memory.
///
/// 1. `Max-Age` never says more than the 400 days that browsers allow.
/// 2. A memory of no time at all is refused, and nothing is stored.
pub async fn memory_has_limits(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.put("/value/a", "1").await.is(204);
    let days_400: u64 = 400 * 24 * 60 * 60;
    let long = visitor.post(&format!("/remember/{}", days_400 * 2)).await.is(204).header("set-cookie");
    lasts(&long, days_400..=days_400);
    let stranger = Client::of(&instance);
    stranger.post("/remember/0").await.is(422).sets_no_cookie();
    assert!(!stranger.is_known().await, "a refused memory made a session");
}

/// A remembered session that nobody uses.
///
/// 1. With an idle time of 300 ms, it is there after 900 ms (and the resolution of the store).
/// 2. An ordinary one is not.
pub async fn remembered_session_outlives_the_idle_time(app: &impl App) {
    let instance = app.start(Settings::new().with_idle(Duration::from_millis(300))).await;
    let (remembered, ordinary) = (Client::of(&instance), Client::of(&instance));
    remembered.put("/value/a", "1").await.is(204);
    remembered.post("/remember/3600").await.is(204);
    ordinary.put("/value/a", "1").await.is(204);
    super::pass(Duration::from_millis(900) + app.resolution()).await;
    assert!(remembered.is_known().await, "the remembered session is gone");
    assert!(!ordinary.is_known().await, "the ordinary session is still there");
}

/// Checks the only line, and returns its token.
#[track_caller]
fn token_of(keeps: Keeps, lines: &[String], start: &str, end: &str) -> String {
    let [line] = lines else { panic!("there are {} Set-Cookie lines; the story wants one", lines.len()) };
    let token = line.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)).unwrap_or_default();
    let good = keeps.lengths().contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    assert!(good, "the cookie is not `{start}<token>{end}`: its line is {} bytes long", line.len());
    token.to_owned()
}

fn max_age(lines: &[String]) -> Option<u64> {
    let attributes = lines.iter().flat_map(|line| line.split("; "));
    attributes.filter_map(|attribute| attribute.strip_prefix("Max-Age=")?.parse().ok()).next()
}

#[track_caller]
fn lasts(lines: &[String], seconds: std::ops::RangeInclusive<u64>) {
    let age = max_age(lines);
    assert!(age.is_some_and(|age| seconds.contains(&age)), "Max-Age is {age:?}; the story wants {seconds:?}");
}
