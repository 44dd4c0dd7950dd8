//! What clients see of a server on a socket: connections that are kept, cut and lost, and several threads.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form};
use axum::routing::{get as on_get, post as on_post};
use cloakroom_axum::{Result, Session};
use cloakroom_conformance::stories::{Line, Request};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::served::serve;
use crate::stores::StagedStore;
use crate::{counted, over};

#[derive(Deserialize)]
struct Order {
    number: u32,
}

async fn count(session: Session) -> Result<String> {
    Ok(session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?.to_string())
}

async fn set_then_panic(session: Session) -> String {
    session.set("marker", &1).unwrap();
    panic!("a handler that panics")
}

async fn order(session: Session, Form(order): Form<Order>) -> Result<String> {
    session.set("order", &order.number)?;
    Ok(order.number.to_string())
}

fn routes() -> Router {
    Router::new()
        .route("/count", on_get(count))
        .route("/panic", on_get(set_then_panic))
        .route("/order", on_post(order).layer(DefaultBodyLimit::max(16)))
}

fn get(path: &str, cookie: &str) -> Request {
    Request::new("GET", path).with_header("cookie", cookie)
}

/// The cookie of a new session.
async fn visit(line: &mut Line) -> String {
    let token = line.ask(&Request::new("GET", "/count")).await.unwrap().token().unwrap();
    format!("__Host-session={token}")
}

#[tokio::test]
async fn requests_of_one_connection_are_answered_in_turn() {
    let (store, sessions) = counted();
    let server = serve(sessions, routes()).await;
    let mut line = Line::open(server.address).await.unwrap();
    let cookie = visit(&mut line).await;
    for _ in 0..3 {
        line.send(&get("/count", &cookie)).await.unwrap();
    }
    for count in ["2", "3", "4"] {
        let response = line.answer().await.unwrap().is(200).sets_no_cookie();
        assert_eq!(response.text(), count);
    }
    let calls = store.calls();
    assert_eq!((calls.creates, calls.loads, calls.replaces, calls.total()), (1, 3, 3, 7));
}

#[tokio::test]
async fn a_client_that_is_cut_off_does_not_cut_its_commit_short() {
    let store = StagedStore::new();
    store.close_gate();
    let mut server = serve(over(store.clone()), routes()).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"GET /count HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    store.write_arrived().await;
    client.set_zero_linger().unwrap();
    drop(client);
    server.request_over().await;
    assert_eq!(store.records(), 0, "the request is over before the store has answered");
    store.open_gate();
    store.write_done().await;
    assert_eq!(store.records(), 1);
}

#[tokio::test]
async fn a_panic_costs_its_connection_and_stores_nothing() {
    let (store, sessions) = counted();
    let mut server = serve(sessions, routes()).await;
    let mut line = Line::open(server.address).await.unwrap();
    let cookie = visit(&mut line).await;
    server.request_over().await;
    store.reset_calls();
    assert!(line.ask(&get("/panic", &cookie)).await.is_err(), "the connection ends without an answer");
    server.request_over().await;
    assert_eq!((store.calls().loads, store.calls().total()), (1, 1));
    // The server goes on, and so does the session.
    let mut line = Line::open(server.address).await.unwrap();
    assert_eq!(line.ask(&get("/count", &cookie)).await.unwrap().text(), "2");
}

#[tokio::test]
async fn a_body_that_is_refused_changes_nothing() {
    let (store, sessions) = counted();
    let server = serve(sessions, routes()).await;
    let mut line = Line::open(server.address).await.unwrap();
    let cookie = visit(&mut line).await;
    store.reset_calls();
    let form = "application/x-www-form-urlencoded";
    let ask = |body: &str| {
        let request = Request::new("POST", "/order").with_header("cookie", &*cookie);
        request.with_header("content-type", form).with_body(body.as_bytes())
    };
    for (body, status) in [("number=one", 422), ("number=10000000000000000000000", 413)] {
        let mut line = Line::open(server.address).await.unwrap();
        line.ask(&ask(body)).await.unwrap().is(status).sets_no_cookie();
    }
    assert_eq!((store.calls().loads, store.calls().total()), (2, 2), "the session was looked at, no more");
    assert_eq!(line.ask(&ask("number=7")).await.unwrap().is(200).text(), "7");
}

#[tokio::test]
async fn a_body_that_ends_too_early_changes_nothing() {
    let (store, sessions) = counted();
    let mut server = serve(sessions, routes()).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    let head = b"POST /order HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\
        content-type: application/x-www-form-urlencoded\r\n\r\nnumber=";
    client.write_all(head).await.unwrap();
    drop(client);
    server.request_over().await;
    assert_eq!(store.calls().total(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn all_threads_share_the_sessions_of_one_manager() {
    const CLIENTS: u32 = 6;
    const EACH: u32 = 5;
    let (_, sessions) = counted();
    let server = serve(sessions, routes()).await;
    let mut line = Line::open(server.address).await.unwrap();
    let cookie = visit(&mut line).await;
    let clients = (0..CLIENTS).map(async |_| {
        let mut line = Line::open(server.address).await.unwrap();
        for _ in 0..EACH {
            line.ask(&get("/count", &cookie)).await.unwrap().is(200);
        }
    });
    futures_util::future::join_all(clients).await;
    let visits = 1 + CLIENTS * EACH + 1;
    assert_eq!(line.ask(&get("/count", &cookie)).await.unwrap().text(), visits.to_string());
}

#[tokio::test]
async fn what_no_route_takes_is_a_404_without_headers_of_a_session() {
    let (store, sessions) = counted();
    let server = serve(sessions, routes()).await;
    let mut line = Line::open(server.address).await.unwrap();
    let response = line.ask(&Request::new("GET", "/nowhere")).await.unwrap().is(404);
    for name in ["vary", "cache-control", "set-cookie"] {
        assert!(response.header(name).is_empty());
    }
    assert_eq!(store.calls().total(), 0);
}
