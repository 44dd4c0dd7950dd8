//! TLS with a private authority.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cloakroom_core::{Created, ErrorKind, Freshness, Store as _};
use cloakroom_redis::RedisStore;
use xtask::server::RedisServer;

use crate::sample;

/// This crate alone brings the cryptography: its tests depend on nothing else that would.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
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
#[ignore = "needs redis: run `cargo xtask test`"]
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

/// The nodes are told apart by port; the certificate is for the name by which the first was reached.
#[tokio::test]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn cluster_is_reached_by_tls() {
    let cluster = ["--cluster-enabled", "yes", "--tls-cluster", "yes"];
    let server = RedisServer::builder().with_tls().with_password("s3cret").with_arguments(cluster).start();
    let server = server.expect("a server");
    assert_eq!(server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).expect("slots"), "OK");
    until(|| server.cli(&["CLUSTER", "INFO"]).expect("INFO").contains("cluster_state:ok"));
    let url = server.tls_url().expect("a URL").replace("rediss://", "rediss+cluster://");
    round_trip(&url).await;
    let bare = url.split_once("?ca=").expect("the authority").0;
    let error = RedisStore::connect(bare).await.expect_err("the system's authorities");
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
}

/// A sentinel that speaks TLS, to us and to the server.
struct TlsSentinel {
    process: Child,
    port: u16,
}

impl TlsSentinel {
    fn start(server: &RedisServer, server_port: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let directory = server.directory().display();
        let file = server.directory().join("sentinel.conf");
        let text = format!(
            "port 0\ntls-port {port}\nbind 127.0.0.1\ndir {directory}\ntls-replication yes\n\
             tls-cert-file {directory}/server.crt\ntls-key-file {directory}/server.key\n\
             tls-ca-cert-file {directory}/ca.crt\ntls-auth-clients no\n\
             sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n\
             sentinel monitor main localhost {server_port} 1\nsentinel auth-pass main s3cret\n"
        );
        std::fs::write(&file, text).expect("a file");
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").stdout(Stdio::null());
        Self { process: command.spawn().expect("a sentinel"), port }
    }
}

impl Drop for TlsSentinel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn sentinels_are_reached_by_tls() {
    let server = RedisServer::builder().with_tls().with_password("s3cret").start().expect("a server");
    let url = server.tls_url().expect("a URL");
    let (_, rest) = url.split_once("localhost:").expect("a port");
    let (port, ca) = rest.split_once("/?").expect("the authority");
    let sentinel = TlsSentinel::start(&server, port);
    until(|| std::net::TcpStream::connect(("127.0.0.1", sentinel.port)).is_ok());
    round_trip(&format!("rediss+sentinel://:s3cret@localhost:{}/main?{ca}", sentinel.port)).await;
}

async fn round_trip(url: &str) {
    let store = RedisStore::connect(url).await.expect("trust");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let found = store.load(&key, Freshness::Latest).await.expect("an answer");
    assert_eq!(found.map(|found| found.payload), Some(record.payload));
}

fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn authorities_that_are_none_are_refused() {
    for (what, builder) in [
        ("no file", RedisStore::builder("rediss://localhost?ca=/nowhere/ca.crt")),
        ("no certificate", RedisStore::builder("rediss://localhost").with_tls_root("nothing")),
        ("no TLS to nodes", RedisStore::builder("redis+cluster://localhost").with_tls_root("nothing")),
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
