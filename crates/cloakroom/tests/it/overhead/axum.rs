//! The service on axum.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use cloakroom::axum::{Result, Session, SessionLayer};
use tokio::runtime::{Builder, Runtime};
use tower::Service as _;
use tower::util::option_layer;

use super::{KEYS, Service, spent};

pub(super) struct Axum {
    app: Router,
    runtime: Runtime,
}

async fn read(session: Session) -> Result<&'static str> {
    assert_eq!(session.get(KEYS[3])?, Some(3));
    Ok("ok")
}

async fn write(session: Session) -> Result<&'static str> {
    assert_eq!(session.get(KEYS[3])?, Some(3));
    session.update(KEYS[7], |value| value.unwrap_or(0) + 1)?;
    Ok("ok")
}

async fn fill(session: Session) -> Result<&'static str> {
    for (value, key) in (0..).zip(KEYS) {
        session.set(key, &value)?;
    }
    Ok("ok")
}

impl Axum {
    pub(super) fn bare() -> Self {
        Self::serving(plain())
    }

    pub(super) fn switched_off() -> Self {
        Self::serving(plain().layer(option_layer(None::<SessionLayer>)))
    }

    pub(super) fn layered() -> Self {
        let app = Router::new()
            .route("/untouched", get(async || "ok"))
            .route("/read", get(read))
            .route("/write", get(write))
            .route("/fill", get(fill));
        Self::serving(app.layer(SessionLayer::new(super::sessions())))
    }

    fn serving(app: Router) -> Self {
        Self { app, runtime: Builder::new_current_thread().enable_all().build().unwrap() }
    }
}

fn plain() -> Router {
    let ok = || get(async || "ok");
    Router::new().route("/untouched", ok()).route("/read", ok()).route("/write", ok()).route("/fill", ok())
}

impl Service for Axum {
    fn ask(&mut self, path: &str, cookie: Option<&str>, times: usize) -> Duration {
        let requests: Vec<_> = (0..times).map(|_| request(path, cookie)).collect();
        let app = &mut self.app;
        let begin = spent();
        self.runtime.block_on(async {
            for request in requests {
                answered(app.call(request).await.unwrap_or_else(|never| match never {}));
            }
        });
        spent() - begin
    }

    fn fill(&mut self) -> String {
        let app = &mut self.app;
        let response = self.runtime.block_on(app.call(request("/fill", None)));
        let response = response.unwrap_or_else(|never| match never {});
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

fn request(path: &str, cookie: Option<&str>) -> Request {
    let request = Request::builder().uri(path).header("host", "localhost");
    let request = cookie.into_iter().fold(request, |request, cookie| request.header("cookie", cookie));
    request.body(Body::empty()).unwrap()
}

fn answered(response: Response) {
    assert_eq!(response.status(), 200);
}
