//! Counts visits, in a file that survives restarts.

use std::path::Path;
use std::time::Duration;

use axum::{Router, routing::get};
use cloakroom::axum::{Result, Session, SessionLayer};
use cloakroom::{Key, KeyRing, SessionManager};
use custom_store::RedbStore;
use tokio::net::TcpListener;

const VISITS: Key<u32> = Key::new("visits");

async fn hello(session: Session) -> Result<String> {
    let visits = session.update(VISITS, |visits| visits.unwrap_or(0).saturating_add(1))?;
    Ok(format!("visit {visits}\n"))
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let usage = "usage: custom-store FILE SECRET, where the secret is 32 random bytes in base64url";
    let (file, secret) = std::env::args().nth(1).zip(std::env::args().nth(2)).ok_or(usage)?;
    let store = RedbStore::open(Path::new(&file))?;
    let sweeping = store.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            // What could not be removed now is removed a minute later.
            let _ = sweeping.sweep().await;
        }
    });
    let sessions = SessionManager::new(store, KeyRing::parse(&secret)?);
    let app = Router::new().route("/", get(hello)).layer(SessionLayer::new(sessions));
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}
