//! Where in a router the layer can stand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::Request;
use axum::middleware::Next;
use axum::routing::get as on_get;
use axum::{Router, middleware};
use cloakroom_axum::{Result, Session, SessionLayer};
use cloakroom_core::{KeyRing, SessionEvent, SessionEventKind, SessionEvents, SessionManager};
use http::StatusCode;
use tower_http::compression::CompressionLayer;

use crate::{counted, get};

async fn count(session: Session) -> Result<String> {
    Ok(session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?.to_string())
}

fn routes() -> Router {
    Router::new().route("/count", on_get(count))
}

/// Two requests, of which the second knows the first, cost what they cost everywhere.
async fn assert_counts(place: &str, build: impl Fn(SessionManager) -> Router, path: &str) {
    let (store, sessions) = counted();
    let app = build(sessions);
    let first = get(&app, path, &[]).await;
    assert_eq!((first.status, &*first.body), (StatusCode::OK, "1"), "{place}");
    assert_eq!(first.all("set-cookie").len(), 1, "{place}");
    let second = get(&app, path, &[("cookie", &first.cookie())]).await;
    assert_eq!((&*second.body, second.all("set-cookie").len()), ("2", 0), "{place}");
    assert_eq!(second.all("vary"), ["cookie"], "{place}");
    let calls = store.calls();
    assert_eq!((calls.creates, calls.loads, calls.replaces, calls.total()), (1, 1, 1, 3), "{place}");
}

#[tokio::test]
async fn around_a_router_a_route_a_nest_and_as_a_function() {
    let layer = SessionLayer::new;
    let function = |sessions| middleware::from_fn_with_state(sessions, cloakroom_axum::sessions);
    assert_counts("layer", |s| routes().layer(layer(s)), "/count").await;
    assert_counts("route_layer", |s| routes().route_layer(layer(s)), "/count").await;
    assert_counts("nested", |s| Router::new().nest("/in", routes().layer(layer(s))), "/in/count").await;
    assert_counts("around a nest", |s| Router::new().nest("/in", routes()).layer(layer(s)), "/in/count")
        .await;
    assert_counts("on a method", |s| Router::new().route("/count", on_get(count).layer(layer(s))), "/count")
        .await;
    assert_counts("as a function", |s| routes().layer(function(s)), "/count").await;
    assert_counts("fallback", |s| Router::new().fallback(count).layer(layer(s)), "/nowhere").await;
    let nested = |s| Router::new().nest("/in", Router::new().fallback(count).layer(layer(s)));
    assert_counts("fallback of a nest", nested, "/in/nowhere").await;
    let deep = |s| Router::new().nest("/out", Router::new().nest("/in", routes().layer(layer(s))));
    assert_counts("in a nest of a nest", deep, "/out/in/count").await;
}

#[tokio::test]
async fn twice_is_once() {
    let layer = SessionLayer::new;
    let function = |sessions| middleware::from_fn_with_state(sessions, cloakroom_axum::sessions);
    assert_counts("layers", |s| routes().layer(layer(s.clone())).layer(layer(s)), "/count").await;
    assert_counts("layer in function", |s| routes().layer(layer(s.clone())).layer(function(s)), "/count")
        .await;
    assert_counts("function in layer", |s| routes().layer(function(s.clone())).layer(layer(s)), "/count")
        .await;
    let nested =
        |s: SessionManager| Router::new().nest("/in", routes().layer(layer(s.clone()))).layer(layer(s));
    assert_counts("nested", nested, "/in/count").await;
}

#[tokio::test]
async fn a_token_is_read_by_the_outer_layer_alone() {
    let (_, others) = counted();
    let foreign = get(&routes().layer(SessionLayer::new(others)), "/count", &[]).await.cookie();
    let (rejected, sessions) = reporting();
    // Whoever asks between the two layers asks for the handler's session.
    let between =
        middleware::from_fn(async |_: Session, request: Request, next: Next| next.run(request).await);
    let inner = routes().layer(SessionLayer::new(sessions.clone()));
    let app = inner.layer(between).layer(SessionLayer::new(sessions));
    get(&app, "/count", &[("cookie", &foreign)]).await;
    assert_eq!(rejected.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn beside_layers_that_change_the_body() {
    let (_, sessions) = counted();
    let large = async |session: Session| -> Result<String> {
        session.set("marker", &1)?;
        Ok("compressible ".repeat(200))
    };
    for app in [
        Router::new()
            .route("/", on_get(large))
            .layer((SessionLayer::new(sessions.clone()), CompressionLayer::new())),
        Router::new().route("/", on_get(large)).layer((CompressionLayer::new(), SessionLayer::new(sessions))),
    ] {
        let asked = crate::request("/", &[("accept-encoding", "gzip")]);
        let response = tower::ServiceExt::oneshot(app, asked).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        assert!(response.headers().contains_key("set-cookie"));
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert_eq!(body[..2], [0x1f, 0x8b]);
    }
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
