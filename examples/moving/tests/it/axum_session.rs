//! axum_session 0.22 in SQLite: plain ids, signed ones, and sessions that are encrypted in the database.

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};
use axum_session::{Key, SessionConfig, SessionLayer as OldLayer, SessionStore};
use axum_session_sqlx::{SessionSqlitePool, SessionSqliteSession};
use cloakroom::axum::{Session, SessionLayer};
use cloakroom::{Login, Result};
use moving::from_axum_session::{Bridge, Old, bridge};
use sqlx::sqlite::SqlitePool;

use crate::file::File;
use crate::site::{BASKET, Gate, routes, sessions, tomorrow};
use crate::stories::Stage;

const REMOVAL: &str = "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0";

async fn old_app(pool: &SqlitePool, config: SessionConfig) -> Router {
    type Session = SessionSqliteSession;
    let login = async |session: Session| {
        session.renew();
        session.set("user", "ada");
    };
    let add = async |session: Session| {
        let basket: u32 = session.get("basket").unwrap_or(0);
        session.set("basket", basket + 1);
    };
    let me = async |session: Session| {
        let user: Option<String> = session.get("user");
        let basket: u32 = session.get("basket").unwrap_or(0);
        format!("{} {basket}", user.as_deref().unwrap_or("nobody"))
    };
    let store = SessionStore::<SessionSqlitePool>::new(Some(pool.clone().into()), config).await.unwrap();
    Router::new()
        .route("/login", post(login))
        .route("/add", post(add))
        .route("/me", get(me))
        .layer(OldLayer::new(store))
}

fn copy(old: &Old, session: &Session) -> Result<()> {
    if let Some(basket) = old.get("basket") {
        session.set(BASKET, &basket)?;
    }
    if let Some(user) = old.get::<String>("user") {
        session.authenticate(Login::new(user).with_label("device", "moved"))?;
    }
    Ok(())
}

fn new_app(pool: &SqlitePool, key: Option<Key>, database_key: Option<Key>, gate: Gate) -> Router {
    let moving = Bridge {
        pool: SessionSqlitePool::from(pool.clone()),
        table: "sessions",
        name: "session",
        key,
        database_key,
        // No address: these requests have no connection. Four empty places, and the browser.
        message: |parts| {
            let browser = parts.headers.get("user-agent").and_then(|name| name.to_str().ok());
            format!(";;;;{}", browser.unwrap_or_default())
        },
        removal: REMOVAL,
        copy,
        until: tomorrow(),
    };
    routes(gate)
        .layer(middleware::from_fn_with_state(Arc::new(moving), bridge::<SessionSqlitePool>))
        .layer(SessionLayer::new(sessions()))
}

/// A database, and the file that it lies in.
async fn database(name: &str) -> (SqlitePool, File) {
    let file = File::new(&format!("axum-{name}"));
    (SqlitePool::connect(&file.url()).await.unwrap(), file)
}

/// Without its copy in memory, so that the old application sees what the database says.
fn config() -> SessionConfig {
    SessionConfig::default().with_memory_lifetime(time::Duration::ZERO)
}

#[tokio::test]
async fn plain_ids() {
    let ((pool, _file), gate) = (database("plain").await, Gate::default());
    let (old, new) = (old_app(&pool, config()).await, new_app(&pool, None, None, gate.clone()));
    Stage { old, new, gate, cookie: "session", ends: true }.all().await;
}

#[tokio::test]
async fn signed_ids() {
    let ((pool, _file), gate) = (database("signed").await, Gate::default());
    let key = Key::from(&[7; 64]);
    let old = old_app(&pool, config().with_key(key.clone())).await;
    let new = new_app(&pool, Some(key), None, gate.clone());
    Stage { old, new, gate, cookie: "session", ends: true }.all().await;
}

#[tokio::test]
async fn encrypted_sessions() {
    let ((pool, _file), gate) = (database("encrypted").await, Gate::default());
    let key = Key::from(&[9; 64]);
    let old = old_app(&pool, config().with_database_key(key.clone())).await;
    let new = new_app(&pool, None, Some(key), gate.clone());
    Stage { old, new, gate, cookie: "session", ends: true }.all().await;
}
