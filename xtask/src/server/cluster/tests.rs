//! Against a real cluster.

use std::collections::BTreeSet;
use std::time::Instant;

use super::ClusterFleet;
use crate::server::resp::RespConnection;

#[test]
#[ignore = "needs cluster: run `cargo xtask test`"]
fn a_replica_takes_over_from_a_primary_that_crashed() {
    let start = Instant::now();
    let mut cluster = ClusterFleet::start().unwrap();
    println!("converged after {:?}", start.elapsed());
    let first = cluster.primary_of("coat").unwrap();
    cluster.cli(first, &["SET", "coat", "12"]).unwrap();
    cluster.cli(first, &["WAIT", "1", "5000"]).unwrap();
    let replica = cluster.replica_of("coat").unwrap();
    let start = Instant::now();
    assert_eq!(cluster.kill_primary_of("coat").unwrap(), first);
    assert_eq!(cluster.wait_for_failover("coat", first).unwrap(), replica);
    println!("failed over after {:?}", start.elapsed());
    assert_eq!(cluster.cli(replica, &["GET", "coat"]).unwrap(), "12");

    cluster.restart(first).unwrap();
    cluster.wait_until_converged().unwrap();
    println!("converged again after {:?}", start.elapsed());
    assert_eq!(cluster.replica_of("coat").unwrap(), first);
}

#[test]
#[ignore = "needs cluster: run `cargo xtask test`"]
fn keys_are_spread_and_a_slot_can_be_moved() {
    let cluster = ClusterFleet::start().unwrap();
    let keys: Vec<String> = (0..30).map(|n| format!("coat-{n}")).collect();
    let homes: BTreeSet<u16> = keys.iter().map(|key| cluster.primary_of(key).unwrap()).collect();
    assert_eq!(homes.into_iter().collect::<Vec<_>>(), {
        let mut primaries = cluster.primaries().unwrap();
        primaries.sort_unstable();
        primaries
    });
    let (slot, from) = (cluster.slot("coat").unwrap(), cluster.primary_of("coat").unwrap());
    let to = cluster.primaries().unwrap().into_iter().find(|port| *port != from).unwrap();
    cluster.cli(from, &["SET", "coat", "12"]).unwrap();

    assert_eq!(cluster.open_slot(slot, to).unwrap(), from);
    assert_eq!(cluster.cli(from, &["GET", "coat"]).unwrap(), "12");
    cluster.move_keys(slot, from, to).unwrap();
    let asked = cluster.cli(from, &["GET", "coat"]).unwrap_err();
    assert!(std::error::Error::source(&asked).unwrap().to_string().starts_with("ASK"), "{asked:?}");
    cluster.close_slot(slot, to).unwrap();
    let moved = cluster.cli(from, &["GET", "coat"]).unwrap_err();
    assert!(std::error::Error::source(&moved).unwrap().to_string().starts_with("MOVED"), "{moved:?}");
    assert_eq!(cluster.cli(to, &["GET", "coat"]).unwrap(), "12");
    assert_eq!(cluster.primary_of("coat").unwrap(), to);

    cluster.migrate_slot(slot, from).unwrap();
    assert_eq!(cluster.cli(from, &["GET", "coat"]).unwrap(), "12");
}

#[test]
#[ignore = "needs cluster: run `cargo xtask test`"]
fn a_frozen_primary_is_replaced_and_another_hands_over() {
    let cluster = ClusterFleet::start().unwrap();
    let handed = cluster.replica_of("hat").unwrap();
    assert_eq!(cluster.failover("hat").unwrap(), handed);
    cluster.wait_until_converged().unwrap();
    let first = cluster.stop_primary_of("coat").unwrap();
    let second = cluster.wait_for_failover("coat", first).unwrap();
    assert_ne!(first, second);
    cluster.cont(first).unwrap();
    assert_eq!(cluster.primary_of("coat").unwrap(), second);
    cluster.wait_until_converged().unwrap();
}

#[test]
#[ignore = "needs cluster: run `cargo xtask test`"]
fn passwords_are_asked_for_and_commands_are_counted_everywhere() {
    let builder = ClusterFleet::builder().with_password("s3cret").with_user("app", "h4t");
    let cluster = builder.with_arguments(["--cluster-require-full-coverage", "no"]).start().unwrap();
    assert!(cluster.url().starts_with("redis+cluster://app:h4t@127.0.0.1:"), "{}", cluster.url());
    for server in cluster.servers() {
        let refusal =
            RespConnection::open(&server.directory().join("redis.sock")).unwrap().command(&["PING"]);
        assert!(refusal.unwrap_err().to_string().starts_with("NOAUTH"));
    }
    cluster.reset_command_stats().unwrap();
    let primaries = cluster.primaries().unwrap();
    for port in &primaries {
        cluster.cli(*port, &["CONFIG", "GET", "cluster-require-full-coverage"]).unwrap();
    }
    assert_eq!(cluster.command_stats().unwrap().get("config|get"), Some(&3));
    let key = (0..)
        .map(|n| format!("coat-{n}"))
        .find(|key| cluster.primary_of(key).unwrap() == primaries[0])
        .unwrap();
    cluster.cli(primaries[0], &["SET", &key, "12"]).unwrap();
    cluster.migrate_slot(cluster.slot(&key).unwrap(), primaries[1]).unwrap();
    assert_eq!(cluster.cli(primaries[1], &["GET", &key]).unwrap(), "12");
    assert!(cluster.server(1).is_err());
}
