//! actix-session, whose cookies are encrypted by default.

use actix_session::Session;
use actix_web::web;

use crate::values::{READ, fresh, large, sized, small};

pub fn routes(app: &mut web::ServiceConfig) {
    async fn read(session: Session) -> actix_web::Result<&'static str> {
        let value: Option<String> = session.get(READ)?;
        assert!(value.is_some(), "the session is there");
        Ok("ok")
    }
    async fn peek(session: Session) -> actix_web::Result<&'static str> {
        let _: Option<String> = session.get(READ)?;
        Ok("ok")
    }
    async fn write(session: Session) -> actix_web::Result<&'static str> {
        let value: Option<String> = session.get(READ)?;
        assert!(value.is_some(), "the session is there");
        session.insert(READ, fresh())?;
        Ok("ok")
    }
    async fn fill(session: Session) -> actix_web::Result<&'static str> {
        small().try_for_each(|(key, value)| session.insert(key, value))?;
        Ok("ok")
    }
    async fn fill_large(session: Session) -> actix_web::Result<&'static str> {
        large().try_for_each(|(key, value)| session.insert(key, value))?;
        Ok("ok")
    }
    async fn fill_sized(session: Session) -> actix_web::Result<&'static str> {
        sized().try_for_each(|(key, value)| session.insert(key, value))?;
        Ok("ok")
    }

    app.route("/untouched", web::get().to(async || "ok"))
        .route("/read", web::get().to(read))
        .route("/peek", web::get().to(peek))
        .route("/write", web::get().to(write))
        .route("/fill", web::get().to(fill))
        .route("/fill-large", web::get().to(fill_large))
        .route("/fill-sized", web::get().to(fill_sized));
}
