use axum::Router;
use axum::routing::get;
use cloakroom::axum::{Result, Session, SessionLayer};
use cloakroom::{Key, KeyRing, SessionManager};

const VISITS: Key<u32> = Key::new("visits");

async fn hello(session: Session) -> Result<String> {
    let visits = session.update(VISITS, |visits| visits.unwrap_or(0) + 1)?;
    Ok(format!("visit {visits}"))
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("a URL")?;
    let sessions = SessionManager::new(cloakroom::connect(&url).await?, KeyRing::generate());
    let app = Router::new().route("/", get(hello)).layer(SessionLayer::new(sessions));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}
