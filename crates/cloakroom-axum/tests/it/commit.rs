//! When something is stored, and when nothing is.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::panic::panic_any;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::response::Response;
use axum::routing::get as on_get;
use cloakroom_axum::{Result, Session, SessionLayer};
use cloakroom_core::{Backend, KeyRing, SessionManager};
use http::StatusCode;
use tokio::sync::Semaphore;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use crate::stores::StagedStore;
use crate::{counted, get, over, request};

async fn count(session: Session) -> Result<String> {
    Ok(session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1)?.to_string())
}

async fn set_then_panic(session: Session) -> String {
    session.set("marker", &1).unwrap();
    panic!("a handler that panics")
}

#[tokio::test]
async fn a_handler_that_panics_stores_nothing_though_the_panic_is_caught_below_the_layer() {
    let (store, sessions) = counted();
    let app = Router::new()
        .route("/", on_get(set_then_panic))
        .layer((SessionLayer::new(sessions), CatchPanicLayer::new()));
    let answer = get(&app, "/", &[]).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.all("set-cookie").is_empty());
    assert_eq!(store.calls().total(), 0);
}

#[tokio::test]
async fn a_panic_passes_through_the_layer() {
    let (store, sessions) = counted();
    let app = Router::new()
        .route("/", on_get(set_then_panic))
        .layer((CatchPanicLayer::new(), SessionLayer::new(sessions)));
    let answer = get(&app, "/", &[]).await;
    assert_eq!((answer.status, store.calls().total()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    assert!(!answer.headers.contains_key("vary"));
}

#[tokio::test]
async fn a_handler_that_is_dropped_stores_nothing() {
    let (store, sessions) = counted();
    let wrote = Arc::new(Semaphore::new(0));
    let signal = Arc::clone(&wrote);
    let handler = async move |session: Session| -> Result<()> {
        session.set("marker", &1)?;
        signal.add_permits(1);
        pending().await
    };
    let app = Router::new().route("/", on_get(handler)).layer(SessionLayer::new(sessions));
    tokio::select! {
        _ = app.oneshot(request("/", &[])) => panic!("the handler never ends"),
        permit = wrote.acquire() => permit.unwrap().forget(),
    }
    // Whatever had been spawned would run now.
    tokio::task::yield_now().await;
    assert_eq!(store.calls().total(), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_cut_a_commit_short() {
    let store = StagedStore::new();
    store.close_gate();
    let app = Router::new().route("/", on_get(count)).layer(SessionLayer::new(over(store.clone())));
    tokio::select! {
        _ = app.oneshot(request("/", &[])) => panic!("the store has not answered"),
        () = store.write_arrived() => {}
    }
    assert_eq!(store.records(), 0, "the client is gone before the store has answered");
    store.open_gate();
    store.write_done().await;
    assert_eq!(store.records(), 1);
}

#[tokio::test]
async fn the_response_waits_for_the_commit() {
    let store = StagedStore::new();
    store.close_gate();
    let app = Router::new().route("/", on_get(count)).layer(SessionLayer::new(over(store.clone())));
    let mut response = pin!(app.oneshot(request("/", &[])));
    tokio::select! {
        _ = &mut response => panic!("the store has not answered"),
        () = store.write_arrived() => {}
    }
    let unanswered = response.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
    assert!(unanswered && store.records() == 0);
    store.open_gate();
    let response = response.await.unwrap();
    assert!(response.headers().contains_key("set-cookie") && store.records() == 1);
}

#[tokio::test]
async fn a_service_that_fails_instead_of_answering_stores_nothing() {
    let (store, sessions) = counted();
    let failing = service_fn(async |request: Request| {
        let (mut parts, _) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, &()).await.unwrap();
        session.set("marker", &1).unwrap();
        Err::<Response<Body>, _>("no answer")
    });
    let answer = SessionLayer::new(sessions).layer(failing).oneshot(request("/", &[])).await;
    // Whatever had been spawned would run now.
    tokio::task::yield_now().await;
    assert_eq!((answer.err(), store.calls().total()), (Some("no answer"), 0));
}

#[tokio::test]
async fn an_answer_of_any_status_is_stored() {
    let (store, sessions) = counted();
    let handler = async |session: Session| -> Result<_> {
        session.set("marker", &1)?;
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    };
    let app = Router::new().route("/", on_get(handler)).layer(SessionLayer::new(sessions));
    let answer = get(&app, "/", &[]).await;
    assert_eq!((answer.status, store.calls().creates), (StatusCode::INTERNAL_SERVER_ERROR, 1));
    assert_eq!(answer.all("set-cookie").len(), 1);
}

/// What panics again when it is dropped, as long as its test goes on.
struct Bomb(Weak<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0.strong_count() == 0, "dropped");
    }
}

#[tokio::test]
async fn a_commit_that_panics_is_an_error_of_its_request_alone() {
    for waits in [false, true] {
        let store = StagedStore::new();
        let (runs, test) = (Arc::new(AtomicU32::new(0)), Arc::new(()));
        let bomb = Arc::downgrade(&test);
        let handler = async move |session: Session| -> Result<String> {
            let (runs, bomb) = (Arc::clone(&runs), Weak::clone(&bomb));
            let visits = session.update("visits", move |visits: Option<u32>| {
                if runs.fetch_add(1, Ordering::SeqCst) >= 2 {
                    panic_any(Bomb(Weak::clone(&bomb)));
                }
                visits.unwrap_or(0) + 1
            })?;
            Ok(visits.to_string())
        };
        let app = Router::new().route("/", on_get(handler)).layer(SessionLayer::new(over(store.clone())));
        let cookie = get(&app, "/", &[]).await.cookie();
        store.write_arrived().await;
        store.lose_races(1);
        if waits {
            // Then the closure is done again in a task.
            store.close_gate();
        }
        let headers = [("cookie", &*cookie)];
        let (answer, ()) = tokio::join!(get(&app, "/", &headers), async {
            store.write_arrived().await;
            if waits {
                store.open_gate();
            }
        });
        drop(test);
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "waits: {waits}");
        assert_eq!(answer.body, "internal server error");
        assert!(answer.all("set-cookie").is_empty());
    }
}

#[tokio::test]
async fn what_panics_when_it_is_settled_is_an_error_of_its_request_alone() {
    let sessions = SessionManager::new(Backend::client_side(), KeyRing::generate());
    let test = Arc::new(());
    let bomb = Arc::downgrade(&test);
    let handler = async move |session: Session| -> Result<String> {
        let bomb = Bomb(Weak::clone(&bomb));
        let visits = session.update("visits", move |visits: Option<u32>| {
            let _ = &bomb;
            visits.unwrap_or(0) + 1
        })?;
        Ok(visits.to_string())
    };
    let app = Router::new().route("/", on_get(handler)).layer(SessionLayer::new(sessions));
    let answer = get(&app, "/", &[]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::INTERNAL_SERVER_ERROR, "internal server error"));
}

#[test]
fn the_future_of_a_request_is_little_more_than_that_of_its_handler() {
    let (_, sessions) = counted();
    let inner = service_fn(async |_: Request| Ok::<_, Infallible>(Response::new(Body::empty())));
    let bare = size_of_val(&tower::Service::call(&mut inner.clone(), request("/", &[])));
    let mut service = SessionLayer::new(sessions).layer(inner);
    let layered = size_of_val(&tower::Service::call(&mut service, request("/", &[])));
    // Once the handler is done, its room holds the response.
    let most = bare.max(size_of::<Response>()) + 32;
    assert!(layered <= most, "{layered} bytes where {most} would do");
}
