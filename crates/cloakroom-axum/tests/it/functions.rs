//! Functions as layers that use the session themselves.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get as on_get;
use cloakroom_axum::{Result, Session, SessionLayer};
use http::{HeaderValue, StatusCode};

use crate::{counted, get};

async fn count(session: Session) -> Result<String> {
    Ok(session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?.to_string())
}

/// Writes before the handler, reads what it wrote, and writes after it.
async fn around(session: Session, request: Request, next: Next) -> Result<Response> {
    session.set("visits", &10)?;
    let mut response = next.run(request).await;
    let visits: Option<u32> = session.get("visits")?;
    session.set("after", &visits)?;
    let seen = HeaderValue::from_str(&format!("{visits:?}")).unwrap();
    response.headers_mut().insert("x-seen", seen);
    Ok(response)
}

/// Lets nobody in who is not logged in.
async fn guard(session: Session, request: Request, next: Next) -> Response {
    if session.principal().is_none() {
        return (StatusCode::FORBIDDEN, "log in first").into_response();
    }
    next.run(request).await
}

#[tokio::test]
async fn inside_it_writes_before_and_after_the_handler_in_one_commit() {
    let (store, sessions) = counted();
    let after = async |session: Session| -> Result<_> { Ok(format!("{:?}", session.get::<u32>("after")?)) };
    let app = Router::new()
        .route("/count", on_get(count))
        .route_layer(from_fn(around))
        .route("/after", on_get(after))
        .layer(SessionLayer::new(sessions));
    let answer = get(&app, "/count", &[]).await;
    assert_eq!((&*answer.body, answer.all("x-seen")), ("11", vec!["Some(11)"]));
    assert_eq!((store.calls().creates, store.calls().total()), (1, 1));
    assert_eq!(get(&app, "/after", &[("cookie", &answer.cookie())]).await.body, "Some(11)");
}

#[tokio::test]
async fn outside_there_is_no_session() {
    let (store, sessions) = counted();
    let app = Router::new()
        .route("/count", on_get(count))
        .layer(SessionLayer::new(sessions))
        .layer(from_fn(around));
    let answer = get(&app, "/count", &[]).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (500, "internal server error"));
    assert_eq!(store.calls().total(), 0);
}

#[tokio::test]
async fn one_that_answers_itself_has_answered() {
    let (store, sessions) = counted();
    let log_in = async |session: Session| -> Result<_> {
        session.authenticate("ada")?;
        Ok("welcome")
    };
    let app = Router::new()
        .route("/inside", on_get(count))
        .route_layer(from_fn(guard))
        .route("/login", on_get(log_in))
        .layer(SessionLayer::new(sessions));
    let answer = get(&app, "/inside", &[]).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (403, "log in first"));
    assert_eq!((answer.all("vary"), store.calls().total()), (vec!["cookie"], 0));
    let cookie = get(&app, "/login", &[]).await.cookie();
    assert_eq!(get(&app, "/inside", &[("cookie", &cookie)]).await.body, "1");
}
