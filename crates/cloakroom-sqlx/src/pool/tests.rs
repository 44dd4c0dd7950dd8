use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Executor as _, Sqlite};
use tokio::time::{advance, pause};

use super::{Checkout, Connections, IDLE, LIFETIME, Loss};

fn pool(most: u32) -> Arc<Connections<Sqlite>> {
    patient(most, Duration::from_secs(20))
}

fn patient(most: u32, patience: Duration) -> Arc<Connections<Sqlite>> {
    let options = SqliteConnectOptions::new().in_memory(true);
    Connections::new(options, most, patience, Loss::Replaced)
}

async fn new(pool: &Arc<Connections<Sqlite>>) -> Checkout<Sqlite> {
    match pool.wait().await {
        Ok(checkout) => checkout,
        Err(error) => panic!("{error}"),
    }
}

const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn connections_that_are_old_or_long_idle_are_closed() {
    const MINUTE: Duration = Duration::from_secs(60);
    let pool = pool(4);
    let (first, second) = (new(&pool).await, new(&pool).await);
    let (third, fourth) = (new(&pool).await, new(&pool).await);
    pause();
    first.give_back();
    second.give_back();
    advance(MINUTE * 9).await;
    third.give_back();
    assert_eq!(format!("{pool:?}"), "3 of 4 connections idle");
    advance(MINUTE + MOMENT).await;
    // All that are idle for ten minutes, and no others.
    fourth.give_back();
    assert_eq!(format!("{pool:?}"), "2 of 2 connections idle");
    let last = pool.ready().expect("a connection");
    advance(MINUTE * 19).await;
    last.give_back();
    let last = pool.ready().expect("it is not half an hour old");
    advance(MINUTE).await;
    last.give_back();
    assert_eq!(format!("{pool:?}"), "0 of 0 connections idle");
}

/// A panic, or the end of its runtime, and all sessions would be gone.
#[tokio::test]
async fn connection_that_keeps_everything_outlives_its_verb() {
    let options = SqliteConnectOptions::new().in_memory(true);
    let pool = Connections::<Sqlite>::new(options, 1, Duration::from_millis(200), Loss::Fatal);
    let mut kept = new(&pool).await;
    let connection = kept.connection().expect("a connection");
    connection.execute("CREATE TABLE kept (id INTEGER)").await.expect("a table");
    let verb = tokio::spawn(async move {
        let _kept = kept;
        assert!(std::hint::black_box(false), "on purpose");
    });
    assert!(verb.await.expect_err("a panic").is_panic());
    pause();
    // However old it is.
    advance(LIFETIME * 2).await;
    let mut kept = pool.ready().expect("the connection");
    let connection = kept.connection().expect("a connection");
    connection.execute("SELECT id FROM kept").await.expect("the table");
    kept.give_back();
    assert_eq!(format!("{pool:?}"), "1 of 1 connections idle");
}

#[tokio::test]
async fn connection_in_doubt_is_asked_before_it_is_used() {
    let pool = pool(1);
    new(&pool).await.give_back();
    assert!(pool.ready().is_some(), "it was closed, and not used again");
    assert!(pool.ready().is_none(), "there is none");
    new(&pool).await.give_back();
    tokio::time::sleep(MOMENT * 2).await;
    pool.note_trouble();
    assert!(pool.ready().is_none(), "it was idle when another one broke");
    let mut checkout = new(&pool).await;
    checkout.connection().expect("a connection").ping().await.expect("a sound connection");
    checkout.give_back();
    pause();
    advance(IDLE + MOMENT).await;
    assert!(pool.ready().is_none(), "it was idle for long");
    tokio::time::resume();
    new(&pool).await.give_back();
    assert!(pool.ready().is_some());
}

#[tokio::test]
async fn full_pool_is_waited_for() {
    let pool = patient(2, Duration::from_secs(1));
    let (first, second) = (new(&pool).await, new(&pool).await);
    assert!(matches!(pool.wait().await, Err(sqlx::Error::PoolTimedOut)));
    let third = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.wait().await.is_ok() }
    });
    tokio::task::yield_now().await;
    // One goes back, the other is closed: either makes room.
    first.give_back();
    assert!(third.await.expect("an end"));
    drop(second);
    assert_eq!(format!("{pool:?}"), "0 of 0 connections idle");
}
