//! The laws of stores, on every database.

use std::time::Duration;

use cloakroom_conformance::{Harness, conformance_tests};
use cloakroom_sqlx::SqliteStore;
use sqlx::{Row as _, SqlitePool};

use crate::sample;
use crate::scratch::Scratch;

/// Milliseconds of the database's clock, rounded so that no record goes too early.
const RESOLUTION: Duration = Duration::from_millis(2);

/// 16 MiB less 64 KiB.
const LARGEST: usize = 16_711_680;

/// A file of SQLite, with a table for each namespace.
struct File(Scratch);

impl File {
    fn new() -> Self {
        Self(Scratch::new())
    }

    async fn open_table(&self, table: &str) -> SqliteStore {
        let table = table.parse().expect("a name");
        SqliteStore::builder(&self.0.url()).with_table(table).connect().await.expect("a file")
    }
}

impl Harness for File {
    type Store = SqliteStore;

    async fn open(&self) -> SqliteStore {
        self.open_table(&sample::table()).await
    }

    async fn open_again(&self, store: &SqliteStore) -> SqliteStore {
        self.open_table(&store.table().to_string()).await
    }

    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn largest_payload(&self) -> Option<usize> {
        Some(LARGEST)
    }

    async fn dump(&self, store: &SqliteStore) -> Option<Vec<u8>> {
        let pool = SqlitePool::connect(&self.0.url()).await.expect("the file");
        let text = format!("SELECT id, payload FROM {}", store.table());
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&pool).await.expect("the table");
        let bytes = |column| rows.iter().flat_map(move |row| row.get::<Vec<u8>, usize>(column));
        Some(bytes(0).chain(bytes(1)).collect())
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

mod sqlite_file {
    use super::{File, conformance_tests};

    conformance_tests!(File::new());
}

mod sqlite_memory {
    use super::{Memory, conformance_tests};

    conformance_tests!(Memory);
}
