//! What a client is told when something fails, and what the log is told.

use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::response::Response;
use axum::routing::get as on_get;
use cloakroom_axum::{Error, Principal, Result, Session, SessionLayer};
use cloakroom_core::testing::{Failure, Verb};
use cloakroom_core::{ErrorKind, KeyRing, SessionManager, StoreErrorKind};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use tower::ServiceExt;

use crate::stores::StagedStore;
use crate::{Answer, counted, get, request};

const DOWN: Failure = Failure::Before(StoreErrorKind::Unavailable);

async fn count(session: Session) -> Result<([(&'static str, &'static str); 2], String)> {
    let visits = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?;
    Ok(([("set-cookie", "own=1"), ("x-own", "1")], visits.to_string()))
}

fn app(sessions: SessionManager) -> Router {
    let log_in = async |session: Session| -> Result<()> { Ok(session.authenticate("ada")?) };
    let greet = async |session: Result<Session>| match session {
        Ok(session) => format!("{} values", session.len()),
        Err(error) => format!("without: {}", error.status()),
    };
    Router::new()
        .route("/count", on_get(count))
        .route("/login", on_get(log_in))
        .route("/greet", on_get(greet))
        .route("/name", on_get(async |principal: Principal| principal.into_string()))
        .route("/wrong-type", on_get(async |session: Session| -> Result<_> { Ok(wrong_type(&session)?) }))
        .layer(SessionLayer::new(sessions))
}

fn wrong_type(session: &Session) -> cloakroom_core::Result<String> {
    session.set("secret-key", &7)?;
    Ok(session.get::<String>("secret-key")?.unwrap_or_default())
}

#[track_caller]
fn assert_is(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status.as_u16(), &*answer.body), (status, body));
    assert_eq!(answer.all("content-type"), ["text/plain; charset=utf-8"]);
}

#[tokio::test]
async fn an_outage_at_the_load_is_a_503_and_leaves_the_cookie_alone() {
    let (store, sessions) = counted();
    let app = app(sessions);
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
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "without: 503 Service Unavailable"));
    store.heal();
    assert_eq!(get(&app, "/name", &cookie).await.body, "ada", "an outage is no logout");
}

#[tokio::test]
async fn an_outage_at_the_commit_takes_the_place_of_the_response() {
    let (store, sessions) = counted();
    let app = app(sessions);
    store.fail_next(Verb::Create, DOWN);
    let answer = get(&app, "/count", &[]).await;
    assert_is(&answer, 503, "session store unavailable");
    for name in ["set-cookie", "x-own", "retry-after"] {
        assert!(!answer.headers.contains_key(name), "{answer:?}");
    }
    assert_eq!((answer.all("vary"), answer.all("cache-control")), (vec!["cookie"], vec!["no-store"]));
}

#[tokio::test]
async fn a_session_that_others_keep_changing_is_a_503_that_says_when_to_come_back() {
    let store = StagedStore::new();
    let sessions = SessionManager::builder(store.clone(), KeyRing::generate())
        .with_deadline(std::time::Duration::from_millis(30))
        .build()
        .unwrap();
    let app = app(sessions);
    let cookie = get(&app, "/count", &[]).await.cookie();
    store.lose_races(u32::MAX);
    let answer = get(&app, "/count", &[("cookie", &cookie)]).await;
    assert_is(&answer, 503, "session store unavailable");
    assert_eq!(answer.all("retry-after"), ["1"]);
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_is_a_409() {
    let (_, sessions) = counted();
    let racing = sessions.clone();
    let handler = async move |headers: http::HeaderMap, session: Session| -> Result<()> {
        session.set("late", &1)?;
        let visit = racing.visit(headers.get_all("cookie").iter().map(|value| value.as_bytes()));
        visit.session().await?.end().await?;
        Ok(())
    };
    let app = app(sessions.clone())
        .merge(Router::new().route("/race", on_get(handler)).layer(SessionLayer::new(sessions)));
    let cookie = get(&app, "/login", &[]).await.cookie();
    let answer = get(&app, "/race", &[("cookie", &cookie)]).await;
    assert_is(&answer, 409, "session ended");
    assert!(answer.all("set-cookie").is_empty());
}

#[tokio::test]
async fn who_is_not_logged_in_is_told_so() {
    let (store, sessions) = counted();
    let app = app(sessions);
    let answer = get(&app, "/name", &[]).await;
    assert_is(&answer, 401, "not logged in");
    assert_eq!((answer.all("vary"), store.calls().total()), (vec!["cookie"], 0));
    let cookie = get(&app, "/login", &[]).await.cookie();
    let answer = get(&app, "/name", &[("cookie", &cookie)]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "ada"));
}

#[tokio::test]
async fn the_error_of_a_handler_is_told_to_the_log_and_not_to_the_client() {
    let (_, sessions) = counted();
    let log = Log::default();
    let answer = log.during(get(&app(sessions), "/wrong-type", &[])).await;
    assert_is(&answer, 500, "internal server error");
    let log = log.text();
    assert!(log.contains("ERROR") && log.contains("does not have this type"), "{log}");
}

#[tokio::test]
async fn a_missing_layer_is_a_500_whose_log_says_what_to_add() {
    let log = Log::default();
    let app = Router::new().route("/count", on_get(count));
    let answer = log.during(get(&app, "/count", &[])).await;
    assert_is(&answer, 500, "internal server error");
    assert!(log.text().contains("add `.layer(SessionLayer::new(sessions))`"), "{}", log.text());
}

#[tokio::test]
async fn a_layer_outside_finds_the_error_in_the_response() {
    let (store, sessions) = counted();
    store.fail_always(DOWN);
    let response = app(sessions).oneshot(request("/count", &[])).await.unwrap();
    let error = response.extensions().get::<Error>().unwrap();
    assert_eq!(error.session_error().map(cloakroom_core::Error::kind), Some(ErrorKind::Unavailable));
}

#[tokio::test]
async fn a_refusal_after_an_error_is_one_line_of_the_log_and_the_error_another() {
    let (store, sessions) = counted();
    let app = app(sessions);
    store.fail_next(Verb::Create, DOWN);
    let log = Log::default();
    let answer = log.during(get(&app, "/wrong-type", &[])).await;
    assert_is(&answer, 503, "session store unavailable");
    let log = log.text();
    assert_eq!(log.matches("a handler failed at its session").count(), 1, "{log}");
    assert_eq!(log.matches("the commit of a session failed").count(), 1, "{log}");
    assert_eq!(log.lines().count(), 2, "{log}");
}

/// A page in the place of our line of text.
async fn page(mut response: Response) -> Response {
    if let Some(error) = response.extensions().get::<Error>() {
        let text = format!("<h1>Please try again</h1><p>{}</p>", error.public_message());
        *response.body_mut() = text.into();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    response
}

#[tokio::test]
async fn pages_of_the_application_keep_the_headers_of_the_session() {
    let (store, sessions) = counted();
    let app = app(sessions).layer(axum::middleware::map_response(page));
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
