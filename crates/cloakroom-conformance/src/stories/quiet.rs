//! What costs nothing and leaves no trace.

use super::{App, Client, Request};

/// A page that does not look at the session.
///
/// 1. A stranger asks for it: no cookie, no `Vary`, no `Cache-Control`.
/// 2. A visitor with a session asks for it: the same.
/// 3. What is outside the middleware answers, too.
pub async fn untouched_session_leaves_no_trace(app: &impl App) {
    let instance = app.start(super::Settings::new()).await;
    let visitor = Client::of(&instance);
    for _ in 0..2 {
        for path in ["/untouched", "/healthz"] {
            let response = visitor.get(path).await.is(200).sets_no_cookie();
            assert!(response.body() == b"ok", "{path} answered {:?}", response.text());
            assert!(response.header("vary").is_empty(), "{path} varies");
            assert!(response.header("cache-control").is_empty(), "{path} restricts caches");
        }
        visitor.put("/value/a", "1").await.is(204);
    }
}

/// A stranger looks at a page that reads the session.
///
/// 1. The session is new and empty, and no cookie is set.
/// 2. Nor after twenty more looks, at any kind of page that only reads.
pub async fn reading_an_empty_session_sets_no_cookie(app: &impl App) {
    let instance = app.start(super::Settings::new()).await;
    let stranger = Client::of(&instance);
    for _ in 0..20 {
        let seen = stranger.get("/session").await.is(200).sets_no_cookie().json();
        assert!(seen["new"] == true, "a stranger's session is {seen}");
        assert!(seen["keys"].as_array().is_some_and(Vec::is_empty), "a stranger's session is {seen}");
        assert!(seen["principal"].is_null(), "a stranger's session is {seen}");
        stranger.get("/value/nothing").await.is(404).sets_no_cookie();
        stranger.get("/flash").await.is(200).sets_no_cookie();
        stranger.ask(Request::new("POST", "/slow/0/read")).await.is(204).sets_no_cookie();
    }
}

/// Requests that change nothing for a stranger.
///
/// 1. Removing, clearing and rotating what is not there is answered, and sets no cookie.
pub async fn changing_nothing_sets_no_cookie(app: &impl App) {
    let instance = app.start(super::Settings::new()).await;
    let stranger = Client::of(&instance);
    stranger.delete("/value/nothing").await.is(204).sets_no_cookie();
    stranger.post("/clear").await.is(204).sets_no_cookie();
    stranger.post("/rotate").await.is(204).sets_no_cookie();
    assert!(!stranger.is_known().await, "a session was made of nothing");
}

/// A visitor whose session stays as it is.
///
/// 1. The first write sets the cookie.
/// 2. Reading, writing the same value again, and removing what is not there set none.
/// 3. Another value sets none either: the token is still the same.
pub async fn unchanged_token_is_not_sent_again(app: &impl App) {
    let instance = app.start(super::Settings::new()).await;
    let visitor = Client::of(&instance);
    let first = visitor.put("/value/a", "1").await.is(204).token();
    assert!(first.is_some(), "the first write set no cookie");
    visitor.get("/session").await.is(200).sets_no_cookie();
    visitor.get("/value/a").await.is(200).sets_no_cookie();
    visitor.put("/value/a", "1").await.is(204).sets_no_cookie();
    visitor.delete("/value/b").await.is(204).sets_no_cookie();
    visitor.put("/value/a", "2").await.is(204).sets_no_cookie();
    visitor.post("/add/n/1").await.is(200).sets_no_cookie();
    assert!(visitor.get("/value/a").await.is(200).body() == b"2", "the second value is lost");
}
