//! Expired rows go, a few at a time, whoever else sweeps; and the task ends with its store.

use std::time::Duration;

use cloakroom_core::{Created, Freshness, Record, Store as _};
use cloakroom_sqlx::{Dialect, SqlStore, SqliteStore, Sweep};
use cloakroom_testkit::Log;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Database, Decode, Executor, IntoArguments, Pool, Type,
};
use tokio::runtime::Builder;
use xtask::server::{MariadbServer, PostgresServer};

use crate::machine::{Machine, connect};
use crate::sample;
use crate::scratch::Scratch;
use crate::shared::{self, MARIADB, POSTGRES};

/// Any number of expired records, of which nobody waits for the end.
async fn expired<D: Dialect>(store: &SqlStore<D>, count: usize) {
    let makers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..count / 4 {
                    let record = Record::new(vec![1; 100], sample::version(), Duration::from_millis(1));
                    assert_eq!(
                        store.create(&sample::key(), &record).await.expect("an answer"),
                        Created::Created
                    );
                }
            })
        })
        .collect();
    for maker in makers {
        maker.await.expect("an answer");
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
}

async fn sweeps_are_bounded_and_shared<D: Dialect>(url: &str) {
    let table = sample::table();
    let open =
        || SqlStore::<D>::builder(url).with_table(table.parse().expect("a name")).with_sweep(Sweep::Never);
    let (one, other) = (open().connect().await.expect("a store"), open().connect().await.expect("a store"));
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(one.create(&key, &record).await.expect("an answer"), Created::Created);
    expired(&one, 120).await;
    assert_eq!(one.sweep(20).await.expect("an answer"), 20);
    // Nodes that sweep at once remove each row once, and no other.
    let sweepers: Vec<_> = [&one, &other, &one, &other]
        .map(|store| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut removed = 0;
                for _ in 0..10 {
                    removed += store.sweep(7).await.expect("an answer");
                }
                removed
            })
        })
        .into_iter()
        .collect();
    let mut removed = 0;
    for sweeper in sweepers {
        removed += sweeper.await.expect("an answer");
    }
    while let more @ 1.. = one.sweep(50).await.expect("an answer") {
        removed += more;
    }
    assert_eq!(removed, 100);
    let found = one.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    assert_eq!(found.payload, record.payload);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_are_bounded_and_shared_on_sqlite() {
    let scratch = Scratch::new();
    sweeps_are_bounded_and_shared::<sqlx::Sqlite>(&format!("{}?timeout=20s", scratch.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn sweeps_are_bounded_and_shared_on_postgres() {
    sweeps_are_bounded_and_shared::<sqlx::Postgres>(&shared::url(POSTGRES)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn sweeps_are_bounded_and_shared_on_mariadb() {
    sweeps_are_bounded_and_shared::<sqlx::MySql>(&shared::url(MARIADB)).await;
}

/// A row that somebody else holds is passed over, and holds up neither the sweep nor anybody's look.
async fn locked_rows_are_passed_over<D>(url: &str)
where
    D: Dialect + Database<Arguments: IntoArguments<D>>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    usize: ColumnIndex<D::Row>,
    for<'r> i64: Decode<'r, D> + Type<D>,
{
    let table = sample::table();
    let open =
        SqlStore::<D>::builder(url).with_table(table.parse().expect("a name")).with_sweep(Sweep::Never);
    let store = open.connect().await.expect("a store");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    expired(&store, 40).await;
    let pool = Pool::<D>::connect(url).await.expect("the database");
    let mut rival = pool.acquire().await.expect("a connection");
    let mut transaction = rival.begin().await.expect("a transaction");
    let text = format!(
        "SELECT version FROM {table} WHERE expires_at < (SELECT max(expires_at) FROM {table}) \
         ORDER BY expires_at LIMIT 10 FOR UPDATE"
    );
    let held = (&mut *transaction).fetch_all(sqlx::query(AssertSqlSafe(text))).await.expect("a lock");
    assert_eq!(held.len(), 10);
    assert_eq!(store.sweep(1000).await.expect("an answer"), 30);
    assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    transaction.rollback().await.expect("the end");
    assert_eq!(store.sweep(1000).await.expect("an answer"), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn locked_rows_are_passed_over_on_postgres() {
    locked_rows_are_passed_over::<sqlx::Postgres>(&shared::url(POSTGRES)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn locked_rows_are_passed_over_on_mariadb() {
    locked_rows_are_passed_over::<sqlx::MySql>(&shared::url(MARIADB)).await;
}

async fn rows(pool: &sqlx::SqlitePool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM cloakroom_sessions").fetch_one(pool).await.expect("a count")
}

async fn until_empty(pool: &sqlx::SqlitePool) {
    tokio::time::timeout(Duration::from_secs(20), async {
        while rows(pool).await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("a sweep");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn task_removes_what_is_expired_and_ends_with_the_last_clone() {
    let scratch = Scratch::new();
    let pool = sqlx::SqlitePool::connect(&format!("{}?mode=rwc", scratch.url())).await.expect("a file");
    let store =
        SqliteStore::connect(&format!("{}?sweep=1s&timeout=20s", scratch.url())).await.expect("a file");
    // More than one batch.
    expired(&store, 400).await;
    until_empty(&pool).await;
    let clone = store.clone();
    drop(store);
    expired(&clone, 8).await;
    until_empty(&pool).await;
    drop(clone);
    // The next round would come within one and a half seconds.
    let other = SqliteStore::connect(&format!("{}?sweep=never&timeout=20s", scratch.url())).await;
    expired(&other.expect("a file"), 8).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(rows(&pool).await, 8);
}

/// Where the runtime that swept is gone, the next one that asks the store anything sweeps, and says so.
#[test]
fn task_goes_on_in_another_runtime() {
    let (log, _listening) = Log::listen();
    for many in [true, false] {
        let runtime = || {
            let mut builder = if many { Builder::new_multi_thread() } else { Builder::new_current_thread() };
            builder.enable_all().build().expect("a runtime")
        };
        let scratch = Scratch::new();
        let first = runtime();
        let store = first.block_on(SqliteStore::connect(&format!("{}?sweep=1s&timeout=20s", scratch.url())));
        let store = store.expect("a file");
        drop(first);
        let second = runtime();
        let before = log.text().len();
        second.block_on(async {
            let pool = sqlx::SqlitePool::connect(&scratch.url()).await.expect("a file");
            // No verb fails for it.
            assert!(store.load(&sample::key(), Freshness::Latest).await.expect("an answer").is_none());
            expired(&store, 8).await;
            until_empty(&pool).await;
        });
        let told = log.text().split_off(before);
        assert_eq!(told.matches("it is done in this one").count(), 1, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_removed_unless_it_is_asked_for() {
    let scratch = Scratch::new();
    let pool = sqlx::SqlitePool::connect(&format!("{}?mode=rwc", scratch.url())).await.expect("a file");
    let store = SqliteStore::connect(&format!("{}?sweep=never", scratch.url())).await.expect("a file");
    let shared = SqliteStore::from_pool(pool.clone());
    expired(&shared, 4).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(rows(&pool).await, 4);
    assert_eq!(store.sweep(3).await.expect("an answer"), 3);
}

#[tokio::test]
async fn sweep_that_always_fails_is_told_once() {
    let (log, _guard) = Log::listen();
    let scratch = Scratch::new();
    let pool = sqlx::SqlitePool::connect(&format!("{}?mode=rwc", scratch.url())).await.expect("a file");
    let store = SqliteStore::connect(&format!("{}?sweep=1s", scratch.url())).await.expect("a file");
    sqlx::query("DROP TABLE cloakroom_sessions").execute(&pool).await.expect("no table");
    let told = || log.text().matches("could not be removed").count();
    tokio::time::timeout(Duration::from_secs(20), async {
        while told() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("a warning");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(told(), 1, "{}", log.text());
    assert!(log.text().contains("the table or a column is missing"), "{}", log.text());
    drop(store);
}

async fn task_survives_an_outage<M: Machine>(mut server: M) {
    let store = connect::<M>(&format!("{}?sweep=1s", server.address())).await;
    server.crash();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    server.come_back();
    expired(&store, 8).await;
    tokio::time::timeout(Duration::from_secs(20), async {
        while server.run("SELECT count(*) FROM cloakroom_sessions").trim() != "0" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("a sweep after the outage");
    assert_eq!(store.create(&sample::key(), &sample::record()).await.expect("an answer"), Created::Created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn task_survives_an_outage_of_postgres() {
    task_survives_an_outage(PostgresServer::start().expect("a server")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn task_survives_an_outage_of_mariadb() {
    task_survives_an_outage(MariadbServer::start().expect("a server")).await;
}
