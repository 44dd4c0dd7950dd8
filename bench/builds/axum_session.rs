use axum::Router;
use axum::routing::get;
use axum_session::{Session, SessionConfig, SessionLayer, SessionStore};
use axum_session_redispool::SessionRedisPool;

async fn hello(session: Session<SessionRedisPool>) -> String {
    let visits = session.get::<u32>("visits").unwrap_or(0) + 1;
    session.set("visits", visits);
    format!("visit {visits}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("a URL")?;
    let pool = redis_pool::RedisPool::from(redis::Client::open(url)?);
    let store = SessionStore::<SessionRedisPool>::new(Some(pool.into()), SessionConfig::default()).await?;
    let app = Router::new().route("/", get(hello)).layer(SessionLayer::new(store));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}
