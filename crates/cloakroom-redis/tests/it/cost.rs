//! What a verb costs, by the server's own count.

use std::collections::BTreeMap;
use std::time::Duration;

use cloakroom_core::{
    Admitted, Created, Deleted, Freshness, PrincipalIndex as _, Replaced, Store as _, Touched,
};
use cloakroom_redis::RedisStore;
use xtask::server::{ClusterFleet, RedisServer, SentinelFleet};

use crate::index;
use crate::sample::{self, MINUTE};

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn each_verb_costs_what_it_says() {
    let server = RedisServer::start().expect("a server");
    verbs(&server.url(), &[&server]).await;
}

#[tokio::test]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn each_verb_costs_the_same_under_sentinels() {
    let fleet = SentinelFleet::start().expect("a fleet");
    let primary = fleet.server(fleet.primary_port().expect("a primary")).expect("a primary");
    verbs(&fleet.url(), &[primary]).await;
}

/// Each request goes to the node that has the key, and to no other.
#[tokio::test]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn each_verb_costs_the_same_in_a_cluster() {
    let fleet = ClusterFleet::start().expect("a cluster");
    let primaries = fleet.primaries().expect("primaries");
    let primaries: Vec<_> = primaries.iter().map(|port| fleet.server(*port).expect("a primary")).collect();
    verbs(&fleet.url(), &primaries).await;
}

async fn verbs(url: &str, primaries: &[&RedisServer]) {
    const ROUNDS: u64 = 10;
    let store = RedisStore::connect(url).await.expect("a server");
    // Teaches all servers the scripts.
    for _ in 0..if primaries.len() == 1 { 1 } else { 100 } {
        let absent = store.replace(&sample::key(), sample::version(), &sample::record()).await;
        assert_eq!(absent.expect("an answer"), Replaced::Missing);
        let absent = store.touch(&sample::key(), sample::version(), MINUTE).await;
        assert_eq!(absent.expect("an answer"), Touched::Missing);
        let tag = index::tag();
        store.enter(&tag, &sample::key(), MINUTE).await.expect("an answer");
        store.remove(&tag, &[sample::key()], Duration::ZERO).await.expect("an answer");
    }
    let reset = || {
        for server in primaries {
            server.reset_command_stats().expect("a count from zero");
        }
    };

    let rounds: Vec<_> = (0..ROUNDS).map(|_| (sample::key(), sample::record(), sample::record())).collect();
    reset();
    let count = |verb: &str, wanted: &[(&str, u64)]| {
        let mut found = BTreeMap::<String, u64>::new();
        for server in primaries {
            for (name, times) in server.command_stats().expect("a count") {
                *found.entry(name).or_default() += times;
            }
        }
        // The way in which the count itself is taken, and what servers tell each other.
        for own in
            ["info", "config|resetstat", "config", "auth", "ping", "echo", "replconf", "publish", "role"]
        {
            found.remove(own);
        }
        let wanted: BTreeMap<_, _> =
            wanted.iter().map(|(name, times)| ((*name).to_owned(), times * ROUNDS)).collect();
        println!("{verb}: {found:?} in {ROUNDS} calls");
        assert_eq!(found, wanted, "{verb}");
        reset();
    };
    for (key, record, _) in &rounds {
        assert_eq!(store.create(key, record).await.expect("an answer"), Created::Created);
    }
    count("create", &[("set", 1)]);
    for (key, _, other) in &rounds {
        assert_eq!(store.create(key, other).await.expect("an answer"), Created::Occupied);
    }
    count("create when taken", &[("set", 1), ("getrange", 1)]);
    for (key, record, _) in &rounds {
        let found = store.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!(found.payload, record.payload);
    }
    count("load", &[("get", 1), ("pttl", 1)]);
    for (key, record, _) in &rounds {
        let touched = store.touch(key, record.version, MINUTE * 2).await;
        assert_eq!(touched.expect("an answer"), Touched::Touched);
    }
    // What follows the script is inside the server.
    count("touch", &[("evalsha", 1), ("getrange", 1), ("pttl", 1), ("pexpire", 1)]);
    for (key, record, other) in &rounds {
        let replaced = store.replace(key, record.version, other).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    }
    count("replace", &[("evalsha", 1), ("getrange", 1), ("set", 1)]);
    for (key, _, _) in &rounds {
        assert_eq!(store.delete(key).await.expect("an answer"), Deleted::Deleted);
    }
    count("delete", &[("del", 1)]);
    let lists: Vec<_> = rounds.iter().map(|_| (index::tag(), sample::key())).collect();
    for ((key, _, _), (tag, _)) in rounds.iter().zip(&lists) {
        store.enter(tag, key, MINUTE).await.expect("an answer");
    }
    let look = [("evalsha", 1), ("time", 1), ("zscore", 2), ("zrevrange", 1)];
    let enter = [&look[..], &[("zadd", 1), ("zrangebyscore", 1), ("pexpireat", 1)]].concat();
    count("enter", &enter);
    let mut versions = Vec::new();
    for (tag, _) in &lists {
        let list = store.entries(tag).await.expect("an answer");
        assert_eq!(list.entries.len(), 1);
        versions.push(list.version);
    }
    count("entries", &[("time", 1), ("zrange", 1)]);
    for (((key, _, _), (tag, other)), version) in rounds.iter().zip(&lists).zip(versions) {
        let admitted = store.admit(tag, version, other, MINUTE, &[*key]).await;
        assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
    }
    count("admit", &[&enter[..], &[("zrem", 1)]].concat());
    for (tag, other) in &lists {
        store.remove(tag, &[*other], Duration::ZERO).await.expect("an answer");
    }
    count("remove", &[("evalsha", 1), ("time", 1), ("zscore", 1), ("zrem", 1), ("zrevrange", 1), ("del", 1)]);
}
