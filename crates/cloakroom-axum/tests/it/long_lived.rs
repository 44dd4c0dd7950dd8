//! Responses that go on after their head: streams, events, WebSockets.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get as on_get;
use cloakroom_axum::{Result, Session, SessionLayer};
use cloakroom_core::ErrorKind;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::{counted, get, request};

#[tokio::test]
async fn a_write_after_the_head_is_refused_and_the_stream_goes_on() {
    let (store, sessions) = counted();
    let handler = async |session: Session| -> Result<Response> {
        session.set("early", &1)?;
        let body = stream::once(async move {
            let late = session.set("late", &1).map_err(|error| error.kind());
            Ok::<_, Infallible>(format!("{late:?}"))
        });
        Ok(Body::from_stream(body).into_response())
    };
    let app = Router::new().route("/", on_get(handler)).layer(SessionLayer::new(sessions));
    let answer = get(&app, "/", &[]).await;
    assert_eq!(answer.body, format!("{:?}", Err::<(), _>(ErrorKind::Committed)));
    assert_eq!((store.calls().creates, store.calls().total()), (1, 1));
}

#[tokio::test]
async fn a_stream_arrives_piece_by_piece() {
    let (_, sessions) = counted();
    let (pieces, receiver) = mpsc::channel::<Bytes>(1);
    let receiver = std::sync::Mutex::new(Some(receiver));
    let handler = async move |session: Session| -> Result<Response> {
        session.set("marker", &1)?;
        let receiver = receiver.lock().unwrap().take().unwrap();
        let body = stream::unfold(receiver, async |mut receiver| {
            Some((Ok::<_, Infallible>(receiver.recv().await?), receiver))
        });
        Ok(Body::from_stream(body).into_response())
    };
    let handler = std::sync::Arc::new(handler);
    let route = on_get(async move |session: Session| handler(session).await);
    let app = Router::new().route("/", route).layer(SessionLayer::new(sessions));
    let response = app.oneshot(request("/", &[])).await.unwrap();
    assert!(response.headers().contains_key("set-cookie"), "the head is there before the first piece");
    let mut body = response.into_body().into_data_stream();
    for piece in ["a", "b", "c"] {
        pieces.send(piece.into()).await.unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), piece);
    }
    drop(pieces);
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn server_sent_events_read_a_detached_session() {
    let (_, sessions) = counted();
    let handler = async |session: Session| -> Result<_> {
        session.set("name", "ada")?;
        session.save().await?;
        let detached = session.detached().await?;
        let events = stream::once(async move {
            let name: Option<String> = detached.get("name").ok().flatten();
            Ok::<_, Infallible>(Event::default().data(name.unwrap_or_default()))
        });
        Ok(Sse::new(events))
    };
    let app = Router::new().route("/", on_get(handler)).layer(SessionLayer::new(sessions));
    let answer = get(&app, "/", &[]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "data: ada\n\n"));
    assert_eq!(answer.all("content-type"), ["text/event-stream"]);
    assert_eq!((answer.all("set-cookie").len(), answer.all("cache-control")), (1, vec!["no-store"]));
}

#[tokio::test]
async fn a_websocket_is_upgraded_and_its_session_outlives_the_request() {
    let (store, sessions) = counted();
    let handler = async |session: Session, upgrade: WebSocketUpgrade| -> Result<Response> {
        session.set("visits", &1)?;
        session.save().await?;
        let detached = session.detached().await?;
        Ok(upgrade.on_upgrade(async move |mut socket| {
            let visits = detached.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1);
            let saved = detached.save().await.map_err(|error| error.kind());
            let said = format!("{:?} {saved:?}", visits.ok());
            let _ = socket.send(Message::text(said)).await;
        }))
    };
    let app = Router::new()
        .route("/ws", on_get(handler))
        .route("/read", on_get(async |session: Session| format!("{:?}", session.get::<u32>("visits").ok())))
        .layer(SessionLayer::new(sessions));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, app.clone()).into_future());
    let talk = async {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(HANDSHAKE).await.unwrap();
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        said
    };
    let said = tokio::time::timeout(Duration::from_secs(10), talk).await.unwrap();
    server.abort();

    let head = said.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let text = String::from_utf8_lossy(&said[..head]).to_lowercase();
    assert!(text.starts_with("http/1.1 101"), "{text}");
    let frame = &said[head + 2..][..usize::from(said[head + 1])];
    assert_eq!(String::from_utf8_lossy(frame), "Some(2) Ok(())");
    let head = String::from_utf8_lossy(&said[..head]);
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(get(&app, "/read", &[("cookie", cookie)]).await.body, "Some(Some(2))");
    assert_eq!((store.calls().creates, store.calls().replaces), (1, 1));
}

const HANDSHAKE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
