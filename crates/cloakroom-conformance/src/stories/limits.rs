//! What is too large, too deep, or nothing at all.

use serde_json::json;

use super::{App, Client, Keeps, Response, Settings};

/// Bodies and values that are too large.
///
/// 1. Each is answered with 413: a body of 2 MiB, a value of 100 KiB, a name of 129 bytes.
/// 2. Nothing is stored: a stranger stays one, and a session keeps what it had.
pub async fn too_large_stores_nothing(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (visitor, stranger) = (Client::of(&instance), Client::of(&instance));
    visitor.put("/value/a", "1").await.is(204);
    let text = |length: usize| format!("\"{}\"", "x".repeat(length));
    let long_name = format!("/value/{}", "n".repeat(129));
    for client in [&visitor, &stranger] {
        refused_body(client.send(put("/value/a", text(2 * 1024 * 1024))).await);
        client.put("/value/a", text(100 * 1024)).await.is(413).sets_no_cookie();
        client.put("/flash", text(100 * 1024)).await.is(413).sets_no_cookie();
        client.put(&long_name, "1").await.is(413).sets_no_cookie();
    }
    assert!(visitor.get("/value/a").await.is(200).body() == b"1", "the value changed");
    let keys = visitor.get("/session").await.is(200).json()["keys"].clone();
    assert!(keys == json!(["a"]), "the session has {keys}");
    assert!(!stranger.is_known().await, "something too large made a session");
}

/// Many values that are small, and together too large.
///
/// 1. The one that no longer fits is answered with 413.
/// 2. All those before it are there, and there is room again once one is removed.
pub async fn full_session_takes_nothing_more(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    // About a sixth of the 64 KiB of a stored session, or of the 2 KiB of one in a cookie.
    let length = if app.client_keeps() == Keeps::Token { 10 * 1024 } else { 320 };
    let value = format!("\"{}\"", "x".repeat(length));
    let mut stored = 0;
    let refusal = loop {
        let answer = visitor.put(&format!("/value/v{stored}"), value.as_str()).await;
        if answer.status() != 204 {
            break answer;
        }
        stored += 1;
        assert!(stored < 100, "a hundred sixths fit into a session");
    };
    refusal.is(413).sets_no_cookie();
    assert!((5..=6).contains(&stored), "{stored} values of {length} bytes fit into a session");
    let keys = visitor.get("/session").await.is(200).json()["keys"].as_array().map(Vec::len);
    assert!(keys == Some(stored), "the session has {keys:?} values; the story wants {stored}");
    visitor.delete("/value/v0").await.is(204);
    visitor.put("/value/again", value.as_str()).await.is(204);
}

/// Bodies that are no JSON, or nested too deeply, and paths whose numbers are none.
///
/// 1. Each is answered with 400 or 422, and nothing is stored.
/// 2. What is just deep enough is stored.
pub async fn malformed_bodies_store_nothing(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (visitor, stranger) = (Client::of(&instance), Client::of(&instance));
    visitor.put("/value/a", "1").await.is(204);
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let bodies: [Vec<u8>; 11] = [
        b"".to_vec(),
        b"{".to_vec(),
        b"nul".to_vec(),
        b"1 2".to_vec(),
        b"{\"a\":1,}".to_vec(),
        b"\"\xff\"".to_vec(),
        b"1e999".to_vec(),
        b"'a'".to_vec(),
        nested(60),
        nested(200),
        nested(100_000),
    ];
    for body in bodies {
        for client in [&visitor, &stranger] {
            client_error(&client.put("/value/a", body.clone()).await.sets_no_cookie());
            let slow = super::Request::new("POST", "/slow/0/value/a").with_body(body.clone());
            client_error(&client.ask(slow).await.sets_no_cookie());
            client_error(&client.put("/flash", body.clone()).await.sets_no_cookie());
        }
    }
    for path in ["/add/a/abc", "/slow/x/read", "/slow/x/add/a/1", "/remember/-1", "/set-then-status/99999"] {
        client_error(&visitor.ask(super::Request::new("POST", path)).await.sets_no_cookie());
    }
    client_error(&visitor.put("/flash", "1").await);
    assert!(visitor.get("/value/a").await.is(200).body() == b"1", "the value changed");
    assert!(visitor.get("/flash").await.is(200).json() == json!([]), "there are messages");
    assert!(!stranger.is_known().await, "something malformed made a session");
    visitor.put("/value/deep", nested(20)).await.is(204);
    assert!(visitor.get("/value/deep").await.is(200).body() == nested(20), "the deep value changed");
}

fn put(path: &str, body: String) -> super::Request {
    super::Request::new("PUT", path).with_body(body)
}

/// A service may close the connection while a body that it refuses still comes.
#[track_caller]
fn refused_body(answer: std::io::Result<Response>) {
    if let Ok(answer) = answer {
        answer.is(413).sets_no_cookie();
    }
}

#[track_caller]
fn client_error(answer: &Response) {
    let status = answer.status();
    assert!(matches!(status, 400 | 422), "a malformed request was answered with {status}");
}
