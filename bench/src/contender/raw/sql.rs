//! Connections to databases that lie ready, and are asked nothing but what is wanted: a pool of the library asks each that
//! comes back whether it is alive.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use sqlx::{Connection, Executor as _, MySqlConnection, PgConnection, Row as _};
use tokio::sync::Semaphore;

use super::{Client, Loaded, SECONDS};

const CONNECTIONS: usize = 10;
const LIFE: i64 = SECONDS as i64 * 1000;

/// Connections that take turns. One whose request was dropped or failed is not used again, but another one.
struct Ready<C>(Arc<Pool<C>>);

struct Pool<C> {
    url: String,
    idle: Mutex<Vec<C>>,
    permits: Semaphore,
}

impl<C> Clone for Ready<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Connection> Ready<C> {
    async fn connect(url: &str) -> Result<Self> {
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            idle.push(C::connect(url).await?);
        }
        let (idle, permits) = (Mutex::new(idle), Semaphore::new(CONNECTIONS));
        Ok(Self(Arc::new(Pool { url: url.to_owned(), idle, permits })))
    }

    async fn with<T>(&self, ask: impl AsyncFnOnce(&mut C) -> sqlx::Result<T>) -> Result<T> {
        let idle = || self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let _permit = self.0.permits.acquire().await?;
        let connection = idle().pop();
        let mut connection = match connection {
            Some(connection) => connection,
            None => C::connect(&self.0.url).await?,
        };
        let answer = ask(&mut connection).await?;
        idle().push(connection);
        Ok(answer)
    }
}

macro_rules! client {
    ($name:ident, $connection:ty, $schema:expr, $load:expr, $replace:expr, $create:expr) => {
        #[derive(Clone)]
        pub(super) struct $name(Ready<$connection>);

        impl $name {
            pub(super) async fn connect(url: &str) -> Result<Self> {
                let ready = Ready::<$connection>::connect(url).await?;
                ready.with(async |connection| connection.execute($schema).await).await?;
                Ok(Self(ready))
            }
        }

        impl Client for $name {
            async fn load(&self, key: &[u8; 32]) -> Result<Option<Loaded>> {
                let query = sqlx::query($load).bind(&key[..]);
                let row = self.0.with(async |connection| query.fetch_optional(connection).await).await?;
                row.map(|row| {
                    let (bytes, version, _left): (Vec<u8>, i64, i64) =
                        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                    Ok(Loaded { bytes, version: version.cast_unsigned() })
                })
                .transpose()
            }

            async fn replace(&self, key: &[u8; 32], old: u64, bytes: Vec<u8>) -> Result<()> {
                let old = old.cast_signed();
                let query = sqlx::query($replace).bind(old.wrapping_add(1)).bind(LIFE).bind(bytes);
                let query = query.bind(&key[..]).bind(old);
                self.0.with(async |connection| query.execute(connection).await).await.map(drop)
            }

            async fn create(&self, key: &[u8; 32], bytes: Vec<u8>) -> Result<()> {
                let query = sqlx::query($create).bind(&key[..]).bind(1_i64).bind(LIFE).bind(bytes);
                let created = self.0.with(async |connection| query.execute(connection).await).await?;
                ensure!(created.rows_affected() == 1, "the key is new");
                Ok(())
            }
        }
    };
}

macro_rules! postgres_now {
    () => {
        "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

macro_rules! mariadb_now {
    () => {
        "(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6)) DIV 1000)"
    };
}

client!(
    Postgres,
    PgConnection,
    "CREATE TABLE IF NOT EXISTS raw_sessions (id BYTEA NOT NULL PRIMARY KEY, version BIGINT NOT NULL,
        expires_at BIGINT NOT NULL, principal BYTEA, payload BYTEA NOT NULL);
     CREATE INDEX IF NOT EXISTS raw_sessions_expires_at ON raw_sessions (expires_at);
     CREATE INDEX IF NOT EXISTS raw_sessions_principal ON raw_sessions (principal) WHERE principal IS NOT NULL",
    concat!(
        "SELECT payload, version, expires_at - ",
        postgres_now!(),
        " FROM raw_sessions WHERE id = $1 AND expires_at > ",
        postgres_now!()
    ),
    concat!(
        "UPDATE raw_sessions SET version = $1, expires_at = ",
        postgres_now!(),
        " + $2, payload = $3 WHERE id = $4 AND version = $5 AND expires_at > ",
        postgres_now!()
    ),
    concat!(
        "INSERT INTO raw_sessions (id, version, expires_at, payload) VALUES ($1, $2, ",
        postgres_now!(),
        " + $3, $4) ON CONFLICT (id) DO NOTHING"
    )
);

client!(
    Mariadb,
    MySqlConnection,
    "CREATE TABLE IF NOT EXISTS raw_sessions (id VARBINARY(32) NOT NULL PRIMARY KEY, version BIGINT NOT NULL,
        expires_at BIGINT NOT NULL, principal VARBINARY(32), payload MEDIUMBLOB NOT NULL,
        INDEX raw_sessions_expires_at (expires_at), INDEX raw_sessions_principal (principal)) ENGINE=InnoDB",
    concat!(
        "SELECT payload, version, expires_at - ",
        mariadb_now!(),
        " FROM raw_sessions WHERE id = ? AND expires_at > ",
        mariadb_now!()
    ),
    concat!(
        "UPDATE raw_sessions SET version = ?, expires_at = ",
        mariadb_now!(),
        " + ?, payload = ? WHERE id = ? AND version = ? AND expires_at > ",
        mariadb_now!()
    ),
    concat!(
        "INSERT INTO raw_sessions (id, version, expires_at, payload) VALUES (?, ?, ",
        mariadb_now!(),
        " + ?, ?)"
    )
);
