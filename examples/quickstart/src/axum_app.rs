//! The page on axum.

#[allow(clippy::duplicate_mod, reason = "it is compiled once for each framework")]
#[path = "handlers.rs"]
mod handlers;

use std::io;
use std::time::Duration;

use axum::extract::Form;
use axum::response::{Html, Redirect};
use axum::{Router, routing};
use cloakroom::SessionManager;
use cloakroom::axum::{Result, Session, SessionLayer};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

type Page = Html<String>;

fn page(html: String) -> Page {
    Html(html)
}

fn see_other(path: &str) -> Redirect {
    Redirect::to(path)
}

pub(crate) async fn serve(listener: TcpListener, sessions: SessionManager) -> io::Result<()> {
    let app = Router::new()
        .route("/", routing::get(handlers::home))
        .route("/login", routing::post(handlers::login))
        .route("/logout", routing::post(handlers::logout))
        .layer(SessionLayer::new(sessions));
    let overdue = async {
        stop().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    tokio::select! {
        done = axum::serve(listener, app).with_graceful_shutdown(stop()) => done,
        () = overdue => Ok(()),
    }
}

/// Waits for `SIGINT` or `SIGTERM`.
async fn stop() {
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        },
        // Without handlers of ours the signals end the process.
        _ => std::future::pending().await,
    }
}
