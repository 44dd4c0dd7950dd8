//! The routes on actix-web.

use std::convert::Infallible;
use std::future::ready;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Bytes, Data, Path, delete, get, post, put};
use actix_web::{App, HttpResponse, HttpServer};
use cloakroom::actix::{CsrfForm, CsrfMiddleware, Error, Result, Session, SessionMiddleware};
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
    let server =
        HttpServer::new(move || {
            App::new()
                .route("/healthz", get().to(|| ready("ok")))
                .service(web::scope("").configure(routes_of).wrap(SessionMiddleware::new(sessions.clone())))
                .app_data(Data::new(sessions.clone()))
                .app_data(web::PayloadConfig::new(LARGEST_BODY))
                .app_data(web::PathConfig::default().error_handler(|_, _| {
                    actix_web::error::ErrorBadRequest("a part of the path cannot be read")
                }))
        })
        .workers(2)
        .disable_signals()
        .shutdown_timeout(ENDING.as_secs())
        .listen(listener)?
        .run();
    let handle = server.handle();
    let asked = terminal::asked_to_end();
    serving();
    let ending = async {
        asked.await;
        handle.stop(true).await;
    };
    tokio::select! {
        served = server => served,
        () = ending => Ok(()),
    }
}

fn routes_of(app: &mut web::ServiceConfig) {
    app.route("/untouched", get().to(|| ready("ok")))
        .route("/session", get().to(describe))
        .service(
            web::resource("/value/{key}")
                .route(get().to(value))
                .route(put().to(set_value))
                .route(delete().to(remove_value)),
        )
        .route("/add/{key}/{n}", post().to(add))
        .route("/slow/{ms}/value/{key}", post().to(slow_set))
        .route("/slow/{ms}/add/{key}/{n}", post().to(slow_add))
        .route("/slow/{ms}/read", post().to(slow_read))
        .route("/clear", post().to(clear))
        .route("/rotate", post().to(rotate))
        .route("/login/{principal}", post().to(login))
        .route("/logout", post().to(logout))
        .route("/remember/{seconds}", post().to(remember))
        .route("/sessions", get().to(list))
        .route("/sessions/{handle}", delete().to(revoke))
        .route("/revoke-others", post().to(revoke_others))
        .route("/revoke-all", post().to(revoke_all))
        .service(web::resource("/flash").route(put().to(flash)).route(get().to(flashes)))
        .route("/set-then-status/{code}", post().to(set_then_status))
        .route("/set-then-panic", post().to(set_then_panic))
        .route("/stream", get().to(chunks))
        .route("/late-write", get().to(late_write))
        .route("/form", get().to(form_token))
        .service(web::resource("/form").wrap(CsrfMiddleware::new(CsrfPolicy::new())).route(post().to(form)))
        .route("/cached", get().to(|| ready(reply(routes::cached()))))
        .route("/cached/read", get().to(cached_read))
        .route("/cached/write", get().to(cached_write));
}

type Manager = Data<SessionManager>;
type Reply = Result<HttpResponse>;

async fn describe(session: Session) -> Reply {
    reply(routes::describe(&session))
}

async fn value(session: Session, key: Path<String>) -> Reply {
    reply(routes::value(&session, &key))
}

async fn set_value(session: Session, key: Path<String>, body: Bytes) -> Reply {
    reply(routes::set_value(&session, &key, &body))
}

async fn remove_value(session: Session, key: Path<String>) -> Reply {
    reply(routes::remove_value(&session, &key))
}

async fn add(session: Session, path: Path<(String, i64)>) -> Reply {
    let (key, n) = path.into_inner();
    reply(routes::add(&session, &key, n))
}

async fn slow_set(session: Session, path: Path<(u64, String)>, body: Bytes) -> Reply {
    let (ms, key) = path.into_inner();
    reply(routes::slow_set(&session, ms, &key, &body).await)
}

async fn slow_add(session: Session, path: Path<(u64, String, i64)>) -> Reply {
    let (ms, key, n) = path.into_inner();
    reply(routes::slow_add(&session, ms, &key, n).await)
}

async fn slow_read(session: Session, ms: Path<u64>) -> Reply {
    reply(routes::slow_read(&session, ms.into_inner()).await)
}

async fn clear(session: Session) -> Reply {
    reply(routes::clear(&session))
}

async fn rotate(session: Session) -> Reply {
    reply(routes::rotate(&session))
}

async fn login(session: Session, principal: Path<String>) -> Reply {
    reply(routes::login(&session, &principal))
}

async fn logout(session: Session) -> Reply {
    reply(routes::logout(&session))
}

async fn remember(session: Session, seconds: Path<u64>) -> Reply {
    reply(routes::remember(&session, seconds.into_inner()))
}

async fn list(session: Session, manager: Manager) -> Reply {
    reply(routes::sessions(&session, &manager).await)
}

async fn revoke(session: Session, manager: Manager, handle: Path<String>) -> Reply {
    reply(routes::revoke(&session, &manager, &handle).await)
}

async fn revoke_others(session: Session, manager: Manager) -> Reply {
    reply(routes::revoke_others(&session, &manager).await)
}

async fn revoke_all(session: Session, manager: Manager) -> Reply {
    reply(routes::revoke_all(&session, &manager).await)
}

async fn flash(session: Session, body: Bytes) -> Reply {
    reply(routes::flash(&session, &body))
}

async fn flashes(session: Session) -> Reply {
    reply(routes::flashes(&session))
}

async fn set_then_status(session: Session, code: Path<u16>) -> Reply {
    reply(routes::set_then_status(&session, code.into_inner()))
}

async fn set_then_panic(session: Session) -> Reply {
    reply(routes::set_then_panic(&session))
}

async fn chunks(session: Session) -> HttpResponse {
    let _read = session.keys();
    let chunks = stream::iter(routes::CHUNKS.iter().enumerate()).then(|(n, chunk)| async move {
        sleep(if n == 0 { Duration::ZERO } else { routes::BETWEEN_CHUNKS }).await;
        Ok::<_, Infallible>(Bytes::from_static(chunk.as_bytes()))
    });
    HttpResponse::Ok().streaming(chunks)
}

async fn late_write(session: Session) -> HttpResponse {
    let late = stream::once(async move {
        sleep(routes::BETWEEN_CHUNKS).await;
        Ok::<_, Infallible>(Bytes::from_static(routes::late_write(&session).as_bytes()))
    });
    HttpResponse::Ok().streaming(late)
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
    let mut response = HttpResponse::build(status);
    response.content_type(content_type);
    if let Some(value) = cache_control {
        response.insert_header((CACHE_CONTROL, value));
    }
    Ok(response.body(body))
}
