//! Applications that count in a session: `/start`, `/count` and `/total`, which tells how far it came.

use anyhow::Result;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use axum_session::{DatabasePool, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use axum_session_redispool::SessionRedisPool;
use axum_session_sqlx::SessionPgPool;
use cloakroom::{Key, KeyRing, SessionManager};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool, ReconnectPolicy};
use tower_sessions_sqlx_store::PostgresStore;

use super::counting::{Conflicts, Counting};
use crate::cell::{Backend, Contender};
use crate::contender::Setup;

const NAME: &str = "count";

pub async fn application(setup: &Setup, conflicts: &Conflicts) -> Result<Router> {
    match (setup.cell.contender, setup.cell.backend) {
        (Contender::CloakroomAxum, _) => cloakroom(setup, conflicts).await,
        (Contender::TowerSessions015, _) => Ok(tower_015(tower_sessions_015::MemoryStore::default())),
        (Contender::TowerSessions014, Backend::Memory) => {
            Ok(tower_014(tower_sessions_014::MemoryStore::default()))
        }
        (Contender::TowerSessions014, Backend::Redis) => {
            let config = Config::from_url(setup.url()?)?;
            let pool = Pool::new(config, None, None, Some(ReconnectPolicy::default()), 6)?;
            drop(pool.connect());
            pool.wait_for_connect().await?;
            Ok(tower_014(RedisStore::new(pool)))
        }
        (Contender::TowerSessions014, Backend::Postgres) => {
            let store =
                PostgresStore::new(tower_sessions_sqlx_store::sqlx::PgPool::connect(setup.url()?).await?);
            store.migrate().await?;
            Ok(tower_014(store))
        }
        (Contender::AxumSession | Contender::AxumSessionNocache, Backend::Memory) => {
            Ok(axum_session(SessionStore::<SessionNullPool>::new(None, config(setup)).await?))
        }
        (Contender::AxumSession | Contender::AxumSessionNocache, Backend::Redis) => {
            let pool = redis_pool::RedisPool::from(redis::Client::open(setup.url()?)?);
            Ok(axum_session(SessionStore::<SessionRedisPool>::new(Some(pool.into()), config(setup)).await?))
        }
        (Contender::AxumSession | Contender::AxumSessionNocache, Backend::Postgres) => {
            let pool = sqlx::PgPool::connect(setup.url()?).await?;
            Ok(axum_session(SessionStore::<SessionPgPool>::new(Some(pool.into()), config(setup)).await?))
        }
        _ => anyhow::bail!("{} does not count", setup.cell),
    }
}

async fn cloakroom(setup: &Setup, conflicts: &Conflicts) -> Result<Router> {
    use cloakroom::axum::{Result, Session, SessionLayer};

    const COUNT: Key<u64> = Key::new(NAME);
    async fn start(session: Session) -> Result<&'static str> {
        session.set(COUNT, &0)?;
        Ok("ok")
    }
    async fn count(session: Session) -> Result<&'static str> {
        session.update(COUNT, |count| count.unwrap_or(0) + 1)?;
        Ok("ok")
    }
    async fn total(session: Session) -> Result<String> {
        Ok(session.get(COUNT)?.unwrap_or(0).to_string())
    }

    let backend = cloakroom::connect(setup.url.as_deref().unwrap_or("memory:")).await?;
    let backend = backend.layer(|store| Counting::new(store, conflicts.clone()));
    let sessions = SessionManager::builder(backend, KeyRing::generate()).build()?;
    let app =
        Router::new().route("/start", get(start)).route("/count", get(count)).route("/total", get(total));
    Ok(app.layer(SessionLayer::new(sessions)))
}

/// The same application with either release.
macro_rules! tower {
    ($name:ident, $release:ident) => {
        fn $name<S: $release::SessionStore + Clone>(store: S) -> Router {
            use $release::{Session, SessionManagerLayer};

            async fn read(session: &Session) -> Result<u64, StatusCode> {
                let count: Option<u64> = session.get(NAME).await.map_err(refuse)?;
                count.ok_or(StatusCode::GONE)
            }
            async fn start(session: Session) -> Result<&'static str, StatusCode> {
                session.insert(NAME, 0).await.map_err(refuse)?;
                Ok("ok")
            }
            async fn count(session: Session) -> Result<&'static str, StatusCode> {
                let count = read(&session).await?;
                session.insert(NAME, count + 1).await.map_err(refuse)?;
                Ok("ok")
            }
            async fn total(session: Session) -> Result<String, StatusCode> {
                Ok(read(&session).await?.to_string())
            }
            let app = Router::new().route("/start", get(start)).route("/count", get(count));
            app.route("/total", get(total)).layer(SessionManagerLayer::new(store))
        }
    };
}

tower!(tower_014, tower_sessions_014);
tower!(tower_015, tower_sessions_015);

fn axum_session<P>(store: SessionStore<P>) -> Router
where
    P: DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    use axum_session::Session;

    let start = async |session: Session<P>| session.set(NAME, 0_u64);
    let count = async |session: Session<P>| {
        let count: u64 = session.get(NAME).ok_or(StatusCode::GONE)?;
        session.set(NAME, count + 1);
        Ok::<_, StatusCode>("ok")
    };
    let total = async |session: Session<P>| {
        let count: u64 = session.get(NAME).ok_or(StatusCode::GONE)?;
        Ok::<_, StatusCode>(count.to_string())
    };
    let app =
        Router::new().route("/start", get(start)).route("/count", get(count)).route("/total", get(total));
    app.layer(SessionLayer::new(store))
}

fn config(setup: &Setup) -> SessionConfig {
    match setup.cell.contender {
        Contender::AxumSessionNocache => SessionConfig::default().with_memory_lifetime(time::Duration::ZERO),
        _ => SessionConfig::default(),
    }
}

fn refuse(_: impl std::error::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
