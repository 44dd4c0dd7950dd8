//! TLS with a private authority.

use cloakroom_core::{Created, ErrorKind, Freshness, Store as _};
use cloakroom_redis::RedisStore;
use xtask::server::RedisServer;

use crate::sample;

/// This crate alone brings the cryptography: its tests depend on nothing else that would.
#[tokio::test]
#[ignore = "needs a redis-server; run `cargo xtask test`"]
async fn private_authority_is_trusted_by_file_and_by_builder() {
    let server = RedisServer::builder().with_tls().with_password("s3cret").start().expect("a server");
    let url = server.tls_url().expect("a URL");
    let by_file = RedisStore::connect(&url).await.expect("trust");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(by_file.create(&key, &record).await.expect("an answer"), Created::Created);

    let (bare, ca) = url.split_once("?ca=").expect("the authority");
    let pem = std::fs::read(ca).expect("the authority");
    let by_builder = RedisStore::builder(bare).with_tls_root(pem).connect().await.expect("trust");
    let found = by_builder.load(&key, Freshness::Latest).await.expect("an answer");
    assert_eq!(found.map(|found| found.payload), Some(record.payload));
}

#[tokio::test]
#[ignore = "needs a redis-server; run `cargo xtask test`"]
async fn certificate_is_checked() {
    let server = RedisServer::builder().with_tls().start().expect("a server");
    let stranger = RedisServer::builder().with_tls().start().expect("a server");
    let url = server.tls_url().expect("a URL");
    let (bare, ca) = url.split_once("?ca=").expect("the authority");
    let other_ca = stranger.tls_url().expect("a URL").split_once("?ca=").expect("the authority").1.to_owned();
    for (what, wrong) in [
        ("the system's authorities", bare.to_owned()),
        ("another authority", format!("{bare}?ca={other_ca}")),
        // The certificate is for localhost and 127.0.0.1.
        ("another name", format!("{}?ca={ca}", bare.replace("localhost", "127.0.0.2"))),
    ] {
        let error = RedisStore::connect(&wrong).await.expect_err(what);
        let kind = if what == "another name" { None } else { Some(ErrorKind::Misconfigured) };
        assert!(kind.is_none_or(|kind| error.kind() == kind), "{what}: {error:?}");
    }
    let plain = server.url().replace("redis://", "rediss://");
    assert!(RedisStore::connect(&plain).await.is_err(), "a server without TLS");
}

#[test]
fn authorities_that_are_none_are_refused() {
    for (what, builder) in [
        ("no file", RedisStore::builder("rediss://localhost?ca=/nowhere/ca.crt")),
        ("no certificate", RedisStore::builder("rediss://localhost").with_tls_root("nothing")),
        ("no TLS", RedisStore::builder("redis://localhost").with_tls_root("-----BEGIN CERTIFICATE-----")),
        (
            "broken",
            RedisStore::builder("rediss://localhost").with_tls_root("-----BEGIN CERTIFICATE-----\n!\n"),
        ),
    ] {
        let error = builder.connect_lazy().expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{what}");
    }
}
