//! The page on axum.

use std::io;
use std::time::Duration;

use axum::extract::Form;
use axum::response::{Html, Redirect};
use axum::{Router, routing};
use cloakroom::SessionManager;
use cloakroom::axum::{Result, Session, SessionLayer};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::pages::{self, LoginForm};

async fn home(session: Session) -> Result<Html<String>> {
    Ok(Html(pages::home(&session)?))
}

async fn login(session: Session, Form(form): Form<LoginForm>) -> Result<Redirect> {
    pages::login(&session, &form)?;
    Ok(Redirect::to("/"))
}

async fn logout(session: Session) -> Redirect {
    session.logout();
    Redirect::to("/")
}

pub(crate) async fn serve(listener: TcpListener, sessions: SessionManager) -> io::Result<()> {
    let app = Router::new()
        .route("/", routing::get(home))
        .route("/login", routing::post(login))
        .route("/logout", routing::post(logout))
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
