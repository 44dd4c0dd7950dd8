//! What is particular to axum: layers, extractors, responses. What a session does over HTTP on any framework
//! is told by the stories of `cloakroom-conformance`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper of these tests fails as they do"
)]

mod commit;
mod csrf;
mod errors;
mod functions;
mod long_lived;
mod names;
mod places;
mod responses;
mod served;
mod spawned;
mod stores;
mod websocket;
mod wire;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use cloakroom_core::testing::{FailingStore, ModelStore};
use cloakroom_core::{Clock, KeyRing, SessionManager, Store};
use http::{HeaderMap, StatusCode};
use tower::ServiceExt;

/// A store that counts, and the sessions in it.
fn counted() -> (FailingStore, SessionManager) {
    let store = FailingStore::new(ModelStore::new(Clock::system()));
    (store.clone(), over(store))
}

fn over(store: impl Store) -> SessionManager {
    SessionManager::new(store, KeyRing::generate())
}

/// A response that was read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// What a browser sends back: the cookie that was set last.
    fn cookie(&self) -> String {
        self.all("set-cookie").last().unwrap().split(';').next().unwrap().to_owned()
    }
}

async fn get(app: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    let response = app.clone().oneshot(request(path, headers)).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.into()).unwrap() }
}

fn request(path: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}
