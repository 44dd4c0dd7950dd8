//! Pools of connections to databases, set up as Cloakroom sets up its own: no connection is asked whether it is alive
//! before it is used.

use std::time::Duration;

use anyhow::{Result, ensure};
use sqlx::pool::PoolOptions;
use sqlx::{Executor as _, MySqlPool, PgPool, Row as _};

use super::{Client, Loaded, SECONDS};

const CONNECTIONS: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(1);
const LIFE: i64 = SECONDS as i64 * 1000;

macro_rules! client {
    ($name:ident, $pool:ty, $schema:expr, $load:expr, $replace:expr, $create:expr) => {
        #[derive(Clone)]
        pub(super) struct $name($pool);

        impl $name {
            pub(super) async fn connect(url: &str) -> Result<Self> {
                let options = PoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
                let pool = options.test_before_acquire(false).connect(url).await?;
                pool.execute($schema).await?;
                Ok(Self(pool))
            }
        }

        impl Client for $name {
            async fn load(&self, key: &[u8; 32]) -> Result<Option<Loaded>> {
                let row = sqlx::query($load).bind(&key[..]).fetch_optional(&self.0).await?;
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
                query.bind(&key[..]).bind(old).execute(&self.0).await?;
                Ok(())
            }

            async fn create(&self, key: &[u8; 32], bytes: Vec<u8>) -> Result<()> {
                let query = sqlx::query($create).bind(&key[..]).bind(1_i64).bind(LIFE).bind(bytes);
                ensure!(query.execute(&self.0).await?.rows_affected() == 1, "the key is new");
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
    PgPool,
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
    MySqlPool,
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
