//! Against a real MariaDB.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::MariadbServer;
use crate::install::Program;
use crate::server::client;

/// Runs a statement as a client that knows port, password and perhaps the authority.
fn as_client(server: &MariadbServer, options: &[&str], statement: &str) -> crate::Result<String> {
    let mut command = Program::Mariadb.command()?;
    command.args(["--no-defaults", "--user=app", "--database=app", "--batch", "--skip-column-names"]);
    command.args(["--protocol=tcp", &format!("--port={}", server.port())]).args(options);
    command.args(["--execute", statement]);
    client::run(command, server.directory())
}

const PASSWORD: [&str; 2] = ["--host=127.0.0.1", "--password=s3cret"];

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn acknowledged_writes_survive_a_crash_on_the_same_address() {
    let mut server = MariadbServer::start().unwrap();
    let url = server.url();
    as_client(&server, &PASSWORD, "CREATE TABLE coats (n int)").unwrap();
    as_client(&server, &PASSWORD, "INSERT INTO coats VALUES (12)").unwrap();
    server.kill9();
    assert!(server.sql("SELECT 1").is_err());
    server.restart().unwrap();
    assert_eq!(server.sql("SELECT n FROM coats").unwrap(), "12");
    assert_eq!(server.url(), url);
    server.restart().unwrap();
    assert_eq!(as_client(&server, &PASSWORD, "SELECT n FROM coats").unwrap(), "12");
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn dropping_a_server_leaves_no_directory_and_nobody_on_its_port() {
    let server = MariadbServer::start().unwrap();
    let (directory, port) = (server.directory().to_owned(), server.port());
    drop(server);
    assert!(!directory.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn a_frozen_server_greets_nobody_and_is_ended_in_good_time() {
    let server = MariadbServer::start().unwrap();
    server.stop().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut greeting = [0; 5];
    assert!(stream.read(&mut greeting).is_err());
    server.cont().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting[4], super::PROTOCOL);
    stream.flush().unwrap();
    server.stop().unwrap();
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn statements_are_counted() {
    let server = MariadbServer::start().unwrap();
    server.sql("CREATE TABLE coats (n int)").unwrap();
    let before = server.status("Com_insert").unwrap();
    for _ in 0..3 {
        as_client(&server, &PASSWORD, "INSERT INTO coats VALUES (12)").unwrap();
    }
    assert_eq!(server.status("Com_insert").unwrap() - before, 3);
    assert!(server.status("Com_coats").is_err());
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn tls_and_the_password_are_asked_for() {
    let server = MariadbServer::builder().with_tls().start().unwrap();
    let url = server.tls_url().unwrap();
    let ca = format!("--ssl-ca={}", url.split("ssl-ca=").nth(1).unwrap());
    let encrypted = "SHOW STATUS LIKE 'Ssl_version'";
    let tls = |options: &[&str]| {
        let checked = ["--ssl", "--ssl-verify-server-cert", "--host=localhost"];
        as_client(&server, &[&checked, options].concat(), encrypted)
    };
    assert!(tls(&[&ca, "--password=s3cret"]).unwrap().contains("TLSv1.3"));
    assert!(tls(&[&ca, "--password=guess"]).is_err());
    assert!(tls(&["--password=s3cret"]).is_err(), "nobody vouches for it");
    assert!(MariadbServer::start().unwrap().tls_url().is_none());
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn arguments_win_and_a_server_that_does_not_start_says_why() {
    let server = MariadbServer::builder().with_arguments(["--max-connections=20"]).start().unwrap();
    assert_eq!(server.sql("SELECT @@max_connections").unwrap(), "20");
    let error = server.sql("SELECT coat").unwrap_err();
    assert!(error.to_string().contains("Unknown column"), "{error}");
    let error = MariadbServer::builder().with_arguments(["--no-such-option"]).start().unwrap_err();
    assert!(error.to_string().contains("no-such-option"), "{error}");
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn the_application_may_do_nothing_outside_its_database() {
    let server = MariadbServer::start().unwrap();
    assert!(as_client(&server, &PASSWORD, "CREATE DATABASE other").is_err());
    assert!(as_client(&server, &["--host=127.0.0.1", "--password=guess"], "SELECT 1").is_err());
    assert_eq!(as_client(&server, &PASSWORD, "SELECT current_user()").unwrap(), "app@%");
}
