//! Where in an application the middleware can stand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Compress, Condition, Next, NormalizePath, from_fn};
use actix_web::test::init_service;
use actix_web::{App, body, web};
use cloakroom_actix::{Result, Session, SessionMiddleware};
use cloakroom_core::testing::FailingStore;
use cloakroom_core::{KeyRing, SessionEvent, SessionEventKind, SessionEvents, SessionManager};

use crate::{counted, get, request};

async fn count(session: Session) -> Result<String> {
    Ok(session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?.to_string())
}

async fn pass<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    next.call(request).await
}

/// Two requests, of which the second knows the first, cost what they cost everywhere.
async fn assert_counts<S, B>(store: &FailingStore, app: &S, path: &str)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    let first = get(app, path, &[]).await;
    assert_eq!((first.status, &*first.body), (StatusCode::OK, "1"));
    assert_eq!(first.all("set-cookie").len(), 1);
    let second = get(app, path, &[("cookie", &first.cookie())]).await;
    assert_eq!((&*second.body, second.all("set-cookie").len()), ("2", 0));
    assert_eq!(second.all("vary"), ["cookie"]);
    let calls = store.calls();
    assert_eq!((calls.creates, calls.loads, calls.replaces, calls.total()), (1, 1, 1, 3));
}

macro_rules! places {
    ($($place:ident $path:literal ($around:ident) $app:expr;)+) => {$(
        #[actix_web::test]
        async fn $place() {
            let (store, sessions) = counted();
            let $around = move || SessionMiddleware::new(sessions.clone());
            assert_counts(&store, &init_service($app).await, $path).await;
        }
    )+};
}

places! {
    around_an_app "/count" (around) App::new().wrap(around()).route("/count", web::get().to(count));
    around_a_scope "/in/count" (around)
        App::new().service(web::scope("/in").wrap(around()).route("/count", web::get().to(count)));
    around_an_app_with_a_scope "/in/7/count" (around) App::new()
        .wrap(around())
        .service(web::scope("/in/{number}").route("/count", web::get().to(count)));
    around_a_resource "/count" (around)
        App::new().service(web::resource("/count").wrap(around()).route(web::get().to(count)));
    around_a_scope_in_a_scope "/out/in/count" (around) App::new().service(
        web::scope("/out").service(
            web::scope("/in").wrap(around()).service(web::resource("/count").route(web::get().to(count))),
        ),
    );
    around_a_scope_with_a_scope "/out/in/count" (around) App::new().service(
        web::scope("/out")
            .wrap(around())
            .service(web::scope("/in").service(web::resource("/count").route(web::get().to(count)))),
    );
    around_one_route "/count" (around) App::new().service(
        web::resource("/count").route(web::get().to(count).wrap(around())),
    );
    around_what_no_route_takes "/nowhere" (around)
        App::new().wrap(around()).default_service(web::to(count));
    around_what_no_route_of_a_scope_takes "/in/nowhere" (around)
        App::new().service(web::scope("/in").wrap(around()).default_service(web::to(count)));
    outside_a_function "/count" (around)
        App::new().wrap(from_fn(pass)).wrap(around()).route("/count", web::get().to(count));
    inside_a_function "/count" (around)
        App::new().wrap(around()).wrap(from_fn(pass)).route("/count", web::get().to(count));
    beside_others "/count//" (around) App::new()
        .wrap(Condition::new(true, around()))
        .wrap(NormalizePath::trim())
        .route("/count", web::get().to(count));
    twice_is_once "/count" (around)
        App::new().wrap(around()).wrap(around()).route("/count", web::get().to(count));
    twice_in_a_scope_is_once "/in/count" (around) App::new()
        .wrap(around())
        .service(web::scope("/in").wrap(around()).route("/count", web::get().to(count)));
}

#[actix_web::test]
async fn beside_middleware_that_changes_the_body() {
    async fn large(session: Session) -> Result<String> {
        session.set("marker", &1)?;
        Ok("compressible ".repeat(200))
    }
    async fn assert_compressed<S, B>(app: S)
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
        B: MessageBody,
    {
        let response = app.call(request("/", &[("accept-encoding", "gzip")])).await.unwrap();
        assert_eq!(response.headers().get("content-encoding").unwrap(), "gzip");
        assert!(response.headers().contains_key("set-cookie"));
        let body = body::to_bytes(response.into_body()).await.ok().unwrap();
        assert_eq!(body[..2], [0x1f, 0x8b]);
    }
    let (_, sessions) = counted();
    let around = || SessionMiddleware::new(sessions.clone());
    let app = || App::new().route("/", web::get().to(large));
    assert_compressed(init_service(app().wrap(around()).wrap(Compress::default())).await).await;
    assert_compressed(init_service(app().wrap(Compress::default()).wrap(around())).await).await;
}

#[actix_web::test]
async fn a_token_is_read_by_the_outer_middleware_alone() {
    let (_, others) = counted();
    let app = App::new().wrap(SessionMiddleware::new(others)).route("/count", web::get().to(count));
    let foreign = get(&init_service(app).await, "/count", &[]).await.cookie();
    let (rejected, sessions) = reporting();
    // Whoever asks between the two asks for the handler's session.
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions.clone()))
        .wrap(from_fn(async |_: Session, request: ServiceRequest, next: Next<_>| next.call(request).await))
        .wrap(SessionMiddleware::new(sessions))
        .route("/count", web::get().to(count));
    get(&init_service(app).await, "/count", &[("cookie", &foreign)]).await;
    assert_eq!(rejected.0.load(Ordering::SeqCst), 1);
}

/// Sessions that count the tokens they do not take.
fn reporting() -> (Rejected, SessionManager) {
    let (store, _) = counted();
    let rejected = Rejected::default();
    let sessions = SessionManager::builder(store, KeyRing::generate()).with_events(rejected.clone());
    (rejected, sessions.build().unwrap())
}

#[derive(Clone, Default)]
struct Rejected(Arc<AtomicU32>);

impl SessionEvents for Rejected {
    fn on_event(&self, event: &SessionEvent) {
        if matches!(event.kind(), SessionEventKind::TokenRejected(_)) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}
