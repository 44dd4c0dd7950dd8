//! Handlers without sessions.

use actix_web::web;
use axum::Router;
use axum::routing::get;

pub fn router() -> Router {
    let ok = || get(async || "ok");
    Router::new()
        .route("/untouched", ok())
        .route("/read", ok())
        .route("/write", ok())
        .route("/fill", ok())
        .route("/fill-large", ok())
}

/// The same handlers behind a layer that hands each request on.
pub fn layered() -> Router {
    router().layer(tower::util::MapRequestLayer::new(|request: axum::extract::Request| request))
}

pub fn routes(app: &mut web::ServiceConfig) {
    for path in ["/untouched", "/read", "/write", "/fill", "/fill-large"] {
        app.route(path, web::get().to(async || "ok"));
    }
}
