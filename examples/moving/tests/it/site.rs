//! An application as a browser sees it, on any framework.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::routing::{get, post};
use cloakroom::axum::{Result, Session};
use cloakroom::{Key, KeyRing, MemoryStore, SessionManager};
use tokio::sync::Notify;
use tower::ServiceExt;

pub const BASKET: Key<u32> = Key::new("basket");
/// The browser's name, which axum_session signs.
pub const BROWSER: &str = "test";

pub trait Site {
    async fn send(&self, method: &str, path: &str, cookies: &str) -> Answer;
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    pub set_cookies: Vec<String>,
}

impl Answer {
    pub fn sets(&self, name: &str) -> bool {
        self.set_cookies.iter().any(|line| line.starts_with(&format!("{name}=")))
    }
}

impl Site for Router {
    async fn send(&self, method: &str, path: &str, cookies: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", cookies)
            .header("user-agent", BROWSER)
            .body(Body::empty())
            .unwrap();
        let response = self.clone().oneshot(request).await.unwrap();
        let lines = response.headers().get_all("set-cookie").into_iter();
        Answer {
            status: response.status().as_u16(),
            set_cookies: lines.map(|line| line.to_str().unwrap().to_owned()).collect(),
            body: String::from_utf8(to_bytes(response.into_body(), 4096).await.unwrap().to_vec()).unwrap(),
        }
    }
}

/// Keeps cookies by name, and forgets those that are taken away.
#[derive(Clone, Debug, Default)]
pub struct Browser(BTreeMap<String, String>);

impl Browser {
    pub fn with(name: &str, value: &str) -> Self {
        Self(BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn cookies(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub fn see(&mut self, answer: &Answer) {
        for line in &answer.set_cookies {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub async fn send(&mut self, site: &impl Site, method: &str, path: &str) -> Answer {
        let answer = site.send(method, path, &self.cookies()).await;
        self.see(&answer);
        answer
    }

    pub async fn get(&mut self, site: &impl Site, path: &str) -> String {
        let answer = self.send(site, "GET", path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    pub async fn post(&mut self, site: &impl Site, path: &str) {
        let answer = self.send(site, "POST", path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

/// Holds the handler of `/slow` until the test lets it go.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Notify, Notify)>);

impl Gate {
    pub async fn pass(&self) {
        self.0.0.notify_one();
        self.0.1.notified().await;
    }

    pub async fn entered(&self) {
        self.0.0.notified().await;
    }

    pub fn open(&self) {
        self.0.1.notify_one();
    }
}

pub fn sessions() -> SessionManager {
    SessionManager::new(MemoryStore::new(), KeyRing::generate())
}

pub fn tomorrow() -> SystemTime {
    SystemTime::now() + Duration::from_secs(86_400)
}

pub fn yesterday() -> SystemTime {
    SystemTime::now() - Duration::from_secs(86_400)
}

/// What handlers say of a session.
pub fn described(session: &cloakroom::Session) -> cloakroom::Result<String> {
    let basket = session.get(BASKET)?.unwrap_or(0);
    Ok(format!("{} {basket}", session.principal().as_deref().unwrap_or("nobody")))
}

/// The new application on axum, without layers.
pub fn routes(gate: Gate) -> Router {
    Router::new()
        .route("/me", get(me))
        .route("/public", get(async || "for everybody"))
        .route("/add", post(add))
        .route("/slow", get(slow).post(slow))
        .route("/login-{name}", post(login))
        .route("/logout", post(async |session: Session| session.logout()))
        .with_state(gate)
}

async fn me(session: Session) -> Result<String> {
    Ok(described(&session)?)
}

async fn add(session: Session) -> Result<String> {
    session.update(BASKET, |basket| basket.unwrap_or(0) + 1)?;
    Ok(described(&session)?)
}

async fn slow(session: Session, State(gate): State<Gate>) -> Result<String> {
    session.update(BASKET, |basket| basket.unwrap_or(0) + 1)?;
    gate.pass().await;
    Ok(described(&session)?)
}

async fn login(session: Session, Path(name): Path<String>) -> Result<()> {
    session.authenticate(name)?;
    session.remove("moved")?;
    Ok(())
}
