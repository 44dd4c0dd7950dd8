//! What other sites can make a browser send, and what they cannot.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get as on_get, post};
use cloakroom_axum::{CsrfForm, CsrfLayer, Error, Result, Session, SessionLayer};
use cloakroom_core::testing::{FailingStore, Failure};
use cloakroom_core::{CsrfPolicy, ErrorKind, SessionManager, StoreErrorKind};
use serde::Deserialize;
use tower::ServiceExt;

use crate::{Answer, counted, get};

#[derive(Deserialize)]
struct Name {
    name: String,
    age: Option<u8>,
}

async fn rename(session: Session, CsrfForm(form): CsrfForm<Name>) -> Result<()> {
    session.set("name", &(form.name, form.age))?;
    Ok(())
}

fn app(sessions: SessionManager) -> Router {
    let log_in = async |session: Session| -> Result<()> { Ok(session.authenticate("ada")?) };
    Router::new()
        .route("/token", on_get(async |session: Session| -> Result<String> { Ok(session.csrf_token()?) }))
        .route("/name", post(rename).get(async |session: Session| format!("{:?}", session.keys())))
        .route("/login", on_get(log_in))
        .route("/touch", post(async || "touched"))
        .layer(SessionLayer::new(sessions))
        .layer(CsrfLayer::new(CsrfPolicy::new()))
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const STALE: &str = "form out of date: load the page again";
const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn send(app: &Router, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::builder().method("POST").uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.into()).unwrap() }
}

/// An application, its store, and a client's cookie and token.
async fn visited() -> (Router, FailingStore, String, String) {
    let (store, sessions) = counted();
    let app = app(sessions);
    let cookie = get(&app, "/login", &[]).await.cookie();
    let token = get(&app, "/token", &[("cookie", &cookie)]).await.body;
    (app, store, cookie, token)
}

#[tokio::test]
async fn request_of_another_site_reaches_neither_handler_nor_store() {
    let (app, store, cookie, _) = visited().await;
    let before = store.calls();
    for foreign in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("x-nothing", "1"),
    ] {
        let answer =
            send(&app, "/name", &[("host", "shop.example"), ("cookie", &cookie), FORM, foreign], "").await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (403, "cross-site request refused"),
            "{foreign:?}"
        );
        assert_eq!(answer.all("content-type"), ["text/plain; charset=utf-8"]);
        assert!(answer.all("set-cookie").is_empty());
    }
    assert_eq!(store.calls(), before);
}

#[tokio::test]
async fn request_of_our_own_pages_passes() {
    let (app, ..) = visited().await;
    for (host, ours) in [
        ("shop.example", OURS),
        ("shop.example", ("sec-fetch-site", "none")),
        ("shop.example", ("origin", "https://shop.example")),
        ("localhost:3000", ("origin", "http://localhost:3000")),
    ] {
        let answer = send(&app, "/touch", &[("host", host), ours], "").await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, "touched"), "{ours:?} at {host}");
    }
    let answer = get(&app, "/token", &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(answer.status, 200, "a link from another site is none of its business");
}

#[tokio::test]
async fn host_of_http_2_stands_in_the_target() {
    let (app, ..) = visited().await;
    let origin = ("origin", "https://shop.example:8443");
    let answer = send(&app, "https://shop.example:8443/touch", &[origin], "").await;
    assert_eq!(answer.status, 200);
    let answer = send(&app, "https://evil.example/touch", &[("host", "shop.example:8443"), origin], "").await;
    assert_eq!(answer.status, 403);
    let hosts = [("host", "shop.example:8443"), ("host", "evil.example"), origin];
    assert_eq!(send(&app, "/touch", &hosts, "").await.status, 403, "which of the two?");
}

#[tokio::test]
async fn refusal_is_an_error_that_an_outer_layer_can_make_a_page_of() {
    let (app, ..) = visited().await;
    let request = Request::post("/touch").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let error = response.extensions().get::<Error>().unwrap();
    assert_eq!(error.session_error().unwrap().kind(), ErrorKind::CrossSite);
}

#[tokio::test]
async fn form_with_its_token_is_taken() {
    let (app, _, cookie, token) = visited().await;
    let body = format!("name=Ada+L.&csrf_token={token}&age=36&more=1");
    let answer = send(&app, "/name", &[("cookie", &cookie), FORM, OURS], body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let upper = ("content-type", "Application/X-WWW-Form-URLEncoded ; charset=UTF-8");
    let body = format!("csrf_token={token}&name=Ada");
    assert_eq!(send(&app, "/name", &[("cookie", &cookie), upper, OURS], body).await.status, 200);
    assert_eq!(get(&app, "/name", &[("cookie", &cookie)]).await.body, r#"["name"]"#);
}

#[tokio::test]
async fn form_without_a_token_of_its_session_is_refused() {
    let (app, _, cookie, token) = visited().await;
    let other = get(&app, "/login", &[]).await.cookie();
    let others = get(&app, "/token", &[("cookie", &other)]).await.body;
    for body in [
        "name=Ada".to_owned(),
        "name=Ada&csrf_token=".to_owned(),
        format!("name=Ada&csrf_token={others}"),
        format!("name=Ada&csrf_token={token}&csrf_token={token}"),
        format!("name=Ada&csrf_token={others}&csrf_token={token}"),
        format!("name=Ada&CSRF_TOKEN={token}"),
        format!("name=Ada&csrf_token={token}%00"),
        String::new(),
    ] {
        let answer = send(&app, "/name", &[("cookie", &cookie), FORM, OURS], body.clone()).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (403, STALE), "{body}");
    }
    let body = format!("name=Ada&csrf_token={token}");
    let answer = send(&app, "/name", &[FORM, OURS], body.clone()).await;
    assert_eq!(answer.status, 403, "a visitor has no token");
    assert!(answer.all("set-cookie").is_empty());
    let address = format!("/name?{body}");
    let answer = send(&app, &address, &[("cookie", &cookie), FORM, OURS], "name=Ada").await;
    assert_eq!(answer.status, 403, "addresses are logged");
    assert_eq!(get(&app, "/name", &[("cookie", &cookie)]).await.body, "[]");
}

#[tokio::test]
async fn form_that_cannot_be_read_is_told_so() {
    let (app, store, cookie, token) = visited().await;
    let good = format!("name=Ada&csrf_token={token}");
    let large = format!("{good}&more={}", "x".repeat(3 << 20));
    for (status, media_type, body) in [
        (415, "application/json", good.clone()),
        (415, "multipart/form-data; boundary=x", good.clone()),
        (415, "text/plain", good.clone()),
        (413, FORM.1, large),
        (422, FORM.1, format!("csrf_token={token}")),
        (422, FORM.1, format!("{good}&age=old")),
    ] {
        let headers = [("cookie", &*cookie), ("content-type", media_type), OURS];
        let answer = send(&app, "/name", &headers, body).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (status, "the form cannot be read"));
    }
    assert_eq!(send(&app, "/name", &[("cookie", &cookie), OURS], good.clone()).await.status, 415);
    store.fail_always(Failure::Before(StoreErrorKind::Unavailable));
    let answer = send(&app, "/name", &[("cookie", &cookie), FORM, OURS], good).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (503, "session store unavailable"));
}
