//! How responses end, and what is stored by then.

use std::time::Duration;

use serde_json::json;

use super::{App, Client, Request, Settings};
use crate::crowd::at_once;

/// A handler writes, and answers with an error of its own.
///
/// 1. Whatever the status, the value is stored and the cookie is set: the handler finished.
pub async fn status_has_no_influence(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    for status in [200, 204, 302, 400, 404, 409, 500, 503] {
        let visitor = Client::of(&instance);
        let answer = visitor.post(&format!("/set-then-status/{status}")).await.is(status);
        assert!(answer.token().is_some(), "{status} set no cookie");
        let marker = visitor.get("/value/marker").await.is(200);
        assert!(marker.body() == b"1", "{status} stored {:?}", marker.text());
    }
}

/// A handler writes, and panics.
///
/// 1. The client gets a 500 or a closed connection, and no cookie.
/// 2. Nothing is stored, neither for a stranger nor in a session that was there.
/// 3. The service goes on, many times.
pub async fn panic_stores_nothing(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (visitor, stranger) = (Client::of(&instance), Client::of(&instance));
    visitor.put("/value/before", "1").await.is(204);
    for _ in 0..10 {
        for client in [&visitor, &stranger] {
            if let Ok(response) = client.send(Request::new("POST", "/set-then-panic")).await {
                response.is(500).sets_no_cookie();
            }
        }
    }
    let seen = visitor.get("/session").await.is(200).json();
    assert!(seen["keys"] == json!(["before"]), "after the panic the session has {}", seen["keys"]);
    assert!(!stranger.is_known().await, "the panic made a session");
    visitor.put("/value/after", "1").await.is(204);
}

/// A page that comes in pieces.
///
/// 1. The head comes at once, and with it everything that a session has to say.
/// 2. The pieces come in their order, with time between them.
pub async fn streams_are_left_as_they_are(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.post("/login/ada").await.is(204);
    let page = visitor.get("/stream").await.is(200).sets_no_cookie();
    assert!(page.body() == b"abc", "the stream was {:?}", page.text());
    let shortest = Duration::from_millis(80);
    assert!(page.after_head() >= shortest, "the pieces came within {:?} after the head", page.after_head());
    assert!(page.list("vary") == ["cookie"], "Vary is {:?}", page.list("vary"));
}

/// A handler writes when the response is already under way.
///
/// 1. It is told so, for a stranger and in a session.
/// 2. Nothing is stored.
pub async fn late_write_is_refused(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (visitor, stranger) = (Client::of(&instance), Client::of(&instance));
    visitor.put("/value/early", "1").await.is(204);
    for client in [&visitor, &stranger] {
        let page = client.get("/late-write").await.is(200).sets_no_cookie();
        assert!(page.body() == b"refused", "the late write was {:?}", page.text());
    }
    let seen = visitor.get("/session").await.is(200).json();
    assert!(seen["keys"] == json!(["early"]), "after the late write the session has {}", seen["keys"]);
    assert!(!stranger.is_known().await, "the late write made a session");
}

/// Clients that send a write and go away.
///
/// 1. Each write is done or not, never by half: afterwards the counter is a number of that many at most.
/// 2. The session works as before, and counts on from there.
pub async fn visitors_who_go_away_leave_a_whole_session(app: &impl App) {
    const VISITS: usize = 32;
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.put("/value/n", "0").await.is(204);
    visitor.put("/value/text", "\"old\"").await.is(204);
    at_once(VISITS, |n| {
        let visitor = visitor.clone();
        async move {
            match n % 3 {
                0 => visitor.abandon(Request::new("POST", "/add/n/1")).await,
                1 => visitor.abandon(Request::new("POST", "/slow/20/add/n/1")).await,
                _ => {
                    let write = Request::new("POST", "/slow/20/value/text").with_body("\"new\"");
                    visitor.abandon(write).await;
                }
            }
        }
    })
    .await;
    let settled = settled(&visitor).await;
    assert!(settled <= VISITS as u64, "{VISITS} visits counted {settled}");
    let text = visitor.get("/value/text").await.is(200).json();
    assert!(text == "old" || text == "new", "the value is {text}");
    let next = visitor.post("/add/n/1").await.is(200).json();
    assert!(next == json!(settled + 1), "after {settled} comes {next}");
}

/// The counter, once it has stood still for 300 ms.
async fn settled(visitor: &Client) -> u64 {
    let mut last = None;
    loop {
        let now = visitor.get("/value/n").await.is(200).json().as_u64();
        if now.is_some() && now == last {
            return now.unwrap_or_default();
        }
        last = now;
        super::pass(Duration::from_millis(300)).await;
    }
}
