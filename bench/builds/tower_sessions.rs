use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_sessions::{Session, SessionManagerLayer};

async fn hello(session: Session) -> Result<String, StatusCode> {
    let refuse = |_| StatusCode::INTERNAL_SERVER_ERROR;
    let visits = session.get::<u32>("visits").await.map_err(refuse)?.unwrap_or(0) + 1;
    session.insert("visits", visits).await.map_err(refuse)?;
    Ok(format!("visit {visits}"))
}

#[cfg(feature = "on-memory")]
async fn store(_url: &str) -> Result<tower_sessions::MemoryStore, Box<dyn std::error::Error>> {
    Ok(tower_sessions::MemoryStore::default())
}

#[cfg(feature = "on-redis")]
async fn store(
    url: &str,
) -> Result<
    tower_sessions_redis_store::RedisStore<tower_sessions_redis_store::fred::prelude::Pool>,
    Box<dyn std::error::Error>,
> {
    use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};

    let pool = Pool::new(Config::from_url(url)?, None, None, None, 6)?;
    drop(pool.connect());
    pool.wait_for_connect().await?;
    Ok(tower_sessions_redis_store::RedisStore::new(pool))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("a URL")?;
    let layer = SessionManagerLayer::new(store(&url).await?);
    let app = Router::new().route("/", get(hello)).layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}
