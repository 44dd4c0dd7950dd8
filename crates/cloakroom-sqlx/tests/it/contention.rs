//! Statements that collide: they are tried again, within bounds, and nobody notices.

use std::time::{Duration, Instant};

use cloakroom_core::{Created, Deleted, Freshness, Replaced, Store as _, StoreErrorKind, Touched};
use cloakroom_sqlx::{MysqlStore, PostgresStore, SqlStore, SqliteStore};
use sqlx::{Connection as _, Executor as _, MySqlConnection, PgConnection, SqliteConnection};
use xtask::server::{MariadbServer, PostgresServer};

use crate::machine::Machine as _;
use crate::sample::{self, MINUTE};
use crate::scratch::Scratch;

/// Waits until it is so: twenty seconds are no property of anything, only the end of a test that would not end.
async fn until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The same with a deadline that does not pass while somebody is made to wait.
fn patiently(url: &str) -> String {
    format!("{url}?timeout=40s")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn serialization_failures_are_tried_again() {
    let server = PostgresServer::start().expect("a server");
    server.run("ALTER ROLE app SET default_transaction_isolation = 'serializable'");
    let store = PostgresStore::connect(&patiently(&server.url())).await.expect("a server");
    let mut rival = PgConnection::connect(&server.url()).await.expect("a connection");
    for _ in 0..3 {
        let (key, record, next) = (sample::key(), sample::record(), sample::record());
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
        rival.execute("BEGIN").await.expect("a transaction");
        rival.execute("UPDATE cloakroom_sessions SET expires_at = expires_at + 1").await.expect("a lock");
        let (writer, version) = (store.clone(), record.version);
        let write = tokio::spawn(async move { writer.replace(&key, version, &next).await });
        let waiting = || server.run("SELECT count(*) FROM pg_locks WHERE NOT granted").trim() != "0";
        until(waiting).await;
        // Whoever waited has now seen an older row than there is.
        rival.execute("COMMIT").await.expect("the end");
        assert_eq!(write.await.expect("an end").expect("no error"), Replaced::Replaced);
    }
    let log = std::fs::read_to_string(server.directory().join("log")).unwrap_or_default();
    let failures = log.matches("could not serialize access").count();
    println!("{failures} failures");
    assert!(failures >= 3, "{failures} failures");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn deadlocks_are_tried_again() {
    let server = MariadbServer::start().expect("a server");
    let store = MysqlStore::connect(&patiently(&server.url())).await.expect("a server");
    for _ in 0..5 {
        let key = sample::key();
        let mut rival = MySqlConnection::connect(&server.url()).await.expect("a connection");
        rival.execute("BEGIN").await.expect("a transaction");
        sqlx::query("INSERT INTO cloakroom_sessions VALUES (?, 1, 9000000000000000, NULL, '')")
            .bind(key.as_bytes().as_slice())
            .execute(&mut rival)
            .await
            .expect("a row");
        // Both wait for a look at the row; when it goes, both may look, and neither may write.
        let crowd: Vec<_> = (0..2)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.create(&key, &sample::record()).await.expect("no error") })
            })
            .collect();
        let waiting = || server.status("Innodb_row_lock_current_waits").expect("a number") >= 2;
        until(|| tokio::task::block_in_place(waiting)).await;
        rival.execute("ROLLBACK").await.expect("the end");
        let mut created = 0;
        for one in crowd {
            created += u32::from(one.await.expect("no error") == Created::Created);
        }
        assert_eq!(created, 1);
    }
    let deadlocks = server.status("Innodb_deadlocks").expect("a number");
    println!("{deadlocks} deadlocks");
    assert!(deadlocks > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn lock_that_takes_too_long_is_waited_for_again() {
    let arguments = ["--innodb-lock-wait-timeout=1"];
    let server = MariadbServer::builder().with_arguments(arguments).start().expect("a server");
    let store = MysqlStore::connect(&patiently(&server.url())).await.expect("a server");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let mut rival = MySqlConnection::connect(&server.url()).await.expect("a connection");
    rival.execute("BEGIN").await.expect("a transaction");
    rival.execute("SELECT * FROM cloakroom_sessions FOR UPDATE").await.expect("a lock");
    let (toucher, version) = (store.clone(), record.version);
    let touch = tokio::spawn(async move { toucher.touch(&key, version, MINUTE * 2).await });
    // A look waits for nobody.
    assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    let given_up = || {
        let count = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_timeouts'";
        server.run(count).trim().parse::<u64>().expect("a number")
    };
    until(|| given_up() >= 1).await;
    rival.execute("ROLLBACK").await.expect("the end");
    assert_eq!(touch.await.expect("an end").expect("no error"), Touched::Touched);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_file_is_waited_for_and_then_unavailable() {
    let scratch = Scratch::new();
    let store = SqliteStore::builder(&scratch.url())
        .with_timeout(Duration::from_millis(600))
        .connect()
        .await
        .expect("a file");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let mut rival = SqliteConnection::connect(&scratch.url()).await.expect("the file");
    rival.execute("BEGIN IMMEDIATE").await.expect("the lock");
    let error = store.touch(&key, record.version, MINUTE * 2).await.expect_err("a lock");
    assert!(matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Timeout), "{error:?}");
    assert!(store.load(&key, Freshness::Latest).await.expect("readers do not wait").is_some());
    let (toucher, version) = (store.clone(), record.version);
    let touch = tokio::spawn(async move { toucher.touch(&key, version, MINUTE * 2).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    rival.execute("ROLLBACK").await.expect("the end");
    assert_eq!(touch.await.expect("an end").expect("no error"), Touched::Touched);
}

/// Two stores on one file, as two processes have: the lock of the file is all that they share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_one_file_do_not_turn_each_other_away() {
    let scratch = Scratch::new();
    let (one, other) = (connect(&scratch).await, connect(&scratch).await);
    let tasks: Vec<_> = (0..32)
        .map(|number| {
            let store = if number % 2 == 0 { one.clone() } else { other.clone() };
            tokio::spawn(async move {
                for _ in 0..10 {
                    let created = store.create(&sample::key(), &sample::record()).await;
                    assert_eq!(created.expect("no error"), Created::Created);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no error");
    }
}

async fn connect(scratch: &Scratch) -> SqliteStore {
    SqlStore::connect(&format!("{}?timeout=20s", scratch.url())).await.expect("a file")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn time_left_is_told_by_the_clock_of_the_look() {
    let server = MariadbServer::start().expect("a server");
    let store = MysqlStore::connect(&patiently(&server.url())).await.expect("a server");
    let key = sample::key();
    let mut rival = MySqlConnection::connect(&server.url()).await.expect("a connection");
    rival.execute("LOCK TABLES cloakroom_sessions WRITE").await.expect("a lock");
    let reader = store.clone();
    let look = tokio::spawn(async move { reader.load(&key, Freshness::Latest).await });
    let waiting = || server.run("SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting%'");
    until(|| !waiting().trim().is_empty()).await;
    // Written after the look has begun, for one minute.
    tokio::time::sleep(Duration::from_millis(100)).await;
    sqlx::query(
        "INSERT INTO cloakroom_sessions VALUES (?, 1, UNIX_TIMESTAMP(NOW(6)) * 1000 + 60000, NULL, 'x')",
    )
    .bind(key.as_bytes().as_slice())
    .execute(&mut rival)
    .await
    .expect("a row");
    rival.execute("UNLOCK TABLES").await.expect("the end");
    let found = look.await.expect("an end").expect("an answer").expect("a record");
    assert!(found.ttl <= MINUTE, "{:?}", found.ttl);
}

/// Of a delete that it cuts short, MariaDB may say that there was nothing. Whoever is told so by the store is told the
/// truth.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn delete_that_is_cut_short_says_nothing_untrue() {
    /// How many deletes are to be cut short.
    const CUT: usize = 60;
    let server = MariadbServer::start().expect("a server");
    // One connection, from before there was a limit.
    let patient =
        MysqlStore::builder(&server.url()).with_max_connections(1).connect().await.expect("a server");
    server.run("SET GLOBAL max_statement_time = 0.0002");
    let hasty = MysqlStore::builder(&server.url()).with_max_connections(2).connect_lazy().expect("a URL");
    let (start, mut cut, mut done) = (Instant::now(), 0, 0);
    while cut < CUT {
        assert!(start.elapsed() < Duration::from_secs(60), "only {cut} were cut short, {done} were not");
        let key = sample::key();
        assert_eq!(patient.create(&key, &sample::record()).await.expect("an answer"), Created::Created);
        match hasty.delete(&key).await {
            Ok(answer) => {
                let left = patient.load(&key, Freshness::Latest).await.expect("an answer");
                assert!(left.is_none(), "{answer:?}, and the record is there");
                assert_eq!(answer, Deleted::Deleted);
                done += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
                cut += 1;
            }
        }
    }
    println!("{cut} cut short, {done} done");
}
