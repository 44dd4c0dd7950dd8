//! Against real servers and sentinels.

use std::time::Instant;

use super::{SentinelFleet, pair};
use crate::server::RedisServer;
use crate::server::resp::RespConnection;

#[test]
fn answers_are_read_by_name() {
    assert_eq!(pair("name\nmain\nnum-slaves\n2", "num-slaves"), "2");
    assert_eq!(pair("name\nmain", "num-slaves"), "");
}

#[test]
#[ignore = "needs sentinel: run `cargo xtask test`"]
fn a_replica_takes_over_from_a_primary_that_crashed() {
    let start = Instant::now();
    let mut fleet = SentinelFleet::start().unwrap();
    println!("converged after {:?}", start.elapsed());
    let first = fleet.primary_port().unwrap();
    fleet.cli(first, &["SET", "coat", "12"]).unwrap();
    fleet.cli(first, &["WAIT", "2", "5000"]).unwrap();
    let start = Instant::now();
    assert_eq!(fleet.kill_primary().unwrap(), first);
    let second = fleet.wait_for_failover(first).unwrap();
    println!("failed over after {:?}", start.elapsed());
    assert_eq!(fleet.cli(second, &["GET", "coat"]).unwrap(), "12");
    fleet.cli(second, &["SET", "coat", "14"]).unwrap();

    let start = Instant::now();
    fleet.restart(first).unwrap();
    fleet.wait_until_converged().unwrap();
    println!("converged again after {:?}", start.elapsed());
    assert_eq!(fleet.cli(first, &["GET", "coat"]).unwrap(), "14");
    assert!(fleet.cli(first, &["SET", "coat", "16"]).is_err(), "it is a replica now");

    // And it stays one: what the sentinels told it is in its configuration.
    fleet.restart(first).unwrap();
    assert_eq!(fleet.role(first).unwrap(), "slave");
}

#[test]
#[ignore = "needs sentinel: run `cargo xtask test`"]
fn a_frozen_primary_is_replaced() {
    let fleet = SentinelFleet::start().unwrap();
    let first = fleet.stop_primary().unwrap();
    let second = fleet.wait_for_failover(first).unwrap();
    assert_ne!(first, second);
    assert!(!fleet.server(first).unwrap().is_up());
    fleet.cont(first).unwrap();
    assert!(fleet.server(first).unwrap().is_up());
}

#[test]
#[ignore = "needs sentinel: run `cargo xtask test`"]
fn a_failover_can_be_asked_for_and_commands_are_counted_everywhere() {
    let fleet = SentinelFleet::start().unwrap();
    let first = fleet.primary_port().unwrap();
    let start = Instant::now();
    let second = fleet.failover().unwrap();
    println!("handed over after {:?}", start.elapsed());
    assert_ne!(first, second);
    fleet.reset_command_stats().unwrap();
    for port in [first, second] {
        fleet.cli(port, &["GET", "coat"]).unwrap();
    }
    assert_eq!(fleet.command_stats().unwrap().get("get"), Some(&2));
}

#[test]
#[ignore = "needs sentinel: run `cargo xtask test`"]
fn passwords_are_asked_for_and_a_primary_alone_refuses_writes() {
    let builder = SentinelFleet::builder().with_password("s3cret").with_user("app", "h4t");
    let mut fleet = builder.with_sentinel_password("qu0rum").with_min_replicas(1).start().unwrap();
    let url = fleet.url();
    assert!(url.starts_with("redis+sentinel://app:h4t@127.0.0.1:"), "{url}");
    assert!(url.ends_with("/main?sentinel_pass=qu0rum"), "{url}");
    let primary = fleet.primary_port().unwrap();
    assert!(fleet.cli(primary, &["ACL", "GETUSER", "app"]).unwrap().contains("\non\n"));
    for server in fleet.servers().iter().chain(fleet.sentinels()) {
        let refusal =
            RespConnection::open(&server.directory().join("redis.sock")).unwrap().command(&["PING"]);
        assert!(refusal.unwrap_err().to_string().starts_with("NOAUTH"));
    }
    fleet.cli(primary, &["SET", "coat", "12"]).unwrap();

    // The sentinels know each other's password too: they have to vote.
    fleet.kill_primary().unwrap();
    let promoted = fleet.wait_for_failover(primary).unwrap();
    let last = fleet
        .servers()
        .iter()
        .map(RedisServer::port)
        .find(|port| ![primary, promoted].contains(port))
        .unwrap();
    fleet.server_mut(last).unwrap().kill9();
    let error = fleet.cli(promoted, &["SET", "coat", "12"]).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().starts_with("NOREPLICAS"), "{error:?}");
    assert!(fleet.server(1).is_err());
}
