//! A connection that is reset in the middle of a reply, at every byte of the reply to every verb.

use std::time::Duration;

use cloakroom::{Freshness, Record, Store as _, StoreKey};
use cloakroom_faults::{End, History, Network, Proxy, Recorded, check, fresh_key, record};
use tokio::time::sleep;

use crate::backend::connect;
use crate::bench::{Bench, Effort, wants_clean};
use crate::doctor;
use crate::servers::Backend;

const DEADLINE: Duration = Duration::from_secs(2);
const TTL: Duration = Duration::from_secs(600);
const VERBS: [&str; 5] = ["load", "create", "replace", "touch", "delete"];

/// The record must be there for all verbs but `create`.
async fn prepare(direct: &Recorded, verb: &str) -> (StoreKey, Record) {
    let key = fresh_key().expect("randomness");
    let first = record(&key, TTL).expect("randomness");
    if verb != "create" {
        let _ = direct.create(&key, &first).await.expect("a server");
    }
    (key, first)
}

async fn call(store: &Recorded, verb: &str, key: &StoreKey, first: &Record) {
    // The history has the answer.
    match verb {
        "load" => drop(store.load(key, Freshness::Latest).await),
        "create" => drop(store.create(key, first).await),
        "replace" => {
            let next = record(key, TTL).expect("randomness");
            drop(store.replace(key, first.version, &next).await);
        }
        "touch" => drop(store.touch(key, first.version, TTL).await),
        _ => drop(store.delete(key).await),
    }
}

/// How many bytes a good reply to this verb has.
async fn reply(proxy: &Proxy, direct: &Recorded, store: &Recorded, verb: &str) -> u64 {
    let (key, first) = prepare(direct, verb).await;
    let before = proxy.seen().answered();
    call(store, verb, &key, &first).await;
    proxy.seen().answered() - before
}

/// What others see of it, and that it can still be worked with.
async fn look(direct: &Recorded, key: &StoreKey) {
    if let Some(found) = direct.load(key, Freshness::Latest).await.expect("a server") {
        let next = record(key, TTL).expect("randomness");
        let _ = direct.replace(key, found.version, &next).await.expect("a server");
        let _ = direct.delete(key).await.expect("a server");
        let _ = direct.load(key, Freshness::Latest).await.expect("a server");
    }
}

/// Once: the next connection is good.
pub(crate) async fn connection_is_reset_at_every_byte_of_every_reply(backend: Backend, effort: Effort) {
    let bench = Bench::new(backend, DEADLINE);
    let proxy = bench.proxy().await;
    let direct = bench.node(&bench.server.url()).await;
    let url = bench.server.url_at(proxy.address());
    let (mut offsets, mut tally) = (Vec::new(), Tally::default());
    for verb in VERBS {
        let store = bench.node(&url).await;
        let mut length = u64::MAX;
        for _ in 0..5 {
            length = length.min(reply(&proxy, &direct, &store, verb).await);
        }
        offsets.push(format!("{verb} {length}"));
        for _ in 0..effort.rounds() {
            for offset in 0..=length {
                // A connection learns a statement once; this one may be new.
                reply(&proxy, &direct, &store, verb).await;
                let (key, first) = prepare(&direct, verb).await;
                let (before, cuts) = (bench.history.len(), proxy.seen().cuts());
                proxy.set(Network::CutOnceAfter(offset));
                call(&store, verb, &key, &first).await;
                tally.add(&bench.history, before);
                if proxy.seen().cuts() == cuts {
                    // A reply that was shorter this time; nothing hangs over the next call.
                    proxy.set(Network::Pass);
                    tally.uncut += 1;
                }
                look(&direct, &key).await;
                // The connection after it is good again.
                call(&store, "load", &key, &first).await;
            }
        }
    }
    println!("{}, reset once after each byte of a reply ({}): {tally}", backend.name, offsets.join(", "));
    assert!(tally.uncut * 10 <= tally.calls, "too few connections were reset: {tally}");
    close(&bench);
}

/// Each connection there is: nothing gets through, and every verb says so in time.
pub(crate) async fn every_connection_is_reset_in_the_middle(backend: Backend, effort: Effort) {
    let bench = Bench::new(backend, DEADLINE);
    let proxy = bench.proxy().await;
    let direct = bench.node(&bench.server.url()).await;
    let url = bench.server.url_at(proxy.address());
    let mut tally = Tally::default();
    for limit in (0..400).step_by(if effort.rounds() > 1 { 1 } else { 23 }) {
        let store = Recorded::new(connect(&url, DEADLINE).await, &bench.history, DEADLINE);
        let cuts = proxy.seen().cuts();
        for verb in VERBS {
            let (key, first) = prepare(&direct, verb).await;
            let before = bench.history.len();
            proxy.set(Network::CutEachAfter(limit));
            call(&store, verb, &key, &first).await;
            tally.add(&bench.history, before);
            proxy.set(Network::Pass);
            look(&direct, &key).await;
        }
        // Where replies are short, it takes more of them.
        proxy.set(Network::CutEachAfter(limit));
        let mut calls = 0;
        while proxy.seen().cuts() == cuts {
            assert!(calls < 2 * limit, "no connection was reset after {limit} bytes");
            calls += 1;
            let _ = store.load(&fresh_key().expect("randomness"), Freshness::Latest).await;
        }
        proxy.set(Network::Pass);
        let key = fresh_key().expect("randomness");
        let mut tries = 0;
        while store.load(&key, Freshness::Latest).await.is_err() {
            tries += 1;
            assert!(tries < 100, "it never recovers");
            sleep(Duration::from_millis(10)).await;
        }
    }
    println!("{}, each connection reset after so many bytes: {tally}", backend.name);
    close(&bench);
}

fn close(bench: &Bench) {
    let (events, rules) = (bench.events(), bench.backend.rules());
    let verdict = check(&events, &rules);
    println!("  history: {verdict}");
    wants_clean(&verdict);
    doctor::objects(&events, &rules);
}

/// How the calls ended.
#[derive(Debug, Default)]
struct Tally {
    calls: usize,
    answered: usize,
    without_effect: usize,
    unknown: usize,
    uncut: usize,
}

impl Tally {
    fn add(&mut self, history: &History, number: usize) {
        self.calls += 1;
        match history.events()[number].end {
            End::Answered(_) => self.answered += 1,
            End::Refused(_) => self.without_effect += 1,
            _ => self.unknown += 1,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { calls, answered, without_effect, unknown, uncut } = self;
        write!(
            f,
            "{calls} calls, {answered} answered, {without_effect} without effect, {unknown} unknown; {uncut} not reset"
        )
    }
}
