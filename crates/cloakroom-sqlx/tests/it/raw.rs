//! A database behind the back of the store, whichever it is.

use cloakroom_sqlx::Dialect;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use crate::scratch::Scratch;
use crate::shared::{self, MARIADB, POSTGRES};

pub(crate) trait Raw: Dialect {
    /// How binary data begins in a statement, and how it ends.
    const BYTES: (&'static str, &'static str);
    /// A statement that makes rows without end out of a table's name, a count and the principal of all, written as bytes.
    fn many(table: &str, count: usize, principal: &str) -> String;
    /// Where it is; SQLite is in the directory.
    fn url(scratch: &Scratch) -> String;
    /// Executes statements.
    async fn run(url: &str, text: &str);
    /// The number that a statement finds.
    async fn number(url: &str, text: &str) -> i64;

    fn bytes(bytes: &[u8]) -> String {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}{digits}{}", Self::BYTES.0, Self::BYTES.1)
    }
}

macro_rules! raw {
    ($database:ty, $connection:ty, $url:expr, $bytes:expr, $many:expr) => {
        impl Raw for $database {
            const BYTES: (&'static str, &'static str) = $bytes;

            fn many(table: &str, count: usize, principal: &str) -> String {
                $many(table, count, principal)
            }

            fn url(scratch: &Scratch) -> String {
                $url(scratch)
            }

            async fn run(url: &str, text: &str) {
                let mut connection = <$connection>::connect(url).await.expect("the database");
                let text = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
                connection.execute(text).await.expect("a good statement");
                connection.close().await.expect("the end");
            }

            async fn number(url: &str, text: &str) -> i64 {
                let mut connection = <$connection>::connect(url).await.expect("the database");
                let query = sqlx::query(AssertSqlSafe(text.to_owned()));
                let row = connection.fetch_one(query).await.expect("a row");
                connection.close().await.expect("the end");
                row.try_get(0).expect("a number")
            }
        }
    };
}

raw!(
    sqlx::Sqlite,
    sqlx::SqliteConnection,
    |scratch: &Scratch| format!("{}?mode=rwc", scratch.url()),
    ("X'", "'"),
    |table: &str, count: usize, principal: &str| format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         INSERT INTO {table} SELECT randomblob(32), i, 9000000000000000, {principal}, randomblob(200) FROM n"
    )
);
raw!(
    sqlx::Postgres,
    sqlx::PgConnection,
    |_: &Scratch| shared::url(POSTGRES),
    ("'\\x", "'::bytea"),
    |table: &str, count: usize, principal: &str| format!(
        "INSERT INTO {table} SELECT sha256((random()::text || i)::bytea), i, 9000000000000000, {principal}, \
         repeat('x', 200)::bytea FROM generate_series(1, {count}) AS i"
    )
);
raw!(
    sqlx::MySql,
    sqlx::MySqlConnection,
    |_: &Scratch| shared::url(MARIADB),
    ("X'", "'"),
    |table: &str, count: usize, principal: &str| format!(
        "INSERT INTO {table} SELECT UNHEX(SHA2(CONCAT(RAND(), seq), 256)), seq, 9000000000000000, {principal}, \
         REPEAT('x', 200) FROM seq_1_to_{count}"
    )
);

/// Makes a test of each function for each database.
macro_rules! on_all_databases {
    ($($test:ident)+) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test::<sqlx::Sqlite>().await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs postgres: run `cargo xtask test`"]
                async fn $test() {
                    super::$test::<sqlx::Postgres>().await;
                }
            )+
        }

        mod mariadb {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs mariadb: run `cargo xtask test`"]
                async fn $test() {
                    super::$test::<sqlx::MySql>().await;
                }
            )+
        }
    };
}

pub(crate) use on_all_databases;
