//! Runtimes that come and go, as the workers of actix-web do, and pools that belong to somebody else.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use cloakroom_core::{Created, Freshness, Store as _, StoreErrorKind, Touched};
use cloakroom_sqlx::{MysqlStore, PostgresStore, SqlStore, SqliteStore};
use cloakroom_testkit::Lateness;
use tokio::runtime::{Builder, Runtime};

use crate::outage::ended_within;
use crate::sample;
use crate::shared::{self, MARIADB, POSTGRES};

fn many() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn one() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The store is made in one runtime and used from others; what one of them does to its thread is its own affair.
fn workers_share_a_store<D: cloakroom_sqlx::Dialect>(url: &str) {
    let home = many();
    let store: SqlStore<D> = home.block_on(shared::open(url));
    let (key, record) = (sample::key(), sample::record());
    let first = one();
    assert_eq!(first.block_on(store.create(&key, &record)).expect("an answer"), Created::Created);
    // This worker is busy, or gone, with all that it has begun.
    drop(first);
    let second = one();
    let found = second.block_on(async {
        let (start, lateness) = (Instant::now(), Lateness::watch());
        let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
        ended_within(Duration::from_secs(1), start, &lateness);
        found
    });
    assert_eq!(found.payload, record.payload);
    // Without a home, the worker that asks is where the connection lives: one verb finds out.
    home.shutdown_timeout(Duration::from_secs(1));
    let _ = second.block_on(store.load(&key, Freshness::Latest));
    let found = second.block_on(store.load(&key, Freshness::Latest)).expect("an answer").expect("a record");
    assert_eq!(found.payload, record.payload);
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn workers_share_a_store_on_postgres() {
    workers_share_a_store::<sqlx::Postgres>(&shared::url(POSTGRES));
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn workers_share_a_store_on_mariadb() {
    workers_share_a_store::<sqlx::MySql>(&shared::url(MARIADB));
}

/// Nothing can be waited for there: the verb says so, whether or not the runtime of the store still lives.
#[test]
fn verb_outside_of_a_runtime_is_refused() {
    for (home, ends) in [(many(), true), (many(), false), (one(), true), (one(), false)] {
        let store = home.block_on(SqliteStore::connect("sqlite::memory:")).expect("memory");
        let _home = (!ends).then_some(home);
        let (key, record) = (sample::key(), sample::record());
        let load = pin!(store.load(&key, Freshness::Latest));
        let create = pin!(store.create(&key, &record));
        let context = &mut Context::from_waker(Waker::noop());
        for error in [once(load.poll(context)).err(), once(create.poll(context)).err()] {
            let error = error.expect("no runtime");
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
            assert!(format!("{error:?}").contains("outside of a Tokio runtime"), "{error:?}");
        }
        assert!(once(pin!(store.sweep(1)).poll(context)).is_err());
        assert!(once(pin!(store.migrate()).poll(context)).is_err());
    }
}

fn once<T>(answer: Poll<T>) -> T {
    match answer {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits for something"),
    }
}

#[tokio::test]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn pool_of_the_application_stays_its_own() {
    let pool = sqlx::PgPool::connect(&shared::url(POSTGRES)).await.expect("the server");
    let table = sample::table().parse().expect("a name");
    let store = PostgresStore::builder_over(pool.clone()).with_table(table).connect_lazy().expect("a store");
    store.migrate().await.expect("a table");
    assert_eq!(store.create(&sample::key(), &sample::record()).await.expect("an answer"), Created::Created);
    drop(store);
    assert!(!pool.is_closed());
    let number: i32 = sqlx::query_scalar("SELECT 12").fetch_one(&pool).await.expect("an answer");
    assert_eq!(number, 12);
}

#[tokio::test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn time_zone_of_the_connection_does_not_matter() {
    let options: sqlx::mysql::MySqlConnectOptions = shared::url(MARIADB).parse().expect("a URL");
    let table = sample::table();
    let open = |zone: &str| {
        let pool = sqlx::MySqlPool::connect_lazy_with(options.clone().timezone(zone.to_owned()));
        MysqlStore::builder_over(pool)
            .with_table(table.parse().expect("a name"))
            .connect_lazy()
            .expect("a store")
    };
    let (east, west) = (open("+13:00"), open("-11:30"));
    east.migrate().await.expect("a table");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(east.create(&key, &record).await.expect("an answer"), Created::Created);
    for store in [&west, &east] {
        let left = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record").ttl;
        assert!(left <= sample::MINUTE && left > sample::MINUTE - Duration::from_secs(10), "{left:?}");
    }
    let touched = west.touch(&key, record.version, sample::MINUTE * 2).await.expect("an answer");
    assert_eq!(touched, Touched::Touched);
    assert_eq!(west.sweep(10).await.expect("an answer"), 0);
    let left = east.load(&key, Freshness::Latest).await.expect("an answer").expect("a record").ttl;
    assert!(left <= sample::MINUTE * 2 && left > sample::MINUTE, "{left:?}");
}
