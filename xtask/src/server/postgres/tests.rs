//! Against a real PostgreSQL.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{PostgresServer, ready};
use crate::server::{client, family};

/// What a client asks first: whether TLS is spoken. The answer is one letter.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// What it says then: who it is, in version 3 of the protocol.
const STARTUP: &[u8] = b"\0\0\0\x1f\0\x03\0\0user\0app\0database\0app\0\0";

#[test]
fn only_the_own_process_is_ready() {
    let file = "12\n/data\n1790000000\n5432\n/sockets\n127.0.0.1\n  1 2\nready   \n";
    assert!(ready(file, "12"));
    assert!(!ready(file, "1"));
    assert!(!ready(&file.replace("ready", "starting"), "12"));
    assert!(!ready("12\n", "12"));
}

/// Runs a statement as a client that knows nothing but the URL.
fn as_client(server: &PostgresServer, url: &str, statement: &str) -> crate::Result<String> {
    let mut command = Command::new(server.setup.programs.join("psql"));
    command.args(["-X", "-A", "-t", "-q", "-c", statement, url]);
    client::run(command, server.directory())
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn acknowledged_writes_survive_a_crash_on_the_same_address() {
    let mut server = PostgresServer::start().unwrap();
    let url = server.url();
    as_client(&server, &url, "CREATE TABLE coats (n int)").unwrap();
    as_client(&server, &url, "INSERT INTO coats VALUES (12)").unwrap();
    server.kill9();
    assert!(server.sql("SELECT 1").is_err());
    server.restart().unwrap();
    assert_eq!(server.sql("SELECT n FROM coats").unwrap(), "12");
    assert_eq!(server.url(), url);
    server.restart().unwrap();
    assert_eq!(as_client(&server, &url, "SELECT n FROM coats").unwrap(), "12");
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn a_crash_leaves_no_process_of_the_family() {
    let mut server = PostgresServer::start().unwrap();
    server.stop().unwrap();
    let children = family::children(server.process.pid());
    server.cont().unwrap();
    assert!(children.len() >= 3, "{children:?}");
    server.kill9();
    let alive = |child: &rustix::process::Pid| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
        stat.is_ok_and(|stat| !stat.contains(") Z ") && stat.contains("(postgres)"))
    };
    assert!(!children.iter().any(alive));
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn dropping_a_server_leaves_no_directory_and_nobody_on_its_port() {
    let server = PostgresServer::start().unwrap();
    let (directory, port) = (server.directory().to_owned(), server.port());
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
    assert!(!directory.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn a_frozen_server_keeps_its_connections_and_is_ended_in_good_time() {
    let server = PostgresServer::start().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let mut answer = [0; 1];
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(&SSL_REQUEST).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"N");
    // Now a process of its own serves the connection, and that one has to stand still too.
    server.stop().unwrap();
    stream.write_all(STARTUP).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(stream.read(&mut answer).is_err());
    server.cont().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"R", "the server asks who it is");
    server.stop().unwrap();
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn statements_of_the_application_are_counted() {
    let server = PostgresServer::start().unwrap();
    server.reset_statement_stats().unwrap();
    for n in ["SELECT  12", "SELECT\n14"] {
        as_client(&server, &server.url(), n).unwrap();
    }
    server.sql("SELECT 16").unwrap();
    let stats = server.statement_stats().unwrap();
    assert_eq!(stats.get("SELECT $1"), Some(&2), "{stats:?}");
    server.reset_statement_stats().unwrap();
    assert!(server.statement_stats().unwrap().is_empty());
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn tls_and_the_password_are_asked_for() {
    let server = PostgresServer::builder().with_tls().start().unwrap();
    let url = server.tls_url().unwrap();
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(as_client(&server, &url, encrypted).unwrap(), "t");
    assert!(as_client(&server, &url.replace("s3cret", "guess"), encrypted).is_err());
    let elsewhere = url.replace("localhost", "coats.example") + "&hostaddr=127.0.0.1";
    let error = as_client(&server, &elsewhere, encrypted).unwrap_err();
    assert!(error.to_string().contains("does not match host name"), "{error}");
    assert!(PostgresServer::start().unwrap().tls_url().is_none());
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn arguments_win_and_a_server_that_does_not_start_says_why() {
    let server = PostgresServer::builder().with_arguments(["-c", "max_connections=20"]).start().unwrap();
    assert_eq!(server.sql("SHOW max_connections").unwrap(), "20");
    let error = server.sql("SELECT coat").unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    let error = PostgresServer::builder().with_arguments(["-c", "no_such_option=1"]).start().unwrap_err();
    assert!(error.to_string().contains("no_such_option"), "{error}");
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn standby_follows_and_takes_over() {
    let mut server = PostgresServer::start().unwrap();
    let standby = server.standby("second").unwrap();
    server.sql("CREATE TABLE coats (n int); INSERT INTO coats VALUES (12)").unwrap();
    let start = Instant::now();
    while standby.sql("SELECT n FROM coats").ok().as_deref() != Some("12") {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not follow");
    }
    assert!(standby.sql("INSERT INTO coats VALUES (13)").is_err());
    server.kill9();
    standby.promote().unwrap();
    standby.sql("INSERT INTO coats VALUES (13)").unwrap();
    assert!(standby.promote().is_err());
}
