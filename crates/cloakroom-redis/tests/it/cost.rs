//! What a verb costs, by the server's own count.

use std::collections::BTreeMap;

use cloakroom_core::{Created, Deleted, Freshness, Replaced, Store as _, Touched};
use cloakroom_redis::RedisStore;
use xtask::server::RedisServer;

use crate::sample::{self, MINUTE};

#[tokio::test]
#[ignore = "needs a redis-server; run `cargo xtask test`"]
async fn each_verb_costs_what_it_says() {
    const ROUNDS: u64 = 10;
    let server = RedisServer::start().expect("a server");
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    // Teaches the server the scripts.
    let absent = store.replace(&sample::key(), sample::version(), &sample::record()).await;
    assert_eq!(absent.expect("an answer"), Replaced::Missing);
    let absent = store.touch(&sample::key(), sample::version(), MINUTE).await;
    assert_eq!(absent.expect("an answer"), Touched::Missing);

    let rounds: Vec<_> = (0..ROUNDS).map(|_| (sample::key(), sample::record(), sample::record())).collect();
    server.reset_command_stats().expect("a count from zero");
    let count = |verb: &str, wanted: &[(&str, u64)]| {
        let mut found = server.command_stats().expect("a count");
        // The way in which the count itself is taken.
        for own in ["info", "config|resetstat", "config", "auth"] {
            found.remove(own);
        }
        let wanted: BTreeMap<_, _> =
            wanted.iter().map(|(name, times)| ((*name).to_owned(), times * ROUNDS)).collect();
        println!("{verb}: {found:?} in {ROUNDS} calls");
        assert_eq!(found, wanted, "{verb}");
        server.reset_command_stats().expect("a count from zero");
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
}
