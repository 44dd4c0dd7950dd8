//! TLS with a private authority.

use cloakroom_core::{Created, ErrorKind, Freshness, Store as _};
use cloakroom_sqlx::{Dialect, MysqlStore, PostgresStore, SqlStore};
use sqlx::{MySql, Postgres};
use xtask::server::{MariadbServer, PostgresServer};

use crate::sample;
use crate::shared;

async fn serves<D: Dialect>(url: &str) {
    let store: SqlStore<D> = shared::open(url).await;
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    assert_eq!(found.payload, record.payload);
}

async fn refuses<D: Dialect>(cases: [(&str, String); 4]) {
    for (what, url) in cases {
        let error = SqlStore::<D>::connect(&url).await.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{what}: {error:?}");
        assert!(error.to_string().contains("certificate"), "{what}: {error}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn sessions_go_over_tls_to_postgres() {
    serves::<Postgres>(&shared::url("CLOAKROOM_TEST_POSTGRES_TLS_URL")).await;
}

#[tokio::test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn sessions_go_over_tls_to_mariadb() {
    serves::<MySql>(&shared::url("CLOAKROOM_TEST_MARIADB_TLS_URL")).await;
}

#[tokio::test]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn certificate_of_postgres_is_checked() {
    let server = PostgresServer::builder().with_tls().start().expect("a server");
    let stranger = PostgresServer::builder().with_tls().start().expect("a server");
    let url = server.tls_url().expect("a URL");
    let (bare, ca) = url.split_once("?sslmode=verify-full&").expect("the authority");
    // An authority that is named is meant to be asked.
    PostgresStore::connect(&format!("{bare}?{ca}")).await.expect("trust");
    let stranger = stranger.tls_url().expect("a URL");
    let (_, other) = stranger.split_once("?sslmode=verify-full&").expect("the authority");
    refuses::<Postgres>([
        ("the system's authorities", format!("{bare}?sslmode=verify-full")),
        ("another authority", format!("{bare}?{other}")),
        ("another authority, as libpq would", format!("{bare}?sslmode=require&{other}")),
        ("another name", format!("{}?{ca}", bare.replace("localhost", "127.1"))),
    ])
    .await;
    let plain = PostgresServer::start().expect("a server");
    let error =
        PostgresStore::connect(&format!("{}?sslmode=require", plain.url())).await.expect_err("no TLS");
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
}

#[tokio::test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn certificate_of_mariadb_is_checked() {
    let server = MariadbServer::builder().with_tls().start().expect("a server");
    let stranger = MariadbServer::builder().with_tls().start().expect("a server");
    let url = server.tls_url().expect("a URL");
    let (bare, ca) = url.split_once("?ssl-mode=VERIFY_IDENTITY&").expect("the authority");
    MysqlStore::connect(&format!("{bare}?{ca}")).await.expect("trust");
    let stranger = stranger.tls_url().expect("a URL");
    let (_, other) = stranger.split_once("?ssl-mode=VERIFY_IDENTITY&").expect("the authority");
    refuses::<MySql>([
        ("the system's authorities", format!("{bare}?ssl-mode=VERIFY_IDENTITY")),
        ("another authority", format!("{bare}?{other}")),
        ("another authority, and less to check", format!("{bare}?ssl-mode=REQUIRED&{other}")),
        ("another name", format!("{}?{ca}", bare.replace("localhost", "127.1"))),
    ])
    .await;
    let plain = MariadbServer::start().expect("a server");
    let error = MysqlStore::connect(&format!("{}?ssl-mode=REQUIRED", plain.url())).await.expect_err("no TLS");
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
}

#[tokio::test]
async fn authorities_that_are_none_are_refused() {
    for url in [
        "postgres://a:s3cret@localhost/a?sslrootcert=/nowhere/ca.crt",
        "postgres://a:s3cret@localhost/a?sslrootcert=/etc/hostname",
        "postgres://a:s3cret@localhost/a?sslmode=perhaps",
    ] {
        let error = PostgresStore::connect_lazy(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    for url in [
        "mysql://a:s3cret@localhost/a?ssl-ca=/nowhere/ca.crt",
        "mysql://a:s3cret@localhost/a?ssl-ca=/etc/hostname",
        "mysql://a:s3cret@localhost/a?ssl-mode=perhaps",
    ] {
        let error = MysqlStore::connect_lazy(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
