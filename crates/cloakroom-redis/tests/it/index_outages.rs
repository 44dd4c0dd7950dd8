//! The index of principals when replies are lost, slots move and primaries go.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_core::{
    Admitted, Created, Freshness, IndexVersion, PrincipalIndex as _, PrincipalTag, Store as _,
    StoreErrorKind, StoreKey,
};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::{Network, Proxy};
use tokio::task::block_in_place;
use xtask::server::{ClusterFleet, RedisServer, SentinelFleet};

use crate::fake::{Act, Fake, bulk, say};
use crate::fake_cluster::FakeCluster;
use crate::index::{keys, listed, name, tag};
use crate::sample::{self, MINUTE};

async fn admitted(store: &RedisStore, tag: &PrincipalTag, key: &StoreKey, evict: &[StoreKey]) -> Admitted {
    let read = store.entries(tag).await.expect("an answer").version;
    store.admit(tag, read, key, MINUTE, evict).await.expect("an answer")
}

/// The reply is lost, from its first byte to its last but one, and the verb does again what it has done.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn lost_replies_of_the_index_do_no_harm() {
    let server = RedisServer::start().expect("a server");
    let proxy = Proxy::before_port(server.port()).await.expect("a proxy");
    let plain = RedisStore::connect(&server.url()).await.expect("a server");
    // A script says `$4 done` or `$7 missing`, with an end of the line behind each word.
    for bytes in 0..10 {
        let store = RedisStore::connect(&proxy.url("redis")).await.expect("a server");
        let (tag, keys) = (tag(), keys(3));
        let lose = || proxy.set(Network::CutOnceAfter(bytes));
        lose();
        store.enter(&tag, &keys[0], MINUTE).await.expect("an answer");
        assert_eq!(listed(&plain, &tag).await, BTreeSet::from([keys[0]]));
        for (key, gone) in [(1, 0), (2, 1)] {
            let before = plain.entries(&tag).await.expect("an answer").version;
            lose();
            let answer = store.admit(&tag, before, &keys[key], MINUTE, &[keys[gone]]).await;
            assert_eq!(answer.expect("an answer"), Admitted::Admitted, "cut after {bytes} bytes");
            let after = plain.entries(&tag).await.expect("an answer").version;
            assert!(before != after && listed(&plain, &tag).await == BTreeSet::from([keys[key]]));
        }
        lose();
        assert_eq!(listed(&store, &tag).await, BTreeSet::from([keys[2]]));
        lose();
        store.remove(&tag, &keys, Duration::ZERO).await.expect("an answer");
        assert_eq!(listed(&plain, &tag).await, BTreeSet::new());
    }
    assert!(proxy.seen().cuts() >= 50, "{:?}", proxy.seen());
}

/// The caller reads again, and finds its key.
#[tokio::test]
async fn admit_between_two_tries_of_another_is_a_conflict() {
    let fake = Fake::start(|heard| match heard.connection {
        0 => Act::Reset(Vec::new()),
        _ => Act::Reply(bulk(b"conflict")),
    })
    .await;
    let answer = fake.store().admit(&tag(), IndexVersion::new(7), &sample::key(), MINUTE, &[]).await;
    assert_eq!(answer.expect("an answer"), Admitted::Conflict);
    // Nobody enters under a condition.
    let error = fake.store().enter(&tag(), &sample::key(), MINUTE).await.expect_err("nonsense");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
}

#[tokio::test]
async fn long_removals_go_in_parts() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let fake = Fake::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Act::Reply(bulk(b"done"))
    })
    .await;
    let store = fake.store();
    for (keys, wanted) in [(0, 0), (1, 1), (500, 2), (501, 4)] {
        store.remove(&tag(), &self::keys(keys), Duration::ZERO).await.expect("an answer");
        assert_eq!(asked.load(Ordering::SeqCst), wanted, "{keys} keys");
    }
}

#[tokio::test]
async fn list_that_moves_is_read_where_it_is() {
    let heard_by = Arc::new(std::sync::Mutex::new(Vec::new()));
    let words = Arc::clone(&heard_by);
    let cluster = FakeCluster::start(move |node, heard, state| {
        if heard.name() != "CLUSTER" {
            words.lock().expect("no panic").push(format!("{node} {}", heard.name()));
        }
        match (node, heard.name()) {
            (_, "TIME") => Some(say("*2\r\n$1\r\n5\r\n$1\r\n0")),
            (0, "ZRANGE") => Some(state.redirect("ASK", 1)),
            (1, "ZRANGE") => Some(say("*1\r\n*2\r\n$1\r\nv\r\n,-7")),
            _ => None,
        }
    })
    .await;
    let list = cluster.store().entries(&tag()).await.expect("an answer");
    assert_eq!((list.entries.len(), list.version.get()), (0, 7));
    let words = heard_by.lock().expect("no panic").join(", ");
    assert_eq!(words, "0 TIME, 0 ZRANGE, 1 ASKING, 1 TIME, 1 ASKING, 1 ZRANGE");
}

/// A cluster that takes nobody for dead while the machine stands still for a few seconds.
fn steady() -> xtask::Result<ClusterFleet> {
    ClusterFleet::builder().with_arguments(["--cluster-node-timeout", "15000"]).start()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn index_moves_between_nodes_while_principals_log_in() {
    const TASKS: u64 = 6;
    let fleet = block_in_place(steady).expect("a cluster");
    let store = RedisStore::connect(&fleet.url()).await.expect("a cluster");
    let tag = tag();
    let end = tokio::sync::watch::Sender::new(false);
    // All are admitted to one list, which is on its way all the time.
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (store, ended) = (store.clone(), end.subscribe());
            tokio::spawn(async move {
                let (mut entered, mut conflicts) = (BTreeSet::new(), 0);
                while !*ended.borrow() {
                    let (key, passing) = (sample::key(), sample::key());
                    store.enter(&tag, &passing, MINUTE).await.expect("an answer");
                    match admitted(&store, &tag, &key, &[passing]).await {
                        Admitted::Conflict => {
                            conflicts += 1;
                            store.remove(&tag, &[passing], Duration::ZERO).await.expect("an answer");
                        }
                        Admitted::Admitted => {
                            let created = store.create(&key, &sample::record()).await;
                            assert_eq!(created.expect("an answer"), Created::Created);
                            entered.insert(key);
                        }
                    }
                }
                (entered, conflicts)
            })
        })
        .collect();
    let slot = block_in_place(|| fleet.slot(&name(&tag))).expect("a slot");
    for _ in 0..6 {
        block_in_place(|| {
            let from = fleet.primary_of_slot(slot).expect("a primary");
            let to = fleet.primaries().expect("primaries").into_iter().find(|port| *port != from);
            fleet.migrate_slot(slot, to.expect("another")).expect("a slot that moves");
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    end.send_replace(true);
    let (mut entered, mut conflicts) = (BTreeSet::new(), 0);
    for task in tasks {
        let of_one = task.await.expect("no error");
        entered.extend(of_one.0);
        conflicts += of_one.1;
    }
    println!("6 moves, {} admitted, {conflicts} conflicts, none lost, no error", entered.len());
    assert_eq!(listed(&store, &tag).await, entered);
    assert!(entered.len() > 20);
    // The records lie elsewhere.
    let elsewhere = |key: &&StoreKey| {
        fleet.slot(&format!("cloakroom:{}", key.public_handle().as_str())).expect("a slot") != slot
    };
    assert!(block_in_place(|| entered.iter().take(5).all(|key| elsewhere(&key))));
}

/// Half-way: the index is still here and the slot is being given away, and then it is there before the slot is.
#[tokio::test]
#[ignore = "needs cluster: run `cargo xtask test`"]
async fn index_is_used_in_a_slot_that_is_on_its_way() {
    let fleet = steady().expect("a cluster");
    let store = RedisStore::connect(&fleet.url()).await.expect("a cluster");
    for begun in [false, true] {
        let (tag, keys) = (tag(), keys(3));
        if begun {
            store.enter(&tag, &keys[0], MINUTE).await.expect("an answer");
        }
        let slot = fleet.slot(&name(&tag)).expect("a slot");
        let from = fleet.primary_of_slot(slot).expect("a primary");
        let to = fleet.primaries().expect("primaries").into_iter().find(|port| *port != from);
        let to = to.expect("another");
        fleet.open_slot(slot, to).expect("an open slot");
        store.enter(&tag, &keys[0], MINUTE).await.expect("an answer");
        assert_eq!(admitted(&store, &tag, &keys[1], &[keys[0]]).await, Admitted::Admitted);
        assert_eq!(listed(&store, &tag).await, BTreeSet::from([keys[1]]));
        fleet.move_keys(slot, from, to).expect("a key that moves");
        assert_eq!(listed(&store, &tag).await, BTreeSet::from([keys[1]]));
        assert_eq!(admitted(&store, &tag, &keys[2], &[]).await, Admitted::Admitted);
        store.remove(&tag, &[keys[1]], Duration::ZERO).await.expect("an answer");
        assert_eq!(listed(&store, &tag).await, BTreeSet::from([keys[2]]));
        fleet.close_slot(slot, to).expect("a moved slot");
        assert_eq!(listed(&store, &tag).await, BTreeSet::from([keys[2]]));
    }
}

/// What all replicas had is on the list after the primary has died; and the index works on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sentinel: run `cargo xtask test`"]
async fn index_outlives_the_primary() {
    let mut fleet = block_in_place(SentinelFleet::start).expect("a fleet");
    let waiting = RedisStore::builder(&fleet.url()).with_wait(2).with_timeout(MINUTE);
    let waiting = waiting.with_wait_timeout(MINUTE / 2).connect().await.expect("a primary");
    let store = RedisStore::connect(&fleet.url()).await.expect("a primary");
    let (tag, keys) = (tag(), keys(50));
    for pair in keys.chunks(2) {
        waiting.enter(&tag, &pair[0], MINUTE).await.expect("an answer");
        assert_eq!(admitted(&waiting, &tag, &pair[1], &[]).await, Admitted::Admitted);
    }
    waiting.remove(&tag, &keys[..10], Duration::ZERO).await.expect("an answer");
    let old = block_in_place(|| fleet.kill_primary()).expect("a primary");
    block_in_place(|| fleet.wait_for_failover(old)).expect("a promotion");
    let list = loop {
        match store.entries(&tag).await {
            Ok(list) => break list,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    };
    let found: BTreeSet<_> = list.entries.iter().map(|entry| entry.key).collect();
    assert_eq!(found, keys[10..].iter().copied().collect());
    assert!(list.entries.iter().all(|entry| entry.age < MINUTE));
    let answer = store.admit(&tag, list.version, &keys[0], MINUTE, &keys[10..]).await;
    assert_eq!(answer.expect("an answer"), Admitted::Admitted);
    store.enter(&tag, &keys[1], MINUTE).await.expect("an answer");
    store.remove(&tag, &keys[..1], Duration::ZERO).await.expect("an answer");
    assert_eq!(listed(&store, &tag).await, BTreeSet::from([keys[1]]));
    assert!(store.load(&keys[1], Freshness::Latest).await.expect("an answer").is_none());
}
