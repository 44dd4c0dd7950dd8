//! Servers without room: memory, disk, connections.

use std::net::TcpStream;
use std::time::Duration;

use cloakroom::{Freshness, Record, Store as _, StoreErrorKind, StoreKey, Version};
use cloakroom_faults::{Keeping, check, fresh_key, record};
use xtask::server::{Persistence, RedisServer};

use crate::bench::{Bench, run, wants_clean, workload};
use crate::servers::{Backend, REDIS};

const TTL: Duration = Duration::from_secs(600);
const DEADLINE: Duration = Duration::from_secs(2);

fn big(key: &StoreKey) -> Record {
    let record = record(key, TTL).expect("randomness");
    Record::new(record.payload.repeat(60), record.version, TTL)
}

const NO_ROOM: Backend = Backend {
    start: || {
        let server = RedisServer::builder().with_persistence(Persistence::Nothing);
        Box::new(server.with_arguments(["--maxmemory", "3mb"]).start().expect("a redis-server"))
    },
    ..REDIS
};

/// New sessions are refused, the others go on, and what is deleted makes room.
#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn redis_without_room_refuses_new_sessions_and_keeps_the_old() {
    run(async {
        let bench = Bench::new(NO_ROOM, DEADLINE);
        let [store, other] = bench.nodes().await;
        let mut kept = Vec::new();
        let error = loop {
            let key = fresh_key().expect("randomness");
            match store.create(&key, &big(&key)).await {
                Ok(_) => kept.push(key),
                Err(error) => break error,
            }
            assert!(kept.len() < 10_000, "it never fills up");
        };
        assert_eq!(error.kind(), StoreErrorKind::Full);
        for key in &kept {
            assert!(other.load(key, Freshness::Latest).await.expect("an answer").is_some());
        }
        for key in kept.iter().take(kept.len() / 2) {
            let _ = other.delete(key).await.expect("a delete needs no room");
        }
        let key = fresh_key().expect("randomness");
        let _ = store.create(&key, &big(&key)).await.expect("there is room again");
        let verdict = check(&bench.history.events(), &bench.backend.rules());
        println!("redis, full: {} records, then {:?}; {verdict}", kept.len(), error.kind());
        wants_clean(&verdict);
    });
}

const EVICTING: Backend = Backend {
    start: || {
        let server = RedisServer::builder().with_persistence(Persistence::Nothing);
        let arguments = ["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random"];
        Box::new(server.with_arguments(arguments).start().expect("a redis-server"))
    },
    ..REDIS
};

/// An evicted session is one that is not there, and nothing else.
#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn redis_that_evicts_forgets_and_mixes_nothing() {
    run(async {
        let bench = Bench::new(EVICTING, DEADLINE);
        let nodes = bench.nodes().await;
        let clients = workload().with_groups(8).start(&nodes);
        let mut old = Vec::new();
        for _ in 0..1500 {
            let key = fresh_key().expect("randomness");
            let _ = nodes[0].create(&key, &big(&key)).await.expect("an answer");
            old.push(key);
        }
        clients.end(&nodes[0]).await.expect("no client panicked");
        let mut evicted = 0;
        for key in &old {
            let found = nodes[1].load(key, Freshness::Latest).await.expect("an answer");
            evicted += usize::from(found.is_none());
            if found.is_none() {
                let next = record(key, TTL).expect("randomness");
                let _ = nodes[0].replace(key, Version::new(1).expect("not zero"), &next).await;
                assert!(nodes[1].load(key, Freshness::Latest).await.expect("an answer").is_none());
            }
        }
        let rules = bench.backend.rules();
        let events = bench.history.events();
        let verdict = check(&events, &rules.with_keeping(Keeping::MayForget));
        println!("redis, evicting: {evicted} of {} evicted; {verdict}", old.len());
        assert!(evicted > 0, "nothing was evicted");
        wants_clean(&verdict);
        // A store that promised to keep them would be caught.
        assert!(!check(&events, &rules).is_clean(), "the checker does not see that records were lost");
    });
}

const FEW_CLIENTS: Backend = Backend {
    start: || {
        let server = RedisServer::builder().with_arguments(["--maxclients", "10"]);
        Box::new(server.start().expect("a redis-server"))
    },
    ..REDIS
};

/// No connection is left: a new node cannot come, the old one goes on; when there are some again, all is well.
#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn redis_without_free_connections_is_unavailable_until_there_are() {
    run(async {
        let bench = Bench::new(FEW_CLIENTS, DEADLINE);
        let [store, _] = bench.nodes().await;
        let address = bench.server.address();
        let others: Vec<_> = (0..20).map(|_| TcpStream::connect(address).expect("a connection")).collect();
        let refused = cloakroom::connect(&bench.server.url()).await.err().map(|error| error.kind());
        assert_eq!(refused, Some(cloakroom::ErrorKind::Unavailable));
        let key = fresh_key().expect("randomness");
        let _ =
            store.create(&key, &record(&key, TTL).expect("randomness")).await.expect("its connection stays");
        drop(others);
        let mut tries = 0;
        while cloakroom::connect(&bench.server.url()).await.is_err() {
            tries += 1;
            assert!(tries < 200, "no connection any more");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("redis, 10 clients at most: {refused:?}, and {tries} tries after they left");
    });
}
