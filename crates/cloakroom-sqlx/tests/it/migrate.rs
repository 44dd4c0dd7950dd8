//! The table: created by whoever comes first, and only where it is wanted.

use cloakroom_core::{Created, ErrorKind, Freshness, Store as _};
use cloakroom_sqlx::{Dialect, Migration, MysqlStore, PostgresStore, SqlStore, SqliteStore, TableName};
use sqlx::{AssertSqlSafe, Executor as _};
use xtask::server::{MariadbServer, PostgresServer};

use crate::machine::Machine as _;
use crate::sample;
use crate::scratch::Scratch;
use crate::shared::{self, MARIADB, POSTGRES};

/// Ten stores that start at once, each over connections of its own.
async fn race<D: Dialect>(url: &str) {
    for _ in 0..3 {
        let table: TableName = sample::table().parse().expect("a name");
        let racers: Vec<_> = (0..10)
            .map(|_| {
                let builder = SqlStore::<D>::builder(url).with_table(table.clone()).with_max_connections(2);
                tokio::spawn(async move { builder.connect().await.expect("a start") })
            })
            .collect();
        for racer in racers {
            let store = racer.await.expect("a start");
            store.migrate().await.expect("the same again");
            let created = store.create(&sample::key(), &sample::record()).await.expect("an answer");
            assert_eq!(created, Created::Created);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_start_at_once_on_one_file() {
    for _ in 0..3 {
        let scratch = Scratch::new();
        race::<sqlx::Sqlite>(&format!("{}?timeout=20s", scratch.url())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn ten_start_at_once_on_postgres() {
    race::<sqlx::Postgres>(&shared::url(POSTGRES)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn ten_start_at_once_on_mariadb() {
    race::<sqlx::MySql>(&shared::url(MARIADB)).await;
}

/// A start without the table, and what its sentence says.
async fn refused<D: Dialect>(url: &str) {
    let table: TableName = sample::table().parse().expect("a name");
    let builder = || SqlStore::<D>::builder(url).with_table(table.clone()).with_migration(Migration::Never);
    let error = builder().connect().await.expect_err("no table");
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(
        error.to_string().contains(&format!("the table {table} is missing; call `migrate()`")),
        "{error}"
    );
    let store = builder().connect_lazy().expect("a URL");
    let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("no table");
    assert_eq!(error.kind(), cloakroom_core::StoreErrorKind::Misconfigured);
    assert!(format!("{error:?}").contains("call `migrate()`"), "{error:?}");
    store.migrate().await.expect("a table");
    assert_eq!(store.load(&sample::key(), Freshness::Latest).await.expect("an answer"), None);
    builder().connect().await.expect("a table");
}

#[tokio::test]
async fn missing_table_is_a_sentence_on_sqlite() {
    refused::<sqlx::Sqlite>(&Scratch::new().url()).await;
}

#[tokio::test]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn missing_table_is_a_sentence_on_postgres() {
    refused::<sqlx::Postgres>(&shared::url(POSTGRES)).await;
}

#[tokio::test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn missing_table_is_a_sentence_on_mariadb() {
    refused::<sqlx::MySql>(&shared::url(MARIADB)).await;
}

#[tokio::test]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn text_of_the_schema_is_all_that_postgres_needs() {
    let url = shared::url(POSTGRES);
    let table: TableName = sample::table().parse().expect("a name");
    let pool = sqlx::PgPool::connect(&url).await.expect("the server");
    pool.execute(sqlx::raw_sql(AssertSqlSafe(PostgresStore::schema(&table)))).await.expect("a table");
    let builder = PostgresStore::builder_over(pool).with_table(table);
    let store = builder.connect().await.expect("the table");
    let created = store.create(&sample::key(), &sample::record()).await.expect("an answer");
    assert_eq!(created, Created::Created);
}

#[tokio::test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn text_of_the_schema_is_all_that_mariadb_needs() {
    let url = shared::url(MARIADB);
    let table: TableName = sample::table().parse().expect("a name");
    let pool = sqlx::MySqlPool::connect(&url).await.expect("the server");
    pool.execute(sqlx::raw_sql(AssertSqlSafe(MysqlStore::schema(&table)))).await.expect("a table");
    let store = MysqlStore::builder_over(pool).with_table(table).connect().await.expect("the table");
    let created = store.create(&sample::key(), &sample::record()).await.expect("an answer");
    assert_eq!(created, Created::Created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn documented_rights_are_enough_on_postgres() {
    let server = PostgresServer::start().expect("a server");
    let table: TableName = "order.user".parse().expect("a name");
    server.run("CREATE SCHEMA \"order\" AUTHORIZATION app");
    PostgresStore::builder(&server.url()).with_table(table.clone()).connect().await.expect("a table");
    server.run("CREATE ROLE shop LOGIN PASSWORD 's3cret'");
    let url = server.url().replace("app:", "shop:");
    let builder = || PostgresStore::builder(&url).with_table(table.clone());
    let error = builder().connect().await.expect_err("no right").to_string();
    assert!(error.contains("grant SELECT, INSERT, UPDATE and DELETE"), "{error}");
    for right in rights("GRANT SELECT").replace("cloakroom_sessions", "\"order\".\"user\"").lines() {
        server.run(right);
    }
    server.run("GRANT USAGE ON SCHEMA \"order\" TO shop");
    let store = builder().connect().await.expect("the rights");
    let created = store.create(&sample::key(), &sample::record()).await.expect("a right");
    assert_eq!(created, Created::Created);
    assert_eq!(store.sweep(10).await.expect("a right"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn documented_rights_are_enough_on_mariadb() {
    let server = MariadbServer::start().expect("a server");
    MysqlStore::connect(&server.url()).await.expect("a table");
    server.run("CREATE USER shop IDENTIFIED BY 's3cret'");
    server.run(&rights("GRANT SELECT").replace("ON cloakroom", "ON app.cloakroom"));
    let store = MysqlStore::connect(&server.url().replace("app:", "shop:")).await.expect("the rights");
    let created = store.create(&sample::key(), &sample::record()).await.expect("a right");
    assert_eq!(created, Created::Created);
    assert_eq!(store.sweep(10).await.expect("a right"), 0);
}

/// The lines of the documentation that begin so.
fn rights(beginning: &str) -> String {
    let readme = include_str!("../../README.md");
    let lines: Vec<_> = readme.lines().filter(|line| line.starts_with(beginning)).collect();
    assert!(!lines.is_empty(), "the documentation names the rights");
    lines.join("\n")
}

#[tokio::test]
async fn file_that_is_made_here_has_a_log_and_another_stays_as_it_is() {
    for own in [true, false] {
        let scratch = Scratch::new();
        let pool = sqlx::SqlitePool::connect(&format!("{}?mode=rwc", scratch.url())).await.expect("a file");
        if !own {
            let text = SqliteStore::schema(&TableName::default());
            pool.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.expect("a table");
        }
        let store = SqliteStore::connect(&scratch.url()).await.expect("the file");
        assert_eq!(store.load(&sample::key(), Freshness::Latest).await.expect("an answer"), None);
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&pool).await.expect("a mode");
        assert_eq!(mode, if own { "wal" } else { "delete" });
    }
}
