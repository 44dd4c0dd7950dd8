//! Responses that go on after their head: streams and events.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get as on_get;
use cloakroom_axum::{Result, Session, SessionLayer};
use cloakroom_core::ErrorKind;
use futures_util::{StreamExt, stream};
use http::StatusCode;
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
