//! The page on actix-web.

use std::io;
use std::net::TcpListener;

use actix_web::web::{self, Form, Html, Redirect};
use actix_web::{App, HttpServer};
use cloakroom::SessionManager;
use cloakroom::actix::{Result, Session, SessionMiddleware};

use crate::pages::{self, LoginForm};

async fn home(session: Session) -> Result<Html> {
    Ok(Html::new(pages::home(&session)?))
}

async fn login(session: Session, Form(form): Form<LoginForm>) -> Result<Redirect> {
    pages::login(&session, &form)?;
    Ok(Redirect::to("/").see_other())
}

async fn logout(session: Session) -> Redirect {
    session.logout();
    Redirect::to("/").see_other()
}

pub(crate) async fn serve(listener: TcpListener, sessions: SessionManager) -> io::Result<()> {
    let app = move || {
        App::new()
            .wrap(SessionMiddleware::new(sessions.clone()))
            .route("/", web::get().to(home))
            .route("/login", web::post().to(login))
            .route("/logout", web::post().to(logout))
    };
    // It ends at SIGINT and SIGTERM by itself.
    let server = HttpServer::new(app).workers(2).shutdown_timeout(5).listen(listener)?.run();
    server.await
}
