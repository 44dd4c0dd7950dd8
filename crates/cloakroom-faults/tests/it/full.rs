//! Servers without room: memory, disk, connections.

use std::time::Duration;

use cloakroom::{Freshness, Record, Store as _, StoreErrorKind, StoreKey};
use cloakroom_faults::{Keeping, check, fresh_key, record};
use tokio::task::block_in_place;
use tokio::time::sleep;
use xtask::server::{MariadbServer, MemcachedServer, Persistence, PostgresServer, RedisServer, SmallDisk};

use crate::bench::{Bench, run, wants_clean, workload};
use crate::disk::OnSmallDisk;
use crate::servers::{Backend, MARIADB, MEMCACHED, POSTGRES, REDIS, Start};

const TTL: Duration = Duration::from_secs(600);
const DEADLINE: Duration = Duration::from_secs(2);

/// A record of 10 KiB that no database can make smaller.
fn big(key: &StoreKey) -> Record {
    let record = record(key, TTL).expect("randomness");
    let mut noise = record.version.get();
    let payload = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.to_be_bytes()[0]
    });
    Record::new(payload.take(10_240).collect(), record.version, TTL)
}

/// New sessions are refused with this kind, the others go on; once there is room again, all is well.
async fn fills_up(backend: Backend, kind: StoreErrorKind, make_room: impl AsyncFnOnce(&Bench, &[StoreKey])) {
    let bench = Bench::new(backend, DEADLINE);
    let [store, other] = bench.nodes().await;
    let mut kept = Vec::new();
    let error = loop {
        let key = fresh_key().expect("randomness");
        match store.create(&key, &big(&key)).await {
            Ok(_) => kept.push(key),
            Err(error) => break error,
        }
        assert!(kept.len() < 20_000, "it never fills up");
    };
    for key in &kept {
        assert!(other.load(key, Freshness::Latest).await.expect("reading needs no room").is_some());
    }
    make_room(&bench, &kept).await;
    let mut tries = 0;
    loop {
        let key = fresh_key().expect("randomness");
        match store.create(&key, &big(&key)).await {
            Ok(_) => break,
            Err(error) => assert!(tries < 200, "there is no room again: {error:?}"),
        }
        tries += 1;
        sleep(Duration::from_millis(50)).await;
    }
    let verdict = check(&bench.history.events(), &backend.rules());
    println!(
        "{}, full: {} records of 10 KiB, then {:?}; {tries} more refusals after there was room; {verdict}",
        backend.name,
        kept.len(),
        error.kind()
    );
    assert_eq!(error.kind(), kind);
    wants_clean(&verdict);
}

async fn delete_half(bench: &Bench, kept: &[StoreKey]) {
    let store = bench.node(&bench.server.url()).await;
    for key in kept.iter().take(kept.len() / 2) {
        let _ = store.delete(key).await.expect("a delete needs no room");
    }
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn redis_at_its_limit_of_memory() {
    let start: Start = || {
        let server = RedisServer::builder().with_persistence(Persistence::Nothing);
        Box::new(server.with_arguments(["--maxmemory", "3mb"]).start().expect("a redis-server"))
    };
    run(fills_up(Backend { start, ..REDIS }, StoreErrorKind::Full, delete_half));
}

/// Its tables may not grow beyond a limit, as on a disk that is full.
#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn mariadb_at_its_limit_of_space() {
    let start: Start = || {
        let limit = ["--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:24M"];
        Box::new(MariadbServer::builder().with_arguments(limit).start().expect("a mariadbd"))
    };
    run(fills_up(Backend { start, ..MARIADB }, StoreErrorKind::Full, delete_half));
}

/// Its append-only file lies on a disk of 4 MiB.
#[test]
#[ignore = "needs redis and mounts: run `cargo xtask test`"]
fn redis_on_a_full_disk() {
    let start: Start = || {
        let disk = SmallDisk::mount(4).expect("a disk");
        let path = disk.path().display().to_string();
        let arguments = ["--dir", &path, "--appendonly", "yes", "--appendfsync", "everysec"];
        let server = RedisServer::builder().with_persistence(Persistence::Nothing);
        let server = server.with_arguments(arguments).start().expect("a redis-server");
        Box::new(OnSmallDisk { server, disk })
    };
    let grow = async |bench: &Bench, _: &[StoreKey]| block_in_place(|| bench.server.make_room());
    // It was reached, and refuses: that had no effect.
    run(fills_up(Backend { start, ..REDIS }, StoreErrorKind::Unavailable, grow));
}

/// Its table lies on a disk of 4 MiB.
#[test]
#[ignore = "needs postgres and mounts: run `cargo xtask test`"]
fn postgres_on_a_full_disk() {
    let start: Start = || {
        let disk = SmallDisk::mount(4).expect("a disk");
        disk.give_to("postgres").expect("an account");
        let server = PostgresServer::start().expect("a postgres");
        let path = disk.path().display();
        server.sql(&format!("CREATE TABLESPACE small LOCATION '{path}'")).expect("a tablespace");
        server.sql("GRANT CREATE ON TABLESPACE small TO app").expect("a right");
        server.sql("ALTER ROLE app SET default_tablespace = 'small'").expect("a default");
        Box::new(OnSmallDisk { server, disk })
    };
    let grow = async |bench: &Bench, _: &[StoreKey]| block_in_place(|| bench.server.make_room());
    run(fills_up(Backend { start, ..POSTGRES }, StoreErrorKind::Full, grow));
}

/// An evicted session is one that is not there, and nothing else.
async fn evicts(backend: Backend) {
    let bench = Bench::new(backend, DEADLINE);
    let nodes = bench.nodes().await;
    let clients = workload().with_groups(8).start(&nodes);
    let mut old = Vec::new();
    for _ in 0..1500 {
        let key = fresh_key().expect("randomness");
        let record = big(&key);
        let _ = nodes[0].create(&key, &record).await.expect("an answer");
        old.push((key, record.version));
    }
    clients.end(&nodes[0]).await.expect("no client panicked");
    let mut evicted = 0;
    for (key, version) in &old {
        let found = nodes[1].load(key, Freshness::Latest).await.expect("an answer");
        if found.is_none() {
            evicted += 1;
            // Nobody who still holds its version brings it back.
            let _ = nodes[0].touch(key, *version, TTL).await.expect("an answer");
            let _ = nodes[0].replace(key, *version, &big(key)).await.expect("an answer");
            assert!(nodes[1].load(key, Freshness::Latest).await.expect("an answer").is_none());
        }
    }
    let rules = backend.rules();
    let events = bench.history.events();
    let verdict = check(&events, &rules.with_keeping(Keeping::MayForget));
    println!("{}, evicting: {evicted} of {} evicted; {verdict}", backend.name, old.len());
    assert!(evicted > 0, "nothing was evicted");
    wants_clean(&verdict);
    // A store that promised to keep them would be caught.
    assert!(!check(&events, &rules).is_clean(), "the checker does not see that records were lost");
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn redis_that_evicts() {
    let start: Start = || {
        let arguments = ["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random"];
        let server = RedisServer::builder().with_persistence(Persistence::Nothing);
        Box::new(server.with_arguments(arguments).start().expect("a redis-server"))
    };
    run(evicts(Backend { start, ..REDIS }));
}

#[test]
#[ignore = "needs memcached: run `cargo xtask test`"]
fn memcached_that_evicts() {
    let start: Start = || {
        let server = MemcachedServer::builder().with_arguments(["-m", "4"]);
        Box::new(server.start().expect("a memcached"))
    };
    run(evicts(Backend { start, ..MEMCACHED }));
}

/// No connection is left: a new node cannot come, the old ones go on; when there are some again, all is well.
async fn runs_out_of_connections(backend: Backend) {
    let bench = Bench::new(backend, DEADLINE);
    let store = bench.node(&bench.server.url()).await;
    let key = fresh_key().expect("randomness");
    let _ = store.create(&key, &big(&key)).await.expect("an answer");
    let mut others = Vec::new();
    let refused = loop {
        match cloakroom::connect(&bench.server.url()).await {
            Ok(other) => others.push(other),
            Err(error) => break error,
        }
        assert!(others.len() < 100, "there are always more");
    };
    assert!(store.load(&key, Freshness::Latest).await.expect("its connection stays").is_some());
    let count = others.len();
    drop(others);
    let mut tries = 0;
    while cloakroom::connect(&bench.server.url()).await.is_err() {
        tries += 1;
        assert!(tries < 200, "no connection any more");
        sleep(Duration::from_millis(50)).await;
    }
    println!(
        "{}: {count} more nodes, then {:?}, and {tries} tries after they left",
        backend.name,
        refused.kind()
    );
    assert_eq!(refused.kind(), cloakroom::ErrorKind::Unavailable);
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn redis_without_connections() {
    let start: Start = || {
        let server = RedisServer::builder().with_arguments(["--maxclients", "20"]);
        Box::new(server.start().expect("a redis-server"))
    };
    run(runs_out_of_connections(Backend { start, ..REDIS }));
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn postgres_without_connections() {
    let start: Start = || {
        let arguments = ["-c", "max_connections=20"];
        Box::new(PostgresServer::builder().with_arguments(arguments).start().expect("a postgres"))
    };
    run(runs_out_of_connections(Backend { start, ..POSTGRES }));
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn mariadb_without_connections() {
    let start: Start = || {
        let server = MariadbServer::builder().with_arguments(["--max-connections=20"]);
        Box::new(server.start().expect("a mariadbd"))
    };
    run(runs_out_of_connections(Backend { start, ..MARIADB }));
}
