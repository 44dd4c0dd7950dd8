//! Responses that go on after their head: streams and events.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;

use actix_web::body::MessageBody;
use actix_web::test::{call_service, init_service};
use actix_web::{App, HttpResponse, web};
use bytes::Bytes;
use cloakroom_actix::{Result, Session, SessionMiddleware};
use cloakroom_core::ErrorKind;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::{counted, get, request};

async fn write_late(session: Session) -> Result<HttpResponse> {
    session.set("early", &1)?;
    let body = stream::once(async move {
        let late = session.set("late", &1).map_err(|error| error.kind());
        Ok::<_, Infallible>(Bytes::from(format!("{late:?}")))
    });
    Ok(HttpResponse::Ok().streaming(body))
}

#[actix_web::test]
async fn a_write_after_the_head_is_refused_and_the_stream_goes_on() {
    let (store, sessions) = counted();
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(write_late));
    let answer = get(&init_service(app).await, "/", &[]).await;
    assert_eq!(answer.body, format!("{:?}", Err::<(), _>(ErrorKind::Committed)));
    assert_eq!((store.calls().creates, store.calls().total()), (1, 1));
}

#[actix_web::test]
async fn a_stream_arrives_piece_by_piece() {
    let (_, sessions) = counted();
    let (pieces, receiver) = mpsc::channel::<Bytes>(1);
    let receiver = std::rc::Rc::new(std::cell::Cell::new(Some(receiver)));
    let handler = move |session: Session| {
        let receiver = receiver.take().unwrap();
        async move {
            session.set("marker", &1)?;
            let body = stream::unfold(receiver, async |mut receiver| {
                Some((Ok::<_, Infallible>(receiver.recv().await?), receiver))
            });
            Ok::<_, cloakroom_actix::Error>(HttpResponse::Ok().streaming(body))
        }
    };
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(handler));
    let response = call_service(&init_service(app).await, request("/", &[])).await;
    assert!(response.headers().contains_key("set-cookie"), "the head is there before the first piece");
    let mut body = pin!(response.into_body());
    for piece in ["a", "b", "c"] {
        pieces.send(piece.into()).await.unwrap();
        assert_eq!(poll_fn(|cx| body.as_mut().poll_next(cx)).await.unwrap().unwrap(), piece);
    }
    drop(pieces);
    assert!(poll_fn(|cx| body.as_mut().poll_next(cx)).await.is_none());
}

async fn events(session: Session) -> Result<HttpResponse> {
    session.set("name", "ada")?;
    session.save().await?;
    let detached = session.detached().await?;
    let events = stream::once(async move {
        let name: Option<String> = detached.get("name").ok().flatten();
        Ok::<_, Infallible>(Bytes::from(format!("data: {}\n\n", name.unwrap_or_default())))
    });
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(events))
}

#[actix_web::test]
async fn server_sent_events_read_a_detached_session() {
    let (_, sessions) = counted();
    let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(events));
    let answer = get(&init_service(app).await, "/", &[]).await;
    assert_eq!((&*answer.body, answer.all("content-type")), ("data: ada\n\n", vec!["text/event-stream"]));
    assert_eq!((answer.all("set-cookie").len(), answer.all("cache-control")), (1, vec!["no-store"]));
}
