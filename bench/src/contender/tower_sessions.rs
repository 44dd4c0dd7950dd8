//! tower-sessions: 0.15 with its memory, and 0.14, which its published stores depend on.

use anyhow::Result;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use super::Setup;
use crate::cell::Backend;
use crate::values::{READ, fresh, large, sized, small};

/// The half hour that Cloakroom's idle timeout is by default.
const IDLE: time::Duration = time::Duration::minutes(30);

/// The same application with either release.
macro_rules! application {
    ($release:ident, $setup:expr, $store:expr) => {{
        use $release::{Expiry, Session, SessionManagerLayer};

        fn refuse(_: impl std::error::Error) -> StatusCode {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        async fn read(session: Session) -> Result<&'static str, StatusCode> {
            let value: Option<String> = session.get(READ).await.map_err(refuse)?;
            assert!(value.is_some(), "the session is there");
            Ok("ok")
        }
        async fn peek(session: Session) -> Result<&'static str, StatusCode> {
            let _: Option<String> = session.get(READ).await.map_err(refuse)?;
            Ok("ok")
        }
        async fn write(session: Session) -> Result<&'static str, StatusCode> {
            let value: Option<String> = session.get(READ).await.map_err(refuse)?;
            assert!(value.is_some(), "the session is there");
            session.insert(READ, fresh()).await.map_err(refuse)?;
            Ok("ok")
        }
        async fn fill(session: Session) -> Result<&'static str, StatusCode> {
            for (key, value) in small() {
                session.insert(key, value).await.map_err(refuse)?;
            }
            Ok("ok")
        }
        async fn fill_large(session: Session) -> Result<&'static str, StatusCode> {
            for (key, value) in large() {
                session.insert(key, value).await.map_err(refuse)?;
            }
            Ok("ok")
        }
        async fn fill_sized(session: Session) -> Result<&'static str, StatusCode> {
            for (key, value) in sized() {
                session.insert(key, value).await.map_err(refuse)?;
            }
            Ok("ok")
        }

        let layer = SessionManagerLayer::new($store)
            .with_expiry(Expiry::OnInactivity(IDLE))
            .with_always_save($setup.rolling != $crate::scenario::Rolling::No);
        let app = Router::new()
            .route("/untouched", get(async || "ok"))
            .route("/read", get(read))
            .route("/peek", get(peek))
            .route("/write", get(write))
            .route("/fill", get(fill))
            .route("/fill-large", get(fill_large))
            .route("/fill-sized", get(fill_sized));
        Ok(app.layer(layer))
    }};
}

pub async fn router_015(setup: &Setup) -> Result<Router> {
    application!(tower_sessions_015, setup, tower_sessions_015::MemoryStore::default())
}

pub async fn router_014(setup: &Setup) -> Result<Router> {
    use tower_sessions_redis_store::RedisStore;
    use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool, ReconnectPolicy};
    use tower_sessions_sqlx_store::{MySqlStore, PostgresStore, sqlx};

    match setup.cell.backend {
        Backend::Memory => {
            application!(tower_sessions_014, setup, tower_sessions_014::MemoryStore::default())
        }
        Backend::Redis => {
            // Six connections, as the documentation of the store has it, and a policy, without which it never reconnects.
            let config = Config::from_url(setup.url()?)?;
            let pool = Pool::new(config, None, None, Some(ReconnectPolicy::default()), 6)?;
            drop(pool.connect());
            pool.wait_for_connect().await?;
            application!(tower_sessions_014, setup, RedisStore::new(pool))
        }
        Backend::Postgres => {
            let store = PostgresStore::new(sqlx::PgPool::connect(setup.url()?).await?);
            store.migrate().await?;
            application!(tower_sessions_014, setup, store)
        }
        Backend::Mariadb => {
            let store = MySqlStore::new(sqlx::MySqlPool::connect(setup.url()?).await?);
            // By default it makes a database of its own, for which not every user has the right.
            let database = setup.url()?.rsplit('/').next().and_then(|name| name.split('?').next());
            let store = store.with_schema_name(database.unwrap_or_default()).map_err(anyhow::Error::msg)?;
            store.migrate().await?;
            application!(tower_sessions_014, setup, store)
        }
        other => anyhow::bail!("tower-sessions has no published store for {}", other.name()),
    }
}
