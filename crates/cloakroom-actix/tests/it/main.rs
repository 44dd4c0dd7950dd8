//! What is particular to actix-web: middleware, extractors, responses. What a session does over HTTP on any
//! framework is told by the stories of `cloakroom-conformance`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper of these tests fails as they do"
)]
#![allow(clippy::future_not_send, reason = "actix-web runs each request on one thread")]

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
#[path = "../../../cloakroom-axum/tests/it/stores.rs"]
mod stores;
mod websocket;
mod wire;

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::test::TestRequest;
use actix_web::{HttpResponse, body};
use cloakroom_core::testing::{FailingStore, ModelStore};
use cloakroom_core::{Clock, KeyRing, SessionManager, Store};

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
        self.headers.get_all(name).map(|value| value.to_str().unwrap()).collect()
    }

    /// What a browser sends back: the cookie that was set last.
    fn cookie(&self) -> String {
        self.all("set-cookie").last().unwrap().split(';').next().unwrap().to_owned()
    }
}

async fn get<S, B>(app: &S, path: &str, headers: &[(&str, &str)]) -> Answer
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    // As actix-web's own server does with an error.
    match app.call(request(path, headers)).await {
        Ok(response) => read(response.into_parts().1).await,
        Err(error) => read(error.error_response()).await,
    }
}

fn request(path: &str, headers: &[(&str, &str)]) -> Request {
    let start = TestRequest::get().uri(path);
    headers.iter().fold(start, |request, header| request.append_header(*header)).to_request()
}

async fn read<B: MessageBody>(response: HttpResponse<B>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body::to_bytes(body).await.ok().unwrap();
    Answer {
        status: head.status(),
        headers: head.headers().clone(),
        body: String::from_utf8(body.into()).unwrap(),
    }
}
