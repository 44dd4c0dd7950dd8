//! What a verb costs, by the server's own count.

use std::collections::BTreeMap;

use cloakroom_core::{Created, Deleted, Freshness, Replaced, Store as _, Touched};
use cloakroom_memcached::MemcachedStore;
use xtask::server::MemcachedServer;

use crate::sample::{self, MINUTE};

/// What the server counts of the meta commands: `mg`, `ms`, those of them that compared, `md`.
const COUNTED: [&str; 8] = [
    "cmd_get",
    "cmd_set",
    "cas_hits",
    "cas_badval",
    "cas_misses",
    "delete_hits",
    "delete_misses",
    "cmd_touch",
];

fn counts(server: &MemcachedServer) -> BTreeMap<&'static str, u64> {
    let stats = server.stats().expect("a count");
    COUNTED.into_iter().map(|name| (name, stats[name])).filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn each_verb_costs_what_it_says() {
    const ROUNDS: u64 = 10;
    let server = MemcachedServer::start().expect("a server");
    let store = MemcachedStore::connect(&server.url()).await.expect("a server");
    // Teaches the store whether the server takes the numbers that it compares from us.
    let taught = store.create(&sample::key(), &sample::record()).await;
    assert_eq!(taught.expect("an answer"), Created::Created);
    let chooses = takes_numbers(&server);
    println!("the server {} our numbers", if chooses { "takes" } else { "does not take" });

    let rounds: Vec<_> = (0..ROUNDS).map(|_| (sample::key(), sample::record(), sample::record())).collect();
    server.reset_stats().expect("a count from zero");
    let count = |verb: &str, wanted: &[(&'static str, u64)]| {
        let found = counts(&server);
        let wanted: BTreeMap<_, _> = wanted.iter().map(|(name, times)| (*name, times * ROUNDS)).collect();
        println!("{verb}: {found:?} in {ROUNDS} calls");
        assert_eq!(found, wanted, "{verb}");
        server.reset_stats().expect("a count from zero");
    };
    for (key, record, _) in &rounds {
        assert_eq!(store.create(key, record).await.expect("an answer"), Created::Created);
    }
    count("create", &[("cmd_set", 1)]);
    for (key, _, other) in &rounds {
        assert_eq!(store.create(key, other).await.expect("an answer"), Created::Occupied);
    }
    count("create when taken", &[("cmd_set", 1), ("cmd_get", 1)]);
    for (key, record, _) in &rounds {
        let found = store.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!(found.payload, record.payload);
    }
    count("load", &[("cmd_get", 1)]);
    for (key, record, _) in &rounds {
        let touched = store.touch(key, record.version, MINUTE * 2).await;
        assert_eq!(touched.expect("an answer"), Touched::Touched);
    }
    count("touch", &[("cmd_get", 1), ("cmd_set", 1), ("cas_hits", 1)]);
    for (key, record, _) in &rounds {
        assert_eq!(store.touch(key, record.version, MINUTE).await.expect("an answer"), Touched::Touched);
    }
    count("touch that extends nothing", &[("cmd_get", 1)]);
    for (key, record, other) in &rounds {
        let replaced = store.replace(key, record.version, other).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    }
    let replace = [("cmd_set", 1), ("cas_hits", 1), ("cmd_get", u64::from(!chooses))];
    count("replace", &replace[..if chooses { 2 } else { 3 }]);
    for (key, _, _) in &rounds {
        assert_eq!(store.delete(key).await.expect("an answer"), Deleted::Deleted);
    }
    count("delete", &[("delete_hits", 1)]);
}

fn takes_numbers(server: &MemcachedServer) -> bool {
    let taken = server.cli("ms probe 1 c E5\r\nx").is_ok_and(|answer| answer == "HD c5");
    let _ = server.cli("md probe");
    taken
}
