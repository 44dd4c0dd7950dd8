//! Cloakroom on both frameworks.

use std::time::Duration;

use actix_web::web;
use anyhow::Result;
use axum::Router;
use axum::routing::get;
use cloakroom::axum::{SessionLayer, SessionService};
use cloakroom::{Backend, Expiry, KeyRing, SessionManager};
use tower::Layer as _;

use super::Setup;
use crate::cell;
use crate::scenario::Rolling;
use crate::values::{READ, fresh, large, sized, small};

/// Touched four times a second; the default idle timeout is touched once a minute. Sessions that are asked for less than that are not touched.
const SHORT_IDLE: Duration = Duration::from_millis(2500);

/// Nobody else here has bounds: neither shall a long run come to ours.
const ROOM: &str = "memory:?max_entries=16000000&max_bytes=68719476736";

pub async fn sessions(setup: &Setup) -> Result<SessionManager> {
    let backend = match setup.cell.backend {
        cell::Backend::Memory => cloakroom::connect(ROOM).await?,
        cell::Backend::Cookie => Backend::client_side(),
        _ => cloakroom::connect(setup.url()?).await?,
    };
    let manager = SessionManager::builder(backend, KeyRing::generate());
    let long = Expiry::default();
    let short = Expiry::new(SHORT_IDLE, Duration::from_secs(12 * 3600));
    let manager = match setup.rolling {
        // By default a session would be touched where it is older than a minute, as those of a long curve are.
        Rolling::No => manager.with_expiry(long.with_touch_interval(long.idle() / 2)),
        Rolling::AsUsual => manager.with_expiry(short),
        Rolling::AtEachUse => manager.with_expiry(short.with_touch_interval(Duration::ZERO)),
    };
    Ok(manager.build()?)
}

pub async fn router(setup: &Setup) -> Result<Router> {
    Ok(handlers()?.layer(SessionLayer::new(sessions(setup).await?)))
}

/// The same handlers with the layer around the whole router.
pub async fn around(setup: &Setup) -> Result<SessionService<Router>> {
    Ok(SessionLayer::new(sessions(setup).await?).layer(handlers()?.with_state(())))
}

fn handlers() -> Result<Router> {
    use cloakroom::axum::{Result, Session};

    async fn read(session: Session) -> Result<&'static str> {
        let value: Option<String> = session.get(READ)?;
        assert!(value.is_some(), "the session is there");
        Ok("ok")
    }
    async fn peek(session: Session) -> Result<&'static str> {
        let _: Option<String> = session.get(READ)?;
        Ok("ok")
    }
    async fn write(session: Session) -> Result<&'static str> {
        let value: Option<String> = session.get(READ)?;
        assert!(value.is_some(), "the session is there");
        session.set(READ, &fresh())?;
        Ok("ok")
    }
    async fn fill(session: Session) -> Result<&'static str> {
        small().try_for_each(|(key, value)| session.set(key, value))?;
        Ok("ok")
    }
    async fn fill_large(session: Session) -> Result<&'static str> {
        large().try_for_each(|(key, value)| session.set(key, value))?;
        Ok("ok")
    }
    async fn fill_sized(session: Session) -> Result<&'static str> {
        sized().try_for_each(|(key, value)| session.set(key, value))?;
        Ok("ok")
    }

    let app = Router::new()
        .route("/untouched", get(async || "ok"))
        .route("/read", get(read))
        .route("/peek", get(peek))
        .route("/write", get(write))
        .route("/fill", get(fill))
        .route("/fill-large", get(fill_large))
        .route("/fill-sized", get(fill_sized));
    Ok(app)
}

pub fn routes(app: &mut web::ServiceConfig) {
    use cloakroom::actix::{Result, Session};

    async fn read(session: Session) -> Result<&'static str> {
        let value: Option<String> = session.get(READ)?;
        assert!(value.is_some(), "the session is there");
        Ok("ok")
    }
    async fn peek(session: Session) -> Result<&'static str> {
        let _: Option<String> = session.get(READ)?;
        Ok("ok")
    }
    async fn write(session: Session) -> Result<&'static str> {
        let value: Option<String> = session.get(READ)?;
        assert!(value.is_some(), "the session is there");
        session.set(READ, &fresh())?;
        Ok("ok")
    }
    async fn fill(session: Session) -> Result<&'static str> {
        small().try_for_each(|(key, value)| session.set(key, value))?;
        Ok("ok")
    }
    async fn fill_large(session: Session) -> Result<&'static str> {
        large().try_for_each(|(key, value)| session.set(key, value))?;
        Ok("ok")
    }
    async fn fill_sized(session: Session) -> Result<&'static str> {
        sized().try_for_each(|(key, value)| session.set(key, value))?;
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
