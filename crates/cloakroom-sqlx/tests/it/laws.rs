//! The laws of stores, on every database.

use std::time::Duration;

use cloakroom_conformance::{Harness, conformance_tests, index_conformance_tests};
use cloakroom_sqlx::{Dialect, MysqlStore, PostgresStore, SqlStore, SqliteStore};
use sqlx::{AssertSqlSafe, ColumnIndex, Database, Decode, Executor, IntoArguments, Pool, Row, Type};

use crate::scratch::Scratch;
use crate::shared;

/// Milliseconds of the database's clock, rounded so that no record goes too early.
const RESOLUTION: Duration = Duration::from_millis(2);

/// 16 MiB less 64 KiB.
const LARGEST: usize = 16_711_680;

/// Everything in a table, over a connection that no store knows.
async fn dump<D>(url: &str, store: &SqlStore<D>) -> Vec<u8>
where
    D: Dialect + Database<Arguments: IntoArguments<D>>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    usize: ColumnIndex<D::Row>,
    for<'r> Vec<u8>: Decode<'r, D> + Type<D>,
{
    let pool = Pool::<D>::connect(url).await.expect("the database");
    let text = format!("SELECT id, payload FROM {}", store.table());
    let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(&pool).await.expect("the table");
    pool.close().await;
    let bytes = |column: usize| rows.iter().flat_map(move |row| row.get::<Vec<u8>, usize>(column));
    bytes(0).chain(bytes(1)).collect()
}

/// A file of SQLite, with a table for each namespace.
struct File(Scratch);

impl Harness for File {
    type Store = SqliteStore;

    async fn open(&self) -> SqliteStore {
        shared::open(&self.0.url()).await
    }

    async fn open_again(&self, store: &SqliteStore) -> SqliteStore {
        shared::open_table(&self.0.url(), &store.table().to_string()).await
    }

    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn largest_payload(&self) -> Option<usize> {
        Some(LARGEST)
    }

    async fn dump(&self, store: &SqliteStore) -> Option<Vec<u8>> {
        Some(dump(&self.0.url(), store).await)
    }
}

/// The memory of this process.
struct Memory;

impl Harness for Memory {
    type Store = SqliteStore;

    async fn open(&self) -> SqliteStore {
        SqliteStore::connect("sqlite::memory:").await.expect("memory")
    }

    async fn open_again(&self, store: &SqliteStore) -> SqliteStore {
        store.clone()
    }

    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn largest_payload(&self) -> Option<usize> {
        Some(LARGEST)
    }
}

struct Postgres;

impl Harness for Postgres {
    type Store = PostgresStore;

    async fn open(&self) -> PostgresStore {
        shared::open(&shared::url(shared::POSTGRES)).await
    }

    async fn open_again(&self, store: &PostgresStore) -> PostgresStore {
        shared::open_table(&shared::url(shared::POSTGRES), &store.table().to_string()).await
    }

    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn largest_payload(&self) -> Option<usize> {
        Some(LARGEST)
    }

    async fn dump(&self, store: &PostgresStore) -> Option<Vec<u8>> {
        Some(dump(&shared::url(shared::POSTGRES), store).await)
    }
}

struct Mariadb;

impl Harness for Mariadb {
    type Store = MysqlStore;

    async fn open(&self) -> MysqlStore {
        shared::open(&shared::url(shared::MARIADB)).await
    }

    async fn open_again(&self, store: &MysqlStore) -> MysqlStore {
        shared::open_table(&shared::url(shared::MARIADB), &store.table().to_string()).await
    }

    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn largest_payload(&self) -> Option<usize> {
        Some(LARGEST)
    }

    async fn dump(&self, store: &MysqlStore) -> Option<Vec<u8>> {
        Some(dump(&shared::url(shared::MARIADB), store).await)
    }
}

mod sqlite_file {
    use super::{File, Scratch, conformance_tests, index_conformance_tests};

    conformance_tests!(File(Scratch::new()));
    index_conformance_tests!(File(Scratch::new()));
}

mod sqlite_memory {
    use super::{Memory, conformance_tests, index_conformance_tests};

    conformance_tests!(Memory);
    index_conformance_tests!(Memory);
}

mod postgres {
    use super::{Postgres, conformance_tests, index_conformance_tests};

    conformance_tests!(Postgres, #[ignore = "needs postgres: run `cargo xtask test`"]);
    index_conformance_tests!(Postgres, #[ignore = "needs postgres: run `cargo xtask test`"]);
}

mod mariadb {
    use super::{Mariadb, conformance_tests, index_conformance_tests};

    conformance_tests!(Mariadb, #[ignore = "needs mariadb: run `cargo xtask test`"]);
    index_conformance_tests!(Mariadb, #[ignore = "needs mariadb: run `cargo xtask test`"]);
}
