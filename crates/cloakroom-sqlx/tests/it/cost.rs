//! What a verb costs, by the server's own count.

use std::collections::BTreeMap;
use std::time::Duration;

use cloakroom_core::{
    Admitted, Created, Deleted, Freshness, IndexVersion, PrincipalIndex as _, PrincipalTag, Replaced,
    Store as _, Touched,
};
use cloakroom_sqlx::{Dialect, MysqlStore, PostgresStore, SqlStore};
use xtask::server::{MariadbServer, PostgresServer};

use crate::sample::{self, MINUTE};

const ROUNDS: u64 = 10;

/// What it costs that a change finds nothing.
struct Nothing {
    /// What else asks what lies there, and on some databases what proves it.
    selects: u64,
    to_delete: &'static [(&'static str, u64)],
}

/// Has each verb executed, and tells `count` the name of it and what it may cost.
async fn each_verb<D: Dialect>(
    store: &SqlStore<D>,
    nothing: Nothing,
    mut count: impl FnMut(&str, &[(&'static str, u64)]),
) {
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (sample::key(), sample::record(), sample::record())).collect();
    for (key, record, _) in &rounds {
        assert_eq!(store.create(key, record).await.expect("an answer"), Created::Created);
    }
    count("create", &[("insert", 1)]);
    for (key, _, other) in &rounds {
        assert_eq!(store.create(key, other).await.expect("an answer"), Created::Occupied);
    }
    count("create when taken", &[("insert", 1), ("select", nothing.selects)]);
    for (key, record, _) in &rounds {
        let found = store.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!(found.payload, record.payload);
    }
    count("load", &[("select", 1)]);
    for (key, record, _) in &rounds {
        assert_eq!(store.touch(key, record.version, MINUTE * 2).await.expect("an answer"), Touched::Touched);
    }
    count("touch", &[("update", 1)]);
    for (key, record, other) in &rounds {
        let replaced = store.replace(key, record.version, other).await.expect("an answer");
        assert_eq!(replaced, Replaced::Replaced);
    }
    count("replace", &[("update", 1)]);
    for (key, record, _) in &rounds {
        let replaced = store.replace(key, record.version, &sample::record()).await.expect("an answer");
        assert_eq!(replaced, Replaced::Conflict);
    }
    count("replace after another", &[("update", 1), ("select", nothing.selects)]);
    for (key, _, _) in &rounds {
        assert_eq!(store.delete(key).await.expect("an answer"), Deleted::Deleted);
    }
    count("delete", &[("delete", 1)]);
    for (key, _, _) in &rounds {
        assert_eq!(store.delete(key).await.expect("an answer"), Deleted::Missing);
    }
    count("delete of nothing", nothing.to_delete);
    each_verb_of_the_index(store, count).await;
}

async fn each_verb_of_the_index<D: Dialect>(
    store: &SqlStore<D>,
    mut count: impl FnMut(&str, &[(&'static str, u64)]),
) {
    let none = IndexVersion::new(0);
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|_| (PrincipalTag::from_bytes(*sample::key().as_bytes()), sample::key(), sample::key()))
        .collect();
    for (tag, key, _) in &rounds {
        store.enter(tag, key, MINUTE).await.expect("an answer");
    }
    count("enter", &[]);
    for (tag, _, _) in &rounds {
        assert_eq!(store.entries(tag).await.expect("an answer").version, none);
    }
    count("entries", &[("select", 1)]);
    for (tag, key, _) in &rounds {
        let admitted = store.admit(tag, none, key, MINUTE, &[]).await.expect("an answer");
        assert_eq!(admitted, Admitted::Admitted);
    }
    count("admit of the first", &[("select", 1), ("insert", 1)]);
    let mut versions = Vec::new();
    for (tag, _, _) in &rounds {
        versions.push(store.entries(tag).await.expect("an answer").version);
    }
    count("entries with a list of admissions", &[("select", 1)]);
    for ((tag, key, other), version) in rounds.iter().zip(versions) {
        let admitted = store.admit(tag, version, other, MINUTE, &[*key]).await.expect("an answer");
        assert_eq!(admitted, Admitted::Admitted);
    }
    count("admit of another", &[("select", 1), ("update", 1)]);
    for (tag, key, _) in &rounds {
        let admitted = store.admit(tag, none, key, MINUTE, &[]).await.expect("an answer");
        assert_eq!(admitted, Admitted::Conflict);
    }
    count("admit with a version of before", &[("select", 1)]);
    for (tag, key, _) in &rounds {
        store.remove(tag, &[*key], Duration::ZERO).await.expect("an answer");
    }
    count("remove of nothing", &[("select", 1)]);
    for (tag, key, other) in &rounds {
        store.remove(tag, &[*key, *other], Duration::ZERO).await.expect("an answer");
    }
    count("remove", &[("select", 1), ("update", 1)]);
}

fn check(verb: &str, found: &BTreeMap<String, u64>, wanted: &[(&'static str, u64)]) {
    let wanted: BTreeMap<_, _> =
        wanted.iter().map(|(name, times)| ((*name).to_owned(), times * ROUNDS)).collect();
    println!("{verb}: {found:?} in {ROUNDS} calls");
    assert_eq!(*found, wanted, "{verb}");
}

#[tokio::test]
#[ignore = "needs postgres: run `cargo xtask test`"]
async fn each_verb_is_one_statement_on_postgres() {
    let server = PostgresServer::start().expect("a server");
    let store =
        PostgresStore::builder(&server.url()).with_max_connections(1).connect().await.expect("a server");
    server.reset_statement_stats().expect("a count from zero");
    each_verb(&store, Nothing { selects: 1, to_delete: &[("delete", 1)] }, |verb, wanted| {
        let mut found = BTreeMap::new();
        for (text, calls) in server.statement_stats().expect("a count") {
            // A change is the first part of a statement that brings back how many rows it found.
            let text = text.strip_prefix("WITH changed AS (").unwrap_or(&text);
            let word = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            *found.entry(word).or_insert(0) += calls;
        }
        check(verb, &found, wanted);
        server.reset_statement_stats().expect("a count from zero");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
async fn each_verb_is_one_statement_on_mariadb() {
    const COUNTED: [&str; 9] = [
        "Com_insert",
        "Com_update",
        "Com_delete",
        "Com_select",
        "Com_begin",
        "Com_commit",
        "Com_rollback",
        "Com_set_option",
        "Com_call_procedure",
    ];
    let server = MariadbServer::start().expect("a server");
    let store = MysqlStore::builder(&server.url()).with_max_connections(1).connect().await.expect("a server");
    let count = || -> BTreeMap<&str, u64> {
        let all = server.all_status().expect("a count");
        COUNTED.iter().map(|name| (*name, all.get(*name).copied().unwrap_or_default())).collect()
    };
    // Between two counts: what the count itself does.
    let (idle, mut before) = (count(), count());
    let own: BTreeMap<&str, u64> = before.iter().map(|(name, number)| (*name, number - idle[name])).collect();
    each_verb(&store, Nothing { selects: 2, to_delete: &[("delete", 1), ("select", 2)] }, |verb, wanted| {
        let after = count();
        let done = after.iter().map(|(name, number)| {
            let word = name.trim_start_matches("Com_").to_owned();
            (word, number - before[name] - own[name])
        });
        check(verb, &done.filter(|(_, number)| *number > 0).collect(), wanted);
        before = after;
    })
    .await;
}
