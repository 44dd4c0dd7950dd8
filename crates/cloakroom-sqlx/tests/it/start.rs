//! Starts that fail, servers that are refused, and what `connect` tells.

use std::time::{Duration, Instant};

use cloakroom_core::{
    Created, Deleted, Error, ErrorKind, Freshness, PrincipalIndex as _, PrincipalTag, Store as _,
    StoreErrorKind,
};
use cloakroom_sqlx::{Dialect, MysqlStore, PostgresStore, SqlStore, SqliteStore, Sweep};
use cloakroom_testkit::Log;
use xtask::server::{MariadbServer, PostgresServer};

use crate::machine::Machine as _;
use crate::sample::{self, MINUTE};
use crate::scratch::Scratch;

async fn refusal<D: Dialect>(url: &str) -> Error {
    let error = SqlStore::<D>::connect(url).await.expect_err("a refusal");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    error
}

async fn misconfigured<D: Dialect>(url: &str, advice: &str) {
    let error = refusal::<D>(url).await;
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
    assert!(error.to_string().contains(advice), "{error}");
}

#[tokio::test]
async fn absent_server_is_unavailable() {
    for url in ["postgres://a:s3cret@127.0.0.1:1/a", "postgres://a:s3cret@%2Fnowhere/a"] {
        let error = refusal::<sqlx::Postgres>(&format!("{url}?connect_timeout=100ms")).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{url}");
    }
    for url in ["mysql://a:s3cret@127.0.0.1:1/a?", "mariadb://a:s3cret@localhost/a?socket=/nowhere/s.sock&"] {
        let error = refusal::<sqlx::MySql>(&format!("{url}connect_timeout=100ms")).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{url}");
    }
}

#[tokio::test]
async fn urls_that_cannot_be_meant_are_refused() {
    for url in [
        "postgres://a:s3cret@localhost/a?timeout=1ms",
        "postgres://a:s3cret@localhost/a?connect_timeout=61s",
        "postgres://a:s3cret@localhost/a?max_connections=0",
        "postgres://a:s3cret@localhost/a?max_connections=1001",
        "postgres://a:s3cret@localhost/a?sweep=999ms",
        "postgres://a:s3cret@localhost/a?sweep=25h",
        "postgres://a:s3cret@localhost/a?ssl-mode=REQUIRED",
        "postgres:///a",
        "mysql://a:s3cret@localhost/a",
    ] {
        let error = PostgresStore::connect_lazy(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
    let builder = || SqliteStore::builder("sqlite::memory:");
    for (what, builder) in [
        ("timeout", builder().with_timeout(Duration::from_secs(61))),
        ("connect_timeout", builder().with_connect_timeout(Duration::from_millis(9))),
        ("max_connections", builder().with_max_connections(0)),
        ("sweep", builder().with_sweep(Sweep::Every(Duration::ZERO))),
    ] {
        assert_eq!(builder.connect_lazy().expect_err(what).kind(), ErrorKind::Misconfigured, "{what}");
    }
}

#[test]
fn store_outside_of_a_runtime_is_refused() {
    let error = SqliteStore::connect_lazy("sqlite::memory:").expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("inside a Tokio runtime"), "{error}");
}

#[tokio::test]
async fn files_that_are_none_are_refused() {
    let scratch = Scratch::new();
    let at = |name: &str| format!("sqlite:{}", scratch.path().join(name).display());
    misconfigured::<sqlx::Sqlite>(&at("nowhere/sessions.db"), "cannot be opened").await;
    std::fs::write(
        scratch.path().join("text"),
        "this is not a database, and longer than its header would be; ".repeat(9),
    )
    .expect("a file");
    misconfigured::<sqlx::Sqlite>(&at("text"), "no SQLite database").await;
    misconfigured::<sqlx::Sqlite>(&format!("{}?table=shop.s", scratch.url()), "no schemas").await;
}

#[tokio::test]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn postgres_says_what_to_do() {
    let server = PostgresServer::start().expect("a server");
    let url = server.url();
    for (wrong, advice) in [
        (url.replace("s3cret", "s3cret0"), "the user or the password"),
        (url.replace("app:", "nobody:"), "the user or the password"),
        (format!("{url}2"), "the database of the URL does not exist"),
        (format!("{url}?table=nowhere.sessions"), "the schema of the table does not exist"),
    ] {
        misconfigured::<sqlx::Postgres>(&wrong, advice).await;
    }
}

#[tokio::test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn mariadb_says_what_to_do() {
    let server = MariadbServer::start().expect("a server");
    let url = server.url();
    for (wrong, advice) in [
        (url.replace("s3cret", "s3cret0"), "the user, the password"),
        (url.replace("app:", "nobody:"), "the user, the password"),
        (format!("{url}2"), "the user"),
    ] {
        misconfigured::<sqlx::MySql>(&wrong, advice).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn postgres_that_would_lose_sessions_is_refused() {
    let server = PostgresServer::start().expect("a server");
    let url = server.url();
    let store = PostgresStore::connect(&url).await.expect("a server");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    server.run("ALTER TABLE cloakroom_sessions SET UNLOGGED");
    misconfigured::<sqlx::Postgres>(&url, "UNLOGGED").await;
    server.run("ALTER TABLE cloakroom_sessions SET LOGGED");
    // As after a change of places, and then as at a start.
    server.run("ALTER ROLE app SET default_transaction_read_only = on");
    server.terminate();
    assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    let error = store.touch(&key, record.version, MINUTE * 2).await.expect_err("read-only");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    assert!(format!("{error:?}").contains("connect to the primary"), "{error:?}");
    misconfigured::<sqlx::Postgres>(&url, "read-only").await;
    server.run("ALTER ROLE app RESET default_transaction_read_only");
    server.terminate();
    assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
}

/// `connect` refuses a standby. A store that never looked at the server finds out with each verb.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn standby_is_refused() {
    let server = PostgresServer::start().expect("a server");
    let standby = server.standby("second").expect("a standby");
    let store = PostgresStore::connect(&server.url()).await.expect("a primary");
    let (key, tag) = (sample::key(), PrincipalTag::from_bytes([7; 32]));
    let record = sample::record().with_principal(Some(tag));
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let start = Instant::now();
    while standby.run("SELECT to_regclass('cloakroom_sessions')").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "the table never arrives");
    }
    misconfigured::<sqlx::Postgres>(&standby.url(), "connect to the primary").await;
    let lazy = PostgresStore::connect_lazy(&standby.url()).expect("a URL");
    for key in [key, sample::key()] {
        // What it has may be old: neither is the record served, nor is anybody told that there is none.
        let error = lazy.load(&key, Freshness::Latest).await.expect_err("a standby");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
        assert!(format!("{error:?}").contains("connect to the primary"), "{error:?}");
    }
    let error = lazy.entries(&tag).await.expect_err("a standby");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    assert!(format!("{error:?}").contains("connect to the primary"), "{error:?}");
    let error = lazy.remove(&tag, &[key], Duration::ZERO).await.expect_err("a standby");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    let error = lazy.delete(&key).await.expect_err("a standby");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    assert!(format!("{error:?}").contains("connect to the primary"), "{error:?}");
    // Once it was promoted it is a server like any other, for the same store too.
    tokio::task::block_in_place(|| standby.promote()).expect("a promotion");
    assert!(lazy.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    assert_eq!(lazy.entries(&tag).await.expect("an answer").entries.len(), 1);
    assert_eq!(lazy.delete(&key).await.expect("an answer"), Deleted::Deleted);
    PostgresStore::connect(&standby.url()).await.expect("a primary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn mariadb_that_would_lose_sessions_is_refused() {
    let server = MariadbServer::start().expect("a server");
    let url = server.url();
    let store = MysqlStore::connect(&url).await.expect("a server");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    for engine in ["MyISAM", "Aria"] {
        server.run(&format!("ALTER TABLE cloakroom_sessions ENGINE={engine}"));
        misconfigured::<sqlx::MySql>(&url, "InnoDB").await;
    }
    server.run("ALTER TABLE cloakroom_sessions ENGINE=InnoDB; SET GLOBAL read_only = ON");
    let error = store.touch(&key, record.version, MINUTE * 2).await.expect_err("read-only");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    assert!(format!("{error:?}").contains("connect to the primary"), "{error:?}");
    misconfigured::<sqlx::MySql>(&url, "read-only").await;
    server.run("SET GLOBAL read_only = OFF");
    assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    // A server that takes less than the store does says so at the start.
    server.run("SET GLOBAL max_allowed_packet = 1048576");
    let store = MysqlStore::connect(&url).await.expect("a server");
    let mut large = sample::record();
    large.payload = vec![7; 1_048_576 - 1024 + 1];
    let error = store.create(&sample::key(), &large).await.expect_err("too large");
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    large.payload.pop();
    assert_eq!(store.create(&sample::key(), &large).await.expect("an answer"), Created::Created);
}

#[tokio::test]
async fn connect_tells_what_it_did() {
    let (log, _guard) = Log::listen();
    let scratch = Scratch::new();
    for created in [true, false] {
        let before = log.text().len();
        let store = SqliteStore::connect(&scratch.url()).await.expect("a file");
        let text = log.text().split_off(before);
        assert!(text.contains("INFO cloakroom::sqlx: sessions are kept in a table"), "{text}");
        assert!(text.contains(&format!("created={created}")), "{text}");
        assert!(text.contains("table=cloakroom_sessions") && text.contains("sweep=Every(60s)"), "{text}");
        drop(store);
    }
}
