//! A WebSocket, whose session outlives the request that opened it.

use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{get as on_get, post as on_post};
use cloakroom_axum::{Result, Session};
use cloakroom_conformance::stories::{Line, Request};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::counted;
use crate::served::serve;

/// Answers each message with the count after it, or with why it could not be stored.
async fn counter(session: Session, upgrade: WebSocketUpgrade) -> Result<Response> {
    session.set("count", &1)?;
    session.save().await?;
    let detached = session.detached().await?;
    Ok(upgrade.on_upgrade(async move |mut socket| {
        while let Some(Ok(Message::Text(_))) = socket.recv().await {
            let said = match count(&detached).await {
                Ok(count) => count.to_string(),
                Err(error) => format!("{:?}", error.kind()),
            };
            if socket.send(Message::text(said)).await.is_err() {
                return;
            }
        }
    }))
}

async fn count(session: &cloakroom_core::Session) -> cloakroom_core::Result<u32> {
    let count = session.update("count", |count: Option<u32>| count.unwrap_or(0) + 1)?;
    session.save().await?;
    Ok(count)
}

async fn read(session: Session) -> Result<String> {
    Ok(format!("{:?}", session.get::<u32>("count")?))
}

async fn log_out(session: Session) -> &'static str {
    session.logout();
    "bye"
}

fn routes() -> Router {
    Router::new()
        .route("/ws", on_get(counter))
        .route("/read", on_get(read))
        .route("/logout", on_post(log_out))
}

#[tokio::test]
async fn a_websocket_is_upgraded_and_its_session_outlives_the_request() {
    tokio::time::timeout(Duration::from_secs(20), talk()).await.unwrap();
}

async fn talk() {
    let (store, sessions) = counted();
    let server = serve(sessions, routes()).await;
    let asked = format!("ws://{}/ws", server.address).into_client_request().unwrap();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut socket, upgraded) = tokio_tungstenite::client_async(asked, stream).await.unwrap();
    assert_eq!(upgraded.status(), 101);
    assert_eq!(upgraded.headers()["cache-control"], "no-store");
    assert_eq!(upgraded.headers()["vary"], "cookie");
    let cookies: Vec<_> = upgraded.headers().get_all("set-cookie").iter().collect();
    let [cookie] = cookies[..] else { panic!("{cookies:?}") };
    let cookie = cookie.to_str().unwrap().split(';').next().unwrap();

    let mut ask = async || {
        socket.send(tungstenite::Message::text("count")).await.unwrap();
        socket.next().await.unwrap().unwrap().into_text().unwrap()
    };
    assert_eq!([ask().await, ask().await], ["2", "3"]);
    let mut line = Line::open(server.address).await.unwrap();
    let request = |method, path| Request::new(method, path).with_header("cookie", cookie);
    assert_eq!(line.ask(&request("GET", "/read")).await.unwrap().text(), "Some(3)");
    assert_eq!((store.calls().creates, store.calls().replaces), (1, 2));

    line.ask(&request("POST", "/logout")).await.unwrap().is(200);
    assert_eq!(ask().await, "Ended", "who logged out elsewhere is not counted on");
    assert_eq!(line.ask(&request("GET", "/read")).await.unwrap().text(), "None");
}
