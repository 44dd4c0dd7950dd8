//! What browsers and proxies may keep.

use super::{App, Client, Keeps, Response, Settings};

/// Pages that depend on a session, and pages that do not.
///
/// 1. A page that read a stranger's or an anonymous session is `private`, and varies by cookie. So is one that
///    wrote to it, unless the session is in the cookie.
/// 2. A page with a token is `no-store`: a shared copy would hand the session to others.
/// 3. A page of somebody who is logged in is `no-store`.
/// 4. So is the answer to a logout, and a refusal.
/// 5. `Vary` names the cookie once.
pub async fn caches_are_kept_away(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    depends(&visitor.get("/session").await.is(200), "private");
    depends(&visitor.put("/value/a", "1").await.is(204), "no-store");
    depends(&visitor.get("/value/a").await.is(200), "private");
    let keeps = app.client_keeps();
    let written = if keeps == Keeps::Token { "private" } else { "no-store" };
    depends(&visitor.put("/value/a", "2").await.is(204), written);
    depends(&visitor.get("/value/b").await.is(404), "private");
    depends(&visitor.post("/set-then-status/500").await.is(500), written);
    let old = Client::with_cookies(&instance, visitor.cookies());
    depends(&visitor.post("/login/ada").await.is(204), "no-store");
    depends(&visitor.get("/session").await.is(200), "no-store");
    depends(&visitor.get("/stream").await.is(200), "no-store");
    depends(&visitor.put("/value/a", "3").await.is(204), "no-store");
    if keeps == Keeps::Token {
        depends(&old.put("/value/a", "4").await.says_session_ended(), "no-store");
    }
    depends(&visitor.post("/logout").await.is(204), "no-store");
}

#[track_caller]
fn depends(response: &Response, cache: &str) {
    let (vary, control) = (response.list("vary"), response.list("cache-control"));
    assert!(vary == ["cookie"], "Vary is {vary:?}; the story wants `cookie` once");
    assert!(control == [cache], "Cache-Control is {control:?}; the story wants {cache}");
}
