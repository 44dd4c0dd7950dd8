//! The page on actix-web.

#[allow(clippy::duplicate_mod, reason = "it is compiled once for each framework")]
#[path = "handlers.rs"]
mod handlers;

use std::io;
use std::net::TcpListener;

use actix_web::web::{self, Form, Html as Page, Redirect};
use actix_web::{App, HttpServer};
use cloakroom::SessionManager;
use cloakroom::actix::{Result, Session, SessionMiddleware};

fn page(html: String) -> Page {
    Page::new(html)
}

fn see_other(path: &'static str) -> Redirect {
    Redirect::to(path).see_other()
}

pub(crate) async fn serve(listener: TcpListener, sessions: SessionManager) -> io::Result<()> {
    let app = move || {
        App::new()
            .wrap(SessionMiddleware::new(sessions.clone()))
            .route("/", web::get().to(handlers::home))
            .route("/login", web::post().to(handlers::login))
            .route("/logout", web::post().to(handlers::logout))
    };
    // It ends at SIGINT and SIGTERM by itself.
    let server = HttpServer::new(app).workers(2).shutdown_timeout(5).listen(listener)?.run();
    server.await
}
