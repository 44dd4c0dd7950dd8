//! axum_session, with its process-wide memory in front of the database and without.

use anyhow::Result;
use axum::Router;
use axum::routing::get;
use axum_session::{DatabasePool, Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use axum_session_redispool::SessionRedisPool;
use axum_session_sqlx::SessionPgPool;

use super::Setup;
use crate::cell::{Backend, Contender};
use crate::values::{READ, fresh, large, sized, small};

pub async fn router(setup: &Setup) -> Result<Router> {
    let config = SessionConfig::default();
    let config = match setup.cell.contender {
        Contender::AxumSessionNocache => config.with_memory_lifetime(time::Duration::ZERO),
        _ => config,
    };
    match setup.cell.backend {
        Backend::Memory => Ok(application(SessionStore::<SessionNullPool>::new(None, config).await?)),
        Backend::Redis => {
            let pool = redis_pool::RedisPool::from(redis::Client::open(setup.url()?)?);
            Ok(application(SessionStore::<SessionRedisPool>::new(Some(pool.into()), config).await?))
        }
        Backend::Postgres => {
            let pool = sqlx::PgPool::connect(setup.url()?).await?;
            Ok(application(SessionStore::<SessionPgPool>::new(Some(pool.into()), config).await?))
        }
        other => anyhow::bail!("axum_session is not measured on {}", other.name()),
    }
}

fn application<P>(store: SessionStore<P>) -> Router
where
    P: DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    let app = Router::new()
        .route("/untouched", get(async || "ok"))
        .route(
            "/read",
            get(async |session: Session<P>| {
                let value: Option<String> = session.get(READ);
                assert!(value.is_some(), "the session is there");
                "ok"
            }),
        )
        .route(
            "/peek",
            get(async |session: Session<P>| {
                let _: Option<String> = session.get(READ);
                "ok"
            }),
        )
        .route(
            "/write",
            get(async |session: Session<P>| {
                let value: Option<String> = session.get(READ);
                assert!(value.is_some(), "the session is there");
                session.set(READ, fresh());
                "ok"
            }),
        )
        .route(
            "/fill",
            get(async |session: Session<P>| {
                small().for_each(|(key, value)| session.set(key, value));
                "ok"
            }),
        )
        .route(
            "/fill-large",
            get(async |session: Session<P>| {
                large().for_each(|(key, value)| session.set(key, value));
                "ok"
            }),
        )
        .route(
            "/fill-sized",
            get(async |session: Session<P>| {
                sized().for_each(|(key, value)| session.set(key, value));
                "ok"
            }),
        );
    app.layer(SessionLayer::new(store))
}
