//! What other sites can make a browser send, and what they cannot.

use actix_http::Request;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse, web};
use cloakroom_actix::{CsrfForm, CsrfMiddleware, Error, Result, Session, SessionMiddleware};
use cloakroom_core::testing::{FailingStore, Failure};
use cloakroom_core::{CsrfPolicy, ErrorKind, SessionManager, StoreErrorKind};
use serde::Deserialize;

use crate::{Answer, counted, get, read};

#[derive(Deserialize)]
struct Name {
    name: String,
    age: Option<u8>,
}

async fn rename(session: Session, CsrfForm(form): CsrfForm<Name>) -> Result<HttpResponse> {
    session.set("name", &(form.name, form.age))?;
    Ok(HttpResponse::Ok().finish())
}

async fn log_in(session: Session) -> Result<HttpResponse> {
    session.authenticate("ada")?;
    Ok(HttpResponse::NoContent().finish())
}

fn routes(config: &mut web::ServiceConfig) {
    let keys = web::get().to(async |session: Session| format!("{:?}", session.keys()));
    config
        .route("/token", web::get().to(async |session: Session| Ok::<_, Error>(session.csrf_token()?)))
        .service(web::resource("/name").route(web::post().to(rename)).route(keys))
        .route("/login", web::get().to(log_in))
        .route("/touch", web::post().to(async || "touched"));
}

/// What two middlewares make of a body.
type Body = EitherBody<EitherBody<BoxBody>>;

/// What [`init_service`] gives.
trait Served<B>: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error> {}

impl<B, S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error>> Served<B> for S {}

async fn app(sessions: SessionManager) -> impl Served<Body> {
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions))
        .wrap(CsrfMiddleware::new(CsrfPolicy::new()))
        .configure(routes);
    init_service(app).await
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const STALE: &str = "form out of date: load the page again";
const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn send<B: MessageBody>(
    app: &impl Served<B>,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<web::Bytes>,
) -> Answer {
    let start = TestRequest::post().uri(path).set_payload(body);
    let request = headers.iter().fold(start, |request, header| request.append_header(*header)).to_request();
    match app.call(request).await {
        Ok(response) => read(response.into_parts().1).await,
        Err(error) => read(error.error_response()).await,
    }
}

/// An application, its store, and a client's cookie and token.
async fn visited() -> (impl Served<Body>, FailingStore, String, String) {
    let (store, sessions) = counted();
    let app = app(sessions).await;
    let cookie = get(&app, "/login", &[]).await.cookie();
    let token = get(&app, "/token", &[("cookie", &cookie)]).await.body;
    (app, store, cookie, token)
}

#[actix_web::test]
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

#[actix_web::test]
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

#[actix_web::test]
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

#[actix_web::test]
async fn refusal_is_an_error_that_an_outer_middleware_can_make_a_page_of() {
    let (app, ..) = visited().await;
    let response = app.call(TestRequest::post().uri("/touch").to_request()).await.ok().unwrap();
    let error = response.response().error().unwrap().as_error::<Error>().unwrap();
    assert_eq!(error.session_error().unwrap().kind(), ErrorKind::CrossSite);
}

#[actix_web::test]
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

#[actix_web::test]
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

#[actix_web::test]
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
