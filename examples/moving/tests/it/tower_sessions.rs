//! tower-sessions 0.14, in SQLite, with plain, signed and private cookies.

use std::sync::Arc;
use std::time::SystemTime;

use axum::routing::{get, post};
use axum::{Router, middleware};
use cloakroom::axum::{Session, SessionLayer};
use cloakroom::{Login, Result};
use moving::from_tower_sessions::{Bridge, bridge};
use tower_sessions::cookie::{CookieJar, Key};
use tower_sessions::session::Record;
use tower_sessions::{Expiry, SessionManagerLayer, SessionStore};
use tower_sessions_sqlx_store::SqliteStore;
use tower_sessions_sqlx_store::sqlx::sqlite::SqlitePool;

use crate::file::File;
use crate::site::{BASKET, Browser, Gate, Site, routes, sessions, tomorrow, yesterday};
use crate::stories::Stage;

const NAME: &str = "id";
const REMOVAL: &str = "id=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0";

type Old = tower_sessions::Session;

/// The old application, without its layer.
fn old_routes() -> Router {
    let login = async |session: Old| {
        session.cycle_id().await.unwrap();
        session.insert("user", "ada").await.unwrap();
    };
    let add = async |session: Old| {
        let basket: u32 = session.get("basket").await.unwrap().unwrap_or(0);
        session.insert("basket", basket + 1).await.unwrap();
    };
    let me = async |session: Old| {
        let user: Option<String> = session.get("user").await.unwrap();
        let basket: u32 = session.get("basket").await.unwrap().unwrap_or(0);
        format!("{} {basket}", user.as_deref().unwrap_or("nobody"))
    };
    Router::new().route("/login", post(login)).route("/add", post(add)).route("/me", get(me))
}

fn copy(old: &Record, session: &Session) -> Result<()> {
    if let Some(basket) = old.data.get("basket").and_then(|value| value.as_u64()) {
        session.set(BASKET, &u32::try_from(basket).unwrap_or(u32::MAX))?;
    }
    if let Some(user) = old.data.get("user").and_then(|value| value.as_str()) {
        session.authenticate(Login::new(user).with_label("device", "moved"))?;
    }
    Ok(())
}

fn plain(jar: &CookieJar) -> Option<String> {
    Some(jar.get(NAME)?.value().to_owned())
}

fn key() -> Key {
    Key::from(&[7; 64])
}

fn new_app<S: SessionStore>(
    store: S,
    read: impl Fn(&CookieJar) -> Option<String> + Send + Sync + 'static,
    until: SystemTime,
    gate: Gate,
) -> Router {
    let moving = Bridge { store: Arc::new(store), read: Box::new(read), removal: REMOVAL, copy, until };
    routes(gate)
        .layer(middleware::from_fn_with_state(Arc::new(moving), bridge::<S>))
        .layer(SessionLayer::new(sessions()))
}

/// One file for the old and the new application, each with a pool of its own.
async fn sqlite(file: &File) -> SqliteStore {
    let store = SqliteStore::new(SqlitePool::connect(&file.url()).await.unwrap());
    store.migrate().await.unwrap();
    store
}

fn layer<S: SessionStore>(store: S) -> SessionManagerLayer<S> {
    SessionManagerLayer::new(store).with_expiry(Expiry::OnInactivity(time::Duration::hours(1)))
}

#[tokio::test]
async fn plain_cookies_and_sqlite() {
    let (file, gate) = (File::new("plain"), Gate::default());
    let old = old_routes().layer(layer(sqlite(&file).await));
    let new = new_app(sqlite(&file).await, plain, tomorrow(), gate.clone());
    Stage { old, new, gate, cookie: NAME, ends: true }.all().await;
}

#[tokio::test]
async fn signed_and_private_cookies() {
    let (file, gate) = (File::new("keys"), Gate::default());
    let old = old_routes().layer(layer(sqlite(&file).await).with_signed(key()));
    let read = |jar: &CookieJar| Some(jar.signed(&key()).get(NAME)?.value().to_owned());
    let new = new_app(sqlite(&file).await, read, tomorrow(), gate.clone());
    Stage { old, new, gate: gate.clone(), cookie: NAME, ends: true }.all().await;

    let old = old_routes().layer(layer(sqlite(&file).await).with_private(key()));
    let read = |jar: &CookieJar| Some(jar.private(&key()).get(NAME)?.value().to_owned());
    let new = new_app(sqlite(&file).await, read, tomorrow(), gate.clone());
    Stage { old, new, gate, cookie: NAME, ends: true }.all().await;
}

#[tokio::test]
async fn an_outage_of_the_old_store_is_no_logout() {
    let file = File::new("outage");
    let old = old_routes().layer(layer(sqlite(&file).await));
    let pool = SqlitePool::connect(&file.url()).await.unwrap();
    let new = new_app(SqliteStore::new(pool.clone()), plain, tomorrow(), Gate::default());
    let mut ada = Browser::default();
    ada.post(&old, "/login").await;
    pool.close().await;
    let answer = new.send("GET", "/me", &ada.cookies()).await;
    assert_eq!((answer.status, answer.set_cookies.len()), (503, 0));
    // Whoever has no old cookie does not notice.
    assert_eq!(Browser::default().get(&new, "/me").await, "nobody 0");
}

#[tokio::test]
async fn after_the_date_nobody_is_taken_over() {
    let file = File::new("late");
    let old = old_routes().layer(layer(sqlite(&file).await));
    let new = new_app(sqlite(&file).await, plain, yesterday(), Gate::default());
    let mut ada = Browser::default();
    ada.post(&old, "/login").await;
    assert_eq!(ada.get(&new, "/me").await, "nobody 0");
    assert!(!ada.has(NAME));
}
