//! What the store does when a node of a cluster does not answer itself.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_core::{
    Created, Deleted, ErrorKind, Freshness, Replaced, Store as _, StoreError, StoreErrorKind,
};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::Log;

use crate::fake::{Act, Fake, bulk, say};
use crate::fake_cluster::{FakeCluster, epoch, slots_at};
use crate::sample;
use cloakroom_testkit::{Clock, until};

#[tokio::test]
async fn moved_key_is_followed_and_remembered() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let cluster = FakeCluster::start(move |node, heard, state| match (node, heard.name()) {
        (0, "DEL") => {
            count.fetch_add(1, Ordering::SeqCst);
            state.give_to(1);
            Some(state.redirect("MOVED", 1))
        }
        (1, "DEL") => Some(say(":1")),
        _ => None,
    })
    .await;
    let (store, key) = (cluster.store(), sample::key());
    for _ in 0..5 {
        assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// Redis forgets `ASKING` after one command.
#[tokio::test]
async fn each_command_to_a_node_that_is_given_the_key_says_so() {
    let words = Arc::new(Mutex::new(Vec::new()));
    let heard_by = Arc::clone(&words);
    let record = sample::record();
    let mut value = record.version.to_be_bytes().to_vec();
    value.extend_from_slice(&record.payload);
    let cluster = FakeCluster::start(move |node, heard, state| {
        if node == 1 && heard.name() != "CLUSTER" {
            heard_by.lock().expect("no panic").push(heard.name().to_owned());
        }
        match (node, heard.name()) {
            (0, "GET" | "PTTL" | "SET") => Some(state.redirect("ASK", 1)),
            (1, "GET") => Some(Act::Reply(bulk(&value))),
            (1, "PTTL") => Some(say(":60000")),
            (1, "SET") => Some(say("+OK")),
            _ => None,
        }
    })
    .await;
    let store = cluster.store();
    let found = store.load(&sample::key(), Freshness::Latest).await.expect("an answer");
    assert_eq!(found.as_ref(), Some(&record));
    // The slot has not moved yet: the next request goes to the old node first.
    assert_eq!(store.create(&sample::key(), &record).await.expect("an answer"), Created::Created);
    let words = words.lock().expect("no panic").join(" ");
    assert_eq!(words, "ASKING GET ASKING PTTL ASKING SET");
}

#[tokio::test]
async fn key_that_moves_between_the_two_commands_of_a_load_is_found() {
    let record = sample::record();
    let mut value = record.version.to_be_bytes().to_vec();
    value.extend_from_slice(&record.payload);
    let cluster = FakeCluster::start(move |node, heard, state| match (node, heard.name()) {
        (_, "GET") => Some(Act::Reply(bulk(&value))),
        (0, "PTTL") => Some(state.redirect("ASK", 1)),
        (1, "PTTL") => Some(say(":60000")),
        _ => None,
    })
    .await;
    let found = cluster.store().load(&sample::key(), Freshness::Latest).await.expect("an answer");
    assert_eq!(found.as_ref(), Some(&record));
}

#[tokio::test]
async fn node_that_cannot_say_yet_is_asked_again() {
    for line in
        ["-TRYAGAIN Multiple keys request during rehashing of slot", "-CLUSTERDOWN The cluster is down"]
    {
        let left = AtomicUsize::new(4);
        let cluster = FakeCluster::start(move |_, heard, _| match heard.name() {
            "DEL" if left.load(Ordering::SeqCst) > 0 => {
                left.fetch_sub(1, Ordering::SeqCst);
                Some(say(line))
            }
            "DEL" => Some(say(":1")),
            _ => None,
        })
        .await;
        let deleted = cluster.store().delete(&sample::key()).await;
        assert_eq!(deleted.expect("an answer"), Deleted::Deleted, "{line}");
    }
}

#[tokio::test]
async fn cluster_that_stays_down_is_unavailable_by_the_deadline() {
    let cluster = FakeCluster::start(|_, heard, _| match heard.name() {
        "DEL" => Some(say("-CLUSTERDOWN The cluster is down")),
        _ => None,
    })
    .await;
    let timeout = Duration::from_millis(400);
    let store = RedisStore::builder(&cluster.url()).with_timeout(timeout).connect_lazy().expect("a URL");
    let clock = Clock::start();
    let error = store.delete(&sample::key()).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(clock.elapsed() <= timeout + Duration::from_millis(50), "{clock:?}");
}

#[tokio::test]
async fn nodes_that_send_in_circles_end_the_request() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let cluster = FakeCluster::start(move |node, heard, state| match heard.name() {
        "DEL" => {
            count.fetch_add(1, Ordering::SeqCst);
            Some(state.redirect("MOVED", 1 - node))
        }
        _ => None,
    })
    .await;
    let error = cluster.store().delete(&sample::key()).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(asked.load(Ordering::SeqCst) < 10, "{asked:?}");
}

#[tokio::test]
async fn lost_reply_is_in_doubt_on_every_node() {
    for (word, wanted) in [("own", Some(Replaced::Replaced)), ("conflict", None)] {
        let cluster = FakeCluster::start(move |node, heard, state| match (node, heard.name()) {
            (0, "EVALSHA") => {
                state.give_to(1);
                Some(Act::Reset(Vec::new()))
            }
            (1, "EVALSHA") => Some(Act::Reply(bulk(word.as_bytes()))),
            _ => None,
        })
        .await;
        let replaced = cluster.store().replace(&sample::key(), sample::version(), &sample::record()).await;
        match (replaced, wanted) {
            (Ok(found), Some(wanted)) => assert_eq!(found, wanted),
            (Err(error), None) => assert_eq!(error.kind(), StoreErrorKind::Ambiguous),
            other => panic!("{word}: {other:?}"),
        }
    }
}

/// A primary that stands still keeps its connections, and its requests would wait for their deadline.
#[tokio::test]
async fn request_at_a_frozen_node_follows_the_key() {
    let frozen = Arc::new(AtomicBool::new(false));
    let is_frozen = Arc::clone(&frozen);
    let cluster = FakeCluster::start(move |node, heard, _| match (node, heard.name()) {
        (0, "DEL") => {
            is_frozen.store(true, Ordering::SeqCst);
            Some(Act::Silence)
        }
        (0, _) if is_frozen.load(Ordering::SeqCst) => Some(Act::Silence),
        (1, "DEL") => Some(say(":0")),
        _ => None,
    })
    .await;
    let store = cluster.store();
    let key = sample::key();
    let (deleted, ()) = tokio::join!(store.delete(&key), async {
        until(|| frozen.load(Ordering::SeqCst)).await;
        cluster.state().give_to(1);
    });
    // The frozen one may have done it.
    assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
}

/// It was not sent, so nobody has to look for it.
#[tokio::test]
async fn create_that_waits_for_a_connection_follows_the_key() {
    let silent = Arc::new(Fake::start_rude(|_| Act::Silence).await);
    let (moved, theirs) = (Arc::new(AtomicBool::new(false)), silent.port());
    let has_moved = Arc::clone(&moved);
    let cluster = FakeCluster::start(move |node, heard, state| match (node, heard.name()) {
        (_, "CLUSTER") if heard.words[1] == b"SLOTS" => match has_moved.load(Ordering::SeqCst) {
            true => Some(state.slots_of(1)),
            false => Some(slots_at(theirs)),
        },
        (1, "SET") => Some(say("+OK")),
        (_, "GETRANGE") => Some(Act::Reply(bulk(b""))),
        _ => None,
    })
    .await;
    let builder = RedisStore::builder(&cluster.url()).with_connect_timeout(Duration::from_secs(20));
    let store = builder.with_timeout(Duration::from_secs(20)).connect_lazy().expect("a URL");
    let (key, record) = (sample::key(), sample::record());
    let (created, ()) = tokio::join!(store.create(&key, &record), async {
        until(|| silent.connections() > 0).await;
        moved.store(true, Ordering::SeqCst);
    });
    assert_eq!(created.expect("an answer"), Created::Created);
}

/// It may have been sent, and it is not sent again.
#[tokio::test]
async fn create_at_a_frozen_node_is_looked_for_at_the_new_one() {
    for is_there in [true, false] {
        let (frozen, record) = (Arc::new(AtomicBool::new(false)), sample::record());
        let is_frozen = Arc::clone(&frozen);
        let found = if is_there { record.version.to_be_bytes().to_vec() } else { Vec::new() };
        let cluster = FakeCluster::start(move |node, heard, _| match (node, heard.name()) {
            (0, "SET") => {
                is_frozen.store(true, Ordering::SeqCst);
                Some(Act::Silence)
            }
            (0, _) if is_frozen.load(Ordering::SeqCst) => Some(Act::Silence),
            (1, "SET") => Some(say("+OK")),
            (1, "GETRANGE") => Some(Act::Reply(bulk(&found))),
            _ => None,
        })
        .await;
        let (store, key) = (cluster.store(), sample::key());
        let (created, ()) = tokio::join!(store.create(&key, &record), async {
            until(|| frozen.load(Ordering::SeqCst)).await;
            cluster.state().give_to(1);
        });
        match created {
            Ok(created) => assert_eq!((created, is_there), (Created::Created, true)),
            Err(error) => assert_eq!((error.kind(), is_there), (StoreErrorKind::Ambiguous, false)),
        }
    }
}

#[tokio::test]
async fn node_that_is_behind_the_times_is_not_believed() {
    // Node 0 was cut off before the election that made node 1 the primary.
    let cluster = FakeCluster::start(|node, heard, state| match (node, heard.name()) {
        (_, "CLUSTER") if heard.words[1] == b"SLOTS" => Some(state.slots_of(node)),
        (node, "CLUSTER") => Some(epoch(if node == 0 { 6 } else { 7 })),
        (1, "DEL") => Some(say(":1")),
        (_, "DEL") => panic!("the old primary is asked"),
        _ => None,
    })
    .await;
    for _ in 0..20 {
        let deleted = cluster.store().delete(&sample::key()).await;
        assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
    }
}

#[tokio::test]
async fn node_that_is_behind_the_times_does_not_lead_back() {
    let deletes = AtomicUsize::new(0);
    let cluster = FakeCluster::start(move |node, heard, state| match (node, heard.name()) {
        // From the first request on, only the old primary tells.
        (1, "CLUSTER") if deletes.load(Ordering::SeqCst) > 0 => Some(Act::Reset(Vec::new())),
        (_, "CLUSTER") if heard.words[1] == b"SLOTS" => Some(state.slots_of(node)),
        (node, "CLUSTER") => Some(epoch(if node == 0 { 6 } else { 7 })),
        (1, "DEL") => match deletes.fetch_add(1, Ordering::SeqCst) {
            0 => Some(Act::Reset(Vec::new())),
            _ => Some(say(":1")),
        },
        (_, "DEL") => panic!("the old primary is asked"),
        _ => None,
    })
    .await;
    let deleted = cluster.store().delete(&sample::key()).await;
    assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
}

#[tokio::test]
async fn seeds_may_be_dead() {
    let cluster = FakeCluster::start(|_, heard, _| match heard.name() {
        "PING" => Some(say("+PONG")),
        "INFO" => Some(say("-NOPERM no right")),
        _ => None,
    })
    .await;
    let gone = Fake::start(|_| Act::Silence).await.port();
    let silent = Fake::start_rude(|_| Act::Silence).await;
    let url = format!(
        "redis+cluster://127.0.0.1:{gone},127.0.0.1:{},127.0.0.1:{}",
        silent.port(),
        cluster.nodes[1].port()
    );
    let clock = Clock::start();
    RedisStore::connect(&url).await.expect("a cluster");
    assert!(clock.elapsed() < Duration::from_millis(900), "{clock:?}");
}

#[tokio::test]
async fn cluster_that_is_gone_is_unavailable_at_once() {
    let cluster = FakeCluster::start(|_, heard, _| match heard.name() {
        "DEL" => Some(say(":1")),
        _ => None,
    })
    .await;
    let store = cluster.store();
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    let url = cluster.url();
    drop(cluster);
    let clock = Clock::start();
    let error = loop {
        // It hangs up when it comes to it.
        if let Err(error) = store.delete(&sample::key()).await {
            break error;
        }
        assert!(clock.elapsed() < Duration::from_secs(1));
    };
    // Its connection broke when it was used, so the server may have read it.
    assert!(matches!(error.kind(), StoreErrorKind::Ambiguous | StoreErrorKind::Unavailable), "{error:?}");
    for _ in 0..3 {
        let error = store.delete(&sample::key()).await.expect_err("nobody");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    assert!(clock.elapsed() < Duration::from_millis(600), "{clock:?}");
    let error = RedisStore::connect(&url).await.expect_err("nobody");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn log_and_debug_of_a_cluster_show_no_secret() {
    let cluster = FakeCluster::start(|node, heard, state| match (node, heard.name()) {
        (0, "DEL") => Some(say("-CLUSTERDOWN canary")),
        (0, "SET") => Some(state.redirect("MOVED", 1)),
        (_, "SET") => Some(say("-ERR canary")),
        (_, "GET" | "PTTL") => Some(say("-MOVED canary")),
        (_, "EVALSHA") => Some(Act::Reset(Vec::new())),
        _ => None,
    })
    .await;
    let (log, _guard) = Log::listen();
    let url = format!("{}?timeout=200ms", cluster.url().replace("://", "://shop:s3cret@"));
    let store = RedisStore::connect_lazy(&url).expect("a URL");
    let (key, record) = (sample::key(), sample::record());
    let mut shown = String::new();
    let mut show = |error: StoreError| shown += &format!("{error} {error:?} {store:?}");
    show(store.delete(&key).await.expect_err("no answer"));
    show(store.create(&key, &record).await.expect_err("no answer"));
    show(store.load(&key, Freshness::Latest).await.expect_err("no answer"));
    show(store.replace(&key, record.version, &record).await.expect_err("no answer"));
    drop(cluster);
    while let Ok(_deleted) = store.delete(&key).await {}
    shown += &log.text();
    for secret in ["s3cret", "canary", key.public_handle().as_str(), "payload"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn store_of_a_cluster_outlives_the_runtime_that_it_was_made_in() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().expect("a runtime")
    };
    let served = runtime();
    let cluster = served.block_on(FakeCluster::start(|_, heard, _| match heard.name() {
        "DEL" => Some(say(":1")),
        _ => None,
    }));
    let home = runtime();
    let store = home.block_on(async { cluster.store() });
    assert_eq!(home.block_on(store.delete(&sample::key())).expect("an answer"), Deleted::Deleted);
    drop(home);
    for _ in 0..2 {
        let deleted = runtime().block_on(async {
            let first = store.delete(&sample::key()).await;
            // The connection went with the runtime, perhaps only now.
            if first.is_ok() { first } else { store.delete(&sample::key()).await }
        });
        assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
    }
}

#[tokio::test]
async fn node_that_stays_deaf_is_a_wrong_configuration() {
    let cluster = FakeCluster::start(|_, heard, _| match heard.name() {
        "DEL" => Some(say("-NOAUTH Authentication required.")),
        _ => None,
    })
    .await;
    let error = cluster.store().delete(&sample::key()).await.expect_err("a refusal");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

/// Nothing is known of the one that is given the key but what the other says.
#[tokio::test]
async fn node_that_is_given_a_key_and_dies_ends_the_request() {
    let gone = Fake::start(|_| Act::Silence).await.port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let cluster = FakeCluster::start(move |_, heard, _| match heard.name() {
        "DEL" => {
            count.fetch_add(1, Ordering::SeqCst);
            Some(say(&format!("-ASK 1234 127.0.0.1:{gone}")))
        }
        _ => None,
    })
    .await;
    let clock = Clock::start();
    let error = cluster.store().delete(&sample::key()).await.expect_err("nobody");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(asked.load(Ordering::SeqCst) <= 3 && clock.elapsed() < Duration::from_millis(600), "{asked:?}");
}

#[tokio::test]
async fn outage_of_a_cluster_is_not_hammered() {
    let cluster = FakeCluster::start(|_, heard, _| match heard.name() {
        "DEL" => Some(say("-CLUSTERDOWN The cluster is down")),
        _ => None,
    })
    .await;
    let builder = RedisStore::builder(&cluster.url()).with_timeout(Duration::from_millis(500));
    let store = builder.connect_lazy().expect("a URL");
    let crowd: Vec<_> = (0..200)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.delete(&sample::key()).await.is_err() })
        })
        .collect();
    for one in crowd {
        assert!(one.await.expect("no panic"));
    }
    // Twenty times a second at most, however busy the machine is.
    let pause = cluster.shortest_pause().expect("several surveys");
    assert!(pause >= Duration::from_millis(45), "{pause:?}");
    // One, unless the machine itself stood still for a while.
    assert!(cluster.nodes.iter().all(|node| node.connections() <= 3));
}

#[tokio::test]
async fn refusals_of_a_cluster_say_what_to_do() {
    for (line, kind, advice) in [
        ("-ERR This instance has cluster support disabled", ErrorKind::Misconfigured, "begins with redis://"),
        (
            "-NOPERM this user has no permissions to run the 'cluster|slots' command",
            ErrorKind::Misconfigured,
            "lacks a right",
        ),
        ("*0", ErrorKind::Unavailable, ""),
    ] {
        let fake = Fake::start(move |_| say(line)).await;
        let url = fake.url().replace("redis://", "redis+cluster://:s3cret@");
        let error = RedisStore::connect(&url).await.expect_err("a refusal");
        assert_eq!(error.kind(), kind, "{line}: {error:?}");
        assert!(error.to_string().contains(advice), "{line}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
    let fake = Fake::start_rude(|_| say("-WRONGPASS invalid username-password pair")).await;
    let store = RedisStore::connect_lazy(&fake.url().replace("redis://", "redis+cluster://")).expect("a URL");
    for _ in 0..5 {
        let error = store.delete(&sample::key()).await.expect_err("a refusal");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    }
    assert_eq!(fake.connections(), 1);
}
