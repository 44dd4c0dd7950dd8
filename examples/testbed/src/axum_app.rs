//! The routes on axum.

use std::convert::Infallible;
use std::future::ready;
use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use cloakroom::axum::{CsrfForm, CsrfLayer, Error, Result, Session, SessionLayer};
use cloakroom::{CsrfPolicy, SessionManager};
use futures_util::{StreamExt as _, stream};
use tokio::time::sleep;

use crate::answer::{Answer, Answered};
use crate::routes::Marked;
use crate::{ENDING, LARGEST_BODY, routes, terminal};

/// Serves until the program is asked to end.
pub(crate) async fn serve(
    listener: TcpListener,
    sessions: SessionManager,
    serving: impl FnOnce(),
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (ending, overdue) = (terminal::asked_to_end(), terminal::asked_to_end());
    let server = axum::serve(listener, router(sessions)).with_graceful_shutdown(ending);
    let patience = async {
        overdue.await;
        sleep(ENDING).await;
    };
    serving();
    tokio::select! {
        served = server => served,
        () = patience => Ok(()),
    }
}

fn router(sessions: SessionManager) -> Router {
    Router::new()
        .route("/untouched", get(|| ready("ok")))
        .route("/session", get(describe))
        .route("/value/{key}", get(value).put(set_value).delete(remove_value))
        .route("/add/{key}/{n}", post(add))
        .route("/slow/{ms}/value/{key}", post(slow_set))
        .route("/slow/{ms}/add/{key}/{n}", post(slow_add))
        .route("/slow/{ms}/read", post(slow_read))
        .route("/clear", post(clear))
        .route("/rotate", post(rotate))
        .route("/login/{principal}", post(login))
        .route("/logout", post(logout))
        .route("/remember/{seconds}", post(remember))
        .route("/sessions", get(list))
        .route("/sessions/{handle}", delete(revoke))
        .route("/revoke-others", post(revoke_others))
        .route("/revoke-all", post(revoke_all))
        .route("/flash", put(flash).get(flashes))
        .route("/set-then-status/{code}", post(set_then_status))
        .route("/set-then-panic", post(set_then_panic))
        .route("/stream", get(chunks))
        .route("/late-write", get(late_write))
        .route("/cached", get(|| ready(reply(routes::cached()))))
        .route("/cached/read", get(cached_read))
        .route("/cached/write", get(cached_write))
        .route("/form", get(form_token))
        .merge(Router::new().route("/form", post(form)).layer(CsrfLayer::new(CsrfPolicy::new())))
        .layer(SessionLayer::new(sessions.clone()))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .route("/healthz", get(|| ready("ok")))
        .with_state(sessions)
}

type Manager = State<SessionManager>;
type Reply = Result<Response>;

async fn describe(session: Session) -> Reply {
    reply(routes::describe(&session))
}

async fn value(session: Session, Path(key): Path<String>) -> Reply {
    reply(routes::value(&session, &key))
}

async fn set_value(session: Session, Path(key): Path<String>, body: Bytes) -> Reply {
    reply(routes::set_value(&session, &key, &body))
}

async fn remove_value(session: Session, Path(key): Path<String>) -> Reply {
    reply(routes::remove_value(&session, &key))
}

async fn add(session: Session, Path((key, n)): Path<(String, i64)>) -> Reply {
    reply(routes::add(&session, &key, n))
}

async fn slow_set(session: Session, Path((ms, key)): Path<(u64, String)>, body: Bytes) -> Reply {
    reply(routes::slow_set(&session, ms, &key, &body).await)
}

async fn slow_add(session: Session, Path((ms, key, n)): Path<(u64, String, i64)>) -> Reply {
    reply(routes::slow_add(&session, ms, &key, n).await)
}

async fn slow_read(session: Session, Path(ms): Path<u64>) -> Reply {
    reply(routes::slow_read(&session, ms).await)
}

async fn clear(session: Session) -> Reply {
    reply(routes::clear(&session))
}

async fn rotate(session: Session) -> Reply {
    reply(routes::rotate(&session))
}

async fn login(session: Session, Path(principal): Path<String>) -> Reply {
    reply(routes::login(&session, &principal))
}

async fn logout(session: Session) -> Reply {
    reply(routes::logout(&session))
}

async fn remember(session: Session, Path(seconds): Path<u64>) -> Reply {
    reply(routes::remember(&session, seconds))
}

async fn list(session: Session, State(manager): Manager) -> Reply {
    reply(routes::sessions(&session, &manager).await)
}

async fn revoke(session: Session, State(manager): Manager, Path(handle): Path<String>) -> Reply {
    reply(routes::revoke(&session, &manager, &handle).await)
}

async fn revoke_others(session: Session, State(manager): Manager) -> Reply {
    reply(routes::revoke_others(&session, &manager).await)
}

async fn revoke_all(session: Session, State(manager): Manager) -> Reply {
    reply(routes::revoke_all(&session, &manager).await)
}

async fn flash(session: Session, body: Bytes) -> Reply {
    reply(routes::flash(&session, &body))
}

async fn flashes(session: Session) -> Reply {
    reply(routes::flashes(&session))
}

async fn set_then_status(session: Session, Path(code): Path<u16>) -> Reply {
    reply(routes::set_then_status(&session, code))
}

async fn set_then_panic(session: Session) -> Reply {
    reply(routes::set_then_panic(&session))
}

async fn chunks(session: Session) -> Response {
    let _read = session.keys();
    let chunks = stream::iter(routes::CHUNKS.iter().enumerate()).then(|(n, chunk)| async move {
        sleep(if n == 0 { Duration::ZERO } else { routes::BETWEEN_CHUNKS }).await;
        Ok::<_, Infallible>(*chunk)
    });
    Body::from_stream(chunks).into_response()
}

async fn late_write(session: Session) -> Response {
    let late = stream::once(async move {
        sleep(routes::BETWEEN_CHUNKS).await;
        Ok::<_, Infallible>(routes::late_write(&session))
    });
    Body::from_stream(late).into_response()
}

async fn cached_read(session: Session) -> Reply {
    reply(routes::cached_read(&session))
}

async fn cached_write(session: Session) -> Reply {
    reply(routes::cached_write(&session))
}

async fn form_token(session: Session) -> Reply {
    reply(routes::form_token(&session))
}

async fn form(session: Session, CsrfForm(form): CsrfForm<Marked>) -> Reply {
    reply(routes::form(&session, &form))
}

fn reply(answered: Answered) -> Reply {
    let Answer { status, content_type, cache_control, body } = answered.map_err(Error::from)?;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let cache_control = cache_control.map(|value| [(header::CACHE_CONTROL, value)]);
    Ok((status, [(header::CONTENT_TYPE, content_type)], cache_control, body).into_response())
}
