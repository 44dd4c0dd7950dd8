//! A principal's sessions are found by the index on it, and not by a walk over the table. That SQLite does so is tested
//! beside its statements.

use std::time::Duration;

use cloakroom_core::{Admitted, Created, IndexVersion, PrincipalIndex as _, PrincipalTag, Store as _};
use cloakroom_sqlx::{Dialect, SqlStore};
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, Pool, Row as _};

use crate::raw::Raw;
use crate::sample::{self, MINUTE};
use crate::shared::{self, MARIADB, POSTGRES};

const MINE: PrincipalTag = PrincipalTag::from_bytes([7; 32]);

/// A pool of one connection, on which it can be seen what the store did, with many sessions of another principal and
/// of nobody, and five of ours, two of which are expired.
async fn crowd<D: Raw>(url: &str) -> (Pool<D>, SqlStore<D>) {
    let pool = PoolOptions::<D>::new().max_connections(1).connect(url).await.expect("the database");
    let table = sample::table();
    let builder = SqlStore::builder_over(pool.clone()).with_table(table.parse().expect("a name"));
    let store = builder.with_timeout(Duration::from_secs(20)).connect_lazy().expect("a store");
    store.migrate().await.expect("a table");
    for principal in [D::bytes(&[8; 32]), "NULL".to_owned()] {
        D::run(url, &D::many(&table, 5_000, &principal)).await;
    }
    D::run(url, &format!("ANALYZE {}{table}", if D::BYTES.1 == "'" { "TABLE " } else { "" })).await;
    create(&store, 3, MINUTE).await;
    create(&store, 2, Duration::from_millis(1)).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let admitted = store.admit(&MINE, IndexVersion::new(0), &sample::key(), MINUTE, &[]).await;
    assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
    assert_eq!(store.entries(&MINE).await.expect("an answer").entries.len(), 4);
    (pool, store)
}

async fn create<D: Dialect>(store: &SqlStore<D>, count: usize, ttl: Duration) {
    for _ in 0..count {
        let mut record = sample::record().with_principal(Some(MINE));
        record.ttl = ttl;
        assert_eq!(store.create(&sample::key(), &record).await.expect("an answer"), Created::Created);
    }
}

#[tokio::test]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn sessions_of_a_principal_are_found_by_the_index_of_postgres() {
    let (pool, _store) = crowd::<sqlx::Postgres>(&shared::url(POSTGRES)).await;
    let mut connection = pool.acquire().await.expect("a connection");
    let find = sqlx::query("SELECT name FROM pg_prepared_statements WHERE statement LIKE $1");
    let found = find.bind("%UNION ALL SELECT NULL, id%").fetch_one(&mut *connection).await;
    let name: String = found.expect("a statement").get(0);
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let set = format!("SET plan_cache_mode = {mode}");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *connection).await.expect("a mode");
        let explain = format!("EXPLAIN EXECUTE {name}(1, '\\x01', '\\x{}')", "07".repeat(32));
        let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *connection).await.expect("a plan");
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("_principal") && plan.contains("_pkey"), "{mode}: {plan}");
        assert!(!plan.contains("Seq Scan"), "{mode}: {plan}");
    }
}

#[tokio::test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn sessions_of_a_principal_are_found_by_the_index_of_mariadb() {
    let (pool, store) = crowd::<sqlx::MySql>(&shared::url(MARIADB)).await;
    let before = rows_read(&pool).await;
    for _ in 0..10 {
        assert_eq!(store.entries(&MINE).await.expect("an answer").entries.len(), 4);
    }
    let read = (rows_read(&pool).await - before) / 10;
    println!("{read} rows read");
    // Those of the index, and a few of the server's own.
    assert!(read < 40, "{read} rows read");
}

/// How many rows this connection has read so far.
async fn rows_read(pool: &sqlx::MySqlPool) -> u64 {
    let rows =
        sqlx::query("SHOW SESSION STATUS LIKE 'Handler_read%'").fetch_all(pool).await.expect("a count");
    rows.iter().map(|row| row.get::<String, _>(1).parse::<u64>().expect("a number")).sum()
}
