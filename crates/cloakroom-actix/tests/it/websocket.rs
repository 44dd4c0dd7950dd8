//! A WebSocket, whose session outlives the request that opened it.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, rt, web};
use actix_ws::Message;
use cloakroom_actix::{Result, Session};
use cloakroom_conformance::stories::{Line, Request};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::counted;
use crate::served::serve;

/// Answers each message with the count after it, or with why it could not be stored.
async fn counter(
    session: Session,
    request: HttpRequest,
    body: web::Payload,
) -> actix_web::Result<HttpResponse> {
    session.set("count", &1).map_err(cloakroom_actix::Error::from)?;
    session.save().await.map_err(cloakroom_actix::Error::from)?;
    let detached = session.detached().await.map_err(cloakroom_actix::Error::from)?;
    let (response, mut socket, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(Message::Text(_))) = messages.recv().await {
            let said = match count(&detached).await {
                Ok(count) => count.to_string(),
                Err(error) => format!("{:?}", error.kind()),
            };
            if socket.text(said).await.is_err() {
                return;
            }
        }
    });
    Ok(response)
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

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/ws", web::get().to(counter))
        .route("/read", web::get().to(read))
        .route("/logout", web::post().to(log_out));
}

#[actix_web::test]
async fn a_websocket_is_upgraded_and_its_session_outlives_the_request() {
    tokio::time::timeout(Duration::from_secs(20), talk()).await.unwrap();
}

async fn talk() {
    let (store, sessions) = counted();
    let server = serve(1, sessions, routes);
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
