//! Against a real `redis-server`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Persistence, RedisServer, calls};

#[test]
fn command_stats_are_read_by_name() {
    let info = "# Commandstats\r\ncmdstat_get:calls=3,usec=21,usec_per_call=7\r\ncmdstat_config|set:calls=1,usec=2\r\n";
    let calls = calls(info);
    assert_eq!(calls.get("get"), Some(&3));
    assert_eq!(calls.get("config|set"), Some(&1));
    assert_eq!(calls.len(), 2);
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn acknowledged_writes_survive_a_crash_on_the_same_addresses() {
    let mut server = RedisServer::start().unwrap();
    let (url, unix_url) = (server.url(), server.unix_url());
    assert_eq!(server.cli(&["SET", "coat", "12"]).unwrap(), "OK");
    server.kill9();
    assert!(server.cli(&["PING"]).is_err());
    server.restart().unwrap();
    assert_eq!(server.cli(&["GET", "coat"]).unwrap(), "12");
    assert_eq!((server.url(), server.unix_url()), (url, unix_url));
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn without_persistence_a_crash_empties_the_server() {
    let mut server = RedisServer::builder().with_persistence(Persistence::Nothing).start().unwrap();
    server.cli(&["SET", "coat", "12"]).unwrap();
    server.kill9();
    server.restart().unwrap();
    assert_eq!(server.cli(&["GET", "coat"]).unwrap(), "(nil)");
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn dropping_a_server_leaves_no_process_and_no_directory() {
    let server = RedisServer::start().unwrap();
    let directory = server.directory().to_owned();
    let port = server.port();
    assert!(directory.join("redis.sock").exists());
    drop(server);
    assert!(!directory.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn a_frozen_server_keeps_its_connections_and_answers_nobody() {
    let server = RedisServer::start().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    server.stop().unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut answer = [0; 7];
    assert!(stream.read(&mut answer).is_err());
    server.cont().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn a_frozen_server_is_ended_in_good_time() {
    let server = RedisServer::start().unwrap();
    server.stop().unwrap();
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn calls_are_counted_by_command() {
    let server = RedisServer::start().unwrap();
    server.cli(&["GET", "coat"]).unwrap();
    server.reset_command_stats().unwrap();
    for _ in 0..3 {
        server.cli(&["GET", "coat"]).unwrap();
    }
    let calls = server.command_stats().unwrap();
    assert_eq!(calls.get("get"), Some(&3));
    assert_eq!(calls.get("set"), None);
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn answers_of_every_shape_are_read() {
    let server = RedisServer::start().unwrap();
    assert_eq!(server.cli(&["RPUSH", "coats", "12", "", "14"]).unwrap(), "3");
    assert_eq!(server.cli(&["LRANGE", "coats", "0", "-1"]).unwrap(), "12\n\n14");
    assert_eq!(server.cli(&["LRANGE", "hats", "0", "-1"]).unwrap(), "");
    assert!(server.cli(&["GET", "coats"]).is_err());
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn tls_and_password_are_asked_for() {
    let server = RedisServer::builder().with_tls().with_password("s3cret").start().unwrap();
    assert_eq!(server.cli(&["PING"]).unwrap(), "PONG");
    let url = server.tls_url().unwrap();
    let ca = url.split("?ca=").nth(1).unwrap();
    let port = url.split("localhost:").nth(1).unwrap().split('/').next().unwrap();
    let output = std::process::Command::new("openssl")
        .args(["s_client", "-brief", "-verify_return_error", "-verify_hostname", "localhost"])
        .args(["-connect", &format!("127.0.0.1:{port}"), "-CAfile", ca])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Verification: OK"), "{said}");

    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"-NOAUTH");
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn a_server_that_does_not_start_says_why() {
    let error = RedisServer::builder().with_arguments(["--no-such-option", "1"]).start().unwrap_err();
    assert!(error.to_string().contains("no-such-option"), "{error}");
}
