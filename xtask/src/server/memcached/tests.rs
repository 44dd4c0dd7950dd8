//! Against a real `memcached`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{MemcachedServer, counts};

#[test]
fn stats_are_read_by_name_and_only_whole_numbers() {
    let counts = counts("STAT cmd_get 3\nSTAT version 1.6.18\nSTAT rusage_user 0.25\nEND");
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("cmd_get".to_owned(), 3)]);
}

#[test]
#[ignore = "needs memcached: run `cargo xtask test`"]
fn a_crash_empties_the_server_on_the_same_address() {
    let mut server = MemcachedServer::start().unwrap();
    let url = server.url();
    assert_eq!(server.cli("ms coat 2\r\n12").unwrap(), "HD");
    assert_eq!(server.cli("mg coat v").unwrap(), "VA 2\n12");
    server.kill9();
    assert!(server.cli("mg coat v").is_err());
    server.restart().unwrap();
    assert_eq!(server.cli("mg coat v").unwrap(), "EN");
    assert_eq!(server.url(), url);
}

#[test]
#[ignore = "needs memcached: run `cargo xtask test`"]
fn dropping_a_server_leaves_nobody_on_its_port() {
    let server = MemcachedServer::start().unwrap();
    let port = server.port();
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
#[ignore = "needs memcached: run `cargo xtask test`"]
fn a_frozen_server_keeps_its_connections_and_is_ended_in_good_time() {
    let server = MemcachedServer::start().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    server.stop().unwrap();
    stream.write_all(b"mn\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut answer = [0; 4];
    assert!(stream.read(&mut answer).is_err());
    server.cont().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"MN\r\n");
    server.stop().unwrap();
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
}

#[test]
#[ignore = "needs memcached: run `cargo xtask test`"]
fn commands_are_counted_until_the_count_is_reset() {
    let server = MemcachedServer::start().unwrap();
    for _ in 0..3 {
        server.cli("mg coat v").unwrap();
    }
    assert_eq!(server.stats().unwrap()["cmd_get"], 3);
    server.reset_stats().unwrap();
    assert_eq!(server.stats().unwrap()["cmd_get"], 0);
}

#[test]
#[ignore = "needs memcached: run `cargo xtask test`"]
fn arguments_win_and_errors_are_errors() {
    let server = MemcachedServer::builder().with_arguments(["-m", "3"]).start().unwrap();
    assert_eq!(server.stats().unwrap()["limit_maxbytes"], 3 * 1024 * 1024);
    assert!(server.cli("no-such-command").is_err());
    let error = MemcachedServer::builder().with_arguments(["--no-such-option"]).start().unwrap_err();
    assert!(error.to_string().contains("no-such-option"), "{error}");
}
