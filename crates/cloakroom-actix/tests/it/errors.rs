//! What a client is told when something fails, and what the log is told.

use std::io;
use std::sync::{Arc, Mutex};

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::middleware::{ErrorHandlerResponse, ErrorHandlers, Next, from_fn};
use actix_web::test::init_service;
use actix_web::{App, HttpRequest, HttpResponse, ResponseError, body, web};
use cloakroom_actix::{Error, Principal, Result, Session, SessionMiddleware};
use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{ErrorKind, KeyRing, SessionManager, StoreErrorKind};

use crate::stores::StagedStore;
use crate::{Answer, counted, get, request};

const DOWN: Failure = Failure::Before(StoreErrorKind::Unavailable);

async fn count(session: Session) -> Result<HttpResponse> {
    let visits = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?;
    let mut response = HttpResponse::Ok();
    Ok(response.append_header(("set-cookie", "own=1")).append_header(("x-own", "1")).body(visits.to_string()))
}

async fn log_in(session: Session) -> Result<HttpResponse> {
    session.authenticate("ada")?;
    Ok(HttpResponse::NoContent().finish())
}

async fn greet(session: Result<Session>) -> String {
    match session {
        Ok(session) => format!("{} values", session.len()),
        Err(error) => format!("without: {error}"),
    }
}

async fn greet_in_the_words_of_actix(session: actix_web::Result<Session>) -> String {
    match session {
        Ok(session) => format!("{} values", session.len()),
        Err(error) => format!("without: {}", error.as_response_error().status_code()),
    }
}

async fn perhaps(session: Option<Session>) -> String {
    session.and_then(|session| session.principal()).unwrap_or("nobody".to_owned())
}

async fn wrong_type(session: Session) -> Result<String> {
    session.set("secret-key", &7)?;
    Ok(session.get::<String>("secret-key")?.unwrap_or_default())
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/count", web::get().to(count))
        .route("/login", web::get().to(log_in))
        .route("/greet", web::get().to(greet))
        .route("/greet-actix", web::get().to(greet_in_the_words_of_actix))
        .route("/perhaps", web::get().to(perhaps))
        .route("/name", web::get().to(async |principal: Principal| principal.into_string()))
        .route("/wrong-type", web::get().to(wrong_type));
}

macro_rules! app {
    ($sessions:expr) => {
        init_service(App::new().wrap(SessionMiddleware::new($sessions)).configure(routes)).await
    };
}

#[track_caller]
fn assert_is(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status.as_u16(), &*answer.body), (status, body));
    assert_eq!(answer.all("content-type"), ["text/plain; charset=utf-8"]);
}

#[actix_web::test]
async fn an_outage_at_the_load_is_a_503_and_leaves_the_cookie_alone() {
    let (store, sessions) = counted();
    let app = app!(sessions);
    let cookie = get(&app, "/login", &[]).await.cookie();
    let cookie = [("cookie", &*cookie)];
    store.fail_always(DOWN);
    for path in ["/count", "/name"] {
        let answer = get(&app, path, &cookie).await;
        assert_is(&answer, 503, "session store unavailable");
        assert!(answer.all("set-cookie").is_empty());
        assert_eq!(answer.all("vary"), ["cookie"]);
        assert_eq!(answer.all("cache-control"), ["no-store"]);
    }
    let answer = get(&app, "/greet", &cookie).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (StatusCode::OK, "without: the session store cannot be used now")
    );
    assert_eq!(get(&app, "/greet-actix", &cookie).await.body, "without: 503 Service Unavailable");
    store.heal();
    assert_eq!(get(&app, "/name", &cookie).await.body, "ada", "an outage is no logout");
}

/// Why the documentation says never to do it.
#[actix_web::test]
async fn an_optional_session_takes_an_outage_for_a_logout() {
    let (store, sessions) = counted();
    let app = app!(sessions);
    let cookie = get(&app, "/login", &[]).await.cookie();
    assert_eq!(get(&app, "/perhaps", &[("cookie", &cookie)]).await.body, "ada");
    store.fail_next(Verb::Load, DOWN);
    assert_eq!(get(&app, "/perhaps", &[("cookie", &cookie)]).await.body, "nobody");
}

#[actix_web::test]
async fn an_outage_at_the_commit_takes_the_place_of_the_response() {
    let (store, sessions) = counted();
    let app = app!(sessions);
    store.fail_next(Verb::Create, DOWN);
    let answer = get(&app, "/count", &[]).await;
    assert_is(&answer, 503, "session store unavailable");
    for name in ["set-cookie", "x-own", "retry-after"] {
        assert!(!answer.headers.contains_key(name), "{answer:?}");
    }
    assert_eq!((answer.all("vary"), answer.all("cache-control")), (vec!["cookie"], vec!["no-store"]));
}

#[actix_web::test]
async fn a_session_that_others_keep_changing_is_a_503_that_says_when_to_come_back() {
    let store = StagedStore::new();
    let sessions = SessionManager::builder(store.clone(), KeyRing::generate())
        .with_deadline(std::time::Duration::from_millis(30))
        .build()
        .unwrap();
    let app = app!(sessions);
    let cookie = get(&app, "/count", &[]).await.cookie();
    store.lose_races(u32::MAX);
    let answer = get(&app, "/count", &[("cookie", &cookie)]).await;
    assert_is(&answer, 503, "session store unavailable");
    assert_eq!(answer.all("retry-after"), ["1"]);
}

#[actix_web::test]
async fn a_session_that_ended_meanwhile_is_a_409() {
    async fn race(
        session: Session,
        sessions: web::Data<SessionManager>,
        request: HttpRequest,
    ) -> Result<&'static str> {
        session.set("late", &1)?;
        let visit = sessions.visit(request.headers().get_all("cookie").map(HeaderValue::as_bytes));
        visit.session().await?.end().await?;
        Ok("never seen")
    }
    let (_, sessions) = counted();
    let app = App::new()
        .app_data(web::Data::new(sessions.clone()))
        .wrap(SessionMiddleware::new(sessions))
        .configure(routes)
        .route("/race", web::get().to(race));
    let app = init_service(app).await;
    let cookie = get(&app, "/login", &[]).await.cookie();
    let answer = get(&app, "/race", &[("cookie", &cookie)]).await;
    assert_is(&answer, 409, "session ended");
    assert!(answer.all("set-cookie").is_empty());
}

#[actix_web::test]
async fn who_is_not_logged_in_is_told_so() {
    let (store, sessions) = counted();
    let app = app!(sessions);
    let answer = get(&app, "/name", &[]).await;
    assert_is(&answer, 401, "not logged in");
    assert_eq!((answer.all("vary"), store.calls().total()), (vec!["cookie"], 0));
    let cookie = get(&app, "/login", &[]).await.cookie();
    let answer = get(&app, "/name", &[("cookie", &cookie)]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "ada"));
}

#[actix_web::test]
async fn the_error_of_a_handler_is_told_to_the_log_and_not_to_the_client() {
    let (_, sessions) = counted();
    let app = app!(sessions);
    let log = Log::default();
    let answer = log.during(get(&app, "/wrong-type", &[])).await;
    assert_is(&answer, 500, "internal server error");
    let log = log.text();
    assert!(log.contains("ERROR") && log.contains("does not have this type"), "{log}");
}

#[actix_web::test]
async fn an_error_is_told_to_the_log_once_however_often_its_response_is_made() {
    let error = Error::from(cloakroom_core::Error::new(ErrorKind::Value));
    let (clone, log) = (error.clone(), Log::default());
    log.during(async {
        error.error_response();
        error.error_response();
        clone.error_response();
    })
    .await;
    assert_eq!(log.text().matches("a handler failed at its session").count(), 1, "{}", log.text());
}

/// Writes, and then fails at its session.
async fn write_and_fail(session: &Session) -> Result<HttpResponse> {
    session.set("marker", &1)?;
    wrong_type(session.clone()).await?;
    Ok(HttpResponse::Ok().finish())
}

/// A handler's error is a response already, a middleware's becomes one outside: neither is told twice.
#[actix_web::test]
async fn a_refusal_after_an_error_is_one_line_of_the_log_and_the_error_another() {
    let (store, sessions) = counted();
    let app = App::new()
        .service(web::scope("/middleware").wrap(from_fn(
            async |session: Session, _: ServiceRequest, _: Next<body::BoxBody>| {
                write_and_fail(&session).await?;
                Err::<ServiceResponse, _>(actix_web::error::ErrorImATeapot("never"))
            },
        )))
        .route("/handler", web::get().to(async |session: Session| write_and_fail(&session).await))
        .wrap(SessionMiddleware::new(sessions));
    let app = init_service(app).await;
    for path in ["/handler", "/middleware"] {
        store.fail_next(Verb::Create, DOWN);
        let log = Log::default();
        let answer = log.during(get(&app, path, &[])).await;
        assert_is(&answer, 503, "session store unavailable");
        let log = log.text();
        assert_eq!(log.matches("a handler failed at its session").count(), 1, "{path}: {log}");
        assert_eq!(log.matches("the commit of a session failed").count(), 1, "{path}: {log}");
        assert_eq!(log.lines().count(), 2, "{path}: {log}");
    }
}

#[actix_web::test]
async fn a_missing_middleware_is_a_500_whose_log_says_what_to_add() {
    let app = init_service(App::new().route("/count", web::get().to(count))).await;
    let log = Log::default();
    let answer = log.during(get(&app, "/count", &[])).await;
    assert_is(&answer, 500, "internal server error");
    let log = log.text();
    assert!(log.contains("add `.wrap(SessionMiddleware::new(sessions.clone()))`"), "{log}");
}

#[actix_web::test]
async fn a_middleware_outside_finds_the_error_in_the_response() {
    let (store, sessions) = counted();
    let app = app!(sessions);
    store.fail_next(Verb::Create, DOWN);
    let response = actix_web::test::call_service(&app, request("/count", &[])).await;
    let error = response.response().error().unwrap().as_error::<Error>().unwrap();
    assert_eq!(error.session_error().map(cloakroom_core::Error::kind), Some(ErrorKind::Unavailable));
}

/// A page in the place of our line of text.
fn page<B: body::MessageBody + 'static>(
    response: ServiceResponse<B>,
) -> actix_web::Result<ErrorHandlerResponse<B>> {
    let error = response.response().error().and_then(|error| error.as_error::<Error>());
    let text = error.map_or("something else", Error::public_message);
    let text = format!("<h1>Please try again</h1><p>{text}</p>");
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = response.map_body(|_, _| body::EitherBody::right(body::BoxBody::new(text)));
    response.headers_mut().insert(CONTENT_TYPE, html);
    Ok(ErrorHandlerResponse::Response(response))
}

#[actix_web::test]
async fn pages_of_the_application_keep_the_headers_of_the_session() {
    let (store, sessions) = counted();
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions))
        .wrap(ErrorHandlers::new().handler(StatusCode::SERVICE_UNAVAILABLE, page))
        .configure(routes);
    let app = init_service(app).await;
    let cookie = get(&app, "/login", &[]).await.cookie();
    let page = "<h1>Please try again</h1><p>session store unavailable</p>";
    for verb in [Verb::Load, Verb::Replace] {
        store.fail_next(verb, DOWN);
        let answer = get(&app, "/count", &[("cookie", &cookie)]).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (503, page));
        assert_eq!(answer.all("content-type"), ["text/html; charset=utf-8"]);
        assert_eq!((answer.all("vary"), answer.all("cache-control")), (vec!["cookie"], vec!["no-store"]));
        assert!(answer.all("set-cookie").is_empty());
    }
}

/// What this thread logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        work.await
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
