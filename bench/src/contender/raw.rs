//! Handlers that call the client of the backend themselves: what moving a session's bytes costs at least.
//!
//! They seal nothing, sign nothing and read no token. What they ask of the server is what Cloakroom asks, but for the
//! write to Redis, which is a plain `SET` here and a script that compares there.

mod memcached;
mod redis;
mod sql;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;

use super::Setup;
use crate::cell::Backend;

/// As long as the sealed record of a session of ten values.
const SMALL: usize = 840;
/// And of a hundred large ones.
const LARGE: usize = 33_200;
const SECONDS: u32 = 1800;
/// As many records of each size as to spread writers over rows.
const RECORDS: usize = 256;
/// What asks for a large record.
const ASKS_FOR_LARGE: &str = "raw=large";

/// A record as the servers know it.
struct Loaded {
    bytes: Vec<u8>,
    /// What a conditional write compares.
    version: u64,
}

/// The client of a backend.
trait Client: Clone + Send + Sync + 'static {
    /// Reads a record, with its version and the time it has left where a session is read so.
    fn load(&self, key: &[u8; 32]) -> impl Future<Output = Result<Option<Loaded>>> + Send;

    /// Puts a record in the place of the one with this version.
    fn replace(&self, key: &[u8; 32], old: u64, bytes: Vec<u8>) -> impl Future<Output = Result<()>> + Send;

    /// Puts a record where there is none.
    fn create(&self, key: &[u8; 32], bytes: Vec<u8>) -> impl Future<Output = Result<()>> + Send;
}

pub async fn router(setup: &Setup) -> Result<Router> {
    match setup.cell.backend {
        Backend::Redis => application(redis::Redis::connect(setup.url()?).await?).await,
        Backend::Memcached => application(memcached::Memcached::connect(setup.url()?).await?).await,
        Backend::Postgres => application(sql::Postgres::connect(setup.url()?).await?).await,
        Backend::Mariadb => application(sql::Mariadb::connect(setup.url()?).await?).await,
        other => anyhow::bail!("no raw client for {}", other.name()),
    }
}

#[derive(Clone)]
struct App<C> {
    client: C,
    next: Arc<AtomicUsize>,
    /// Where the keys of this process begin.
    seed: u64,
}

impl<C: Client> App<C> {
    fn key(&self, number: usize) -> [u8; 32] {
        let (mut key, number) = ([7; 32], number as u64);
        key[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        key[8..16].copy_from_slice(&self.seed.to_be_bytes());
        key[16..24].copy_from_slice(&number.to_be_bytes());
        key
    }

    fn next(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// One of the records of the size that is asked for.
    fn pick(&self, headers: &HeaderMap) -> ([u8; 32], usize) {
        let number = self.next() % RECORDS;
        match headers.get(header::COOKIE) {
            Some(cookie) if cookie == ASKS_FOR_LARGE => (self.key(RECORDS + number), LARGE),
            _ => (self.key(number), SMALL),
        }
    }

    async fn read(&self, headers: &HeaderMap) -> Result<&'static str> {
        let (key, len) = self.pick(headers);
        let loaded = self.client.load(&key).await?;
        ensure!(loaded.is_some_and(|loaded| loaded.bytes.len() == len), "the bytes are there");
        Ok("ok")
    }

    async fn write(&self, headers: &HeaderMap) -> Result<&'static str> {
        let (key, _) = self.pick(headers);
        let Some(Loaded { bytes, version }) = self.client.load(&key).await? else {
            anyhow::bail!("the bytes are there")
        };
        self.client.replace(&key, version, bytes).await?;
        Ok("ok")
    }

    async fn fill(&self) -> Result<&'static str> {
        self.client.create(&self.key(self.next() + 2 * RECORDS), vec![7; SMALL]).await?;
        Ok("ok")
    }
}

async fn application<C: Client>(client: C) -> Result<Router> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let app = App { client, next: Arc::default(), seed: since.as_nanos() as u64 };
    for number in 0..RECORDS {
        app.client.create(&app.key(number), vec![7; SMALL]).await?;
        app.client.create(&app.key(RECORDS + number), vec![7; LARGE]).await?;
    }
    async fn read<C: Client>(app: State<App<C>>, headers: HeaderMap) -> Result<&'static str, StatusCode> {
        app.read(&headers).await.map_err(refuse)
    }
    async fn write<C: Client>(app: State<App<C>>, headers: HeaderMap) -> Result<&'static str, StatusCode> {
        app.write(&headers).await.map_err(refuse)
    }
    async fn fill<C: Client>(app: State<App<C>>) -> Result<&'static str, StatusCode> {
        app.fill().await.map_err(refuse)
    }
    Ok(Router::new()
        .route("/untouched", get(async || "ok"))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/fill", get(fill))
        .route("/fill-large", get(async || ([(header::SET_COOKIE, ASKS_FOR_LARGE)], "ok")))
        .with_state(app))
}

fn refuse(_: anyhow::Error) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}
