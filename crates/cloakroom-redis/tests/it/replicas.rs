//! Writes that wait for replicas: what counts, what it costs, and whom it holds up.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom_core::{
    Admitted, Created, Deleted, ErrorKind, Freshness, IndexVersion, PrincipalIndex as _, Replaced,
    Store as _, StoreError, StoreErrorKind, Touched,
};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::{Lateness, Log};
use xtask::server::RedisServer;

use crate::fake::{Act, Fake, bulk, say};
use crate::index;
use crate::sample::{self, MINUTE};
use cloakroom_testkit::{Clock, until};

const PATIENCE: Duration = Duration::from_millis(150);

/// A primary with one replica that has caught up.
fn pair() -> (RedisServer, RedisServer) {
    let primary = RedisServer::builder().with_arguments(["--repl-diskless-sync-delay", "0"]).start();
    let primary = primary.expect("a server");
    let port = primary.port().to_string();
    let replica = RedisServer::builder().with_arguments(["--replicaof", "127.0.0.1", &port]).start();
    let start = Instant::now();
    while !primary.cli(&["INFO", "replication"]).expect("INFO").contains("state=online") {
        assert!(start.elapsed() < Duration::from_secs(10), "no replica");
        std::thread::sleep(Duration::from_millis(20));
    }
    (primary, replica.expect("a server"))
}

fn store(server: &RedisServer) -> RedisStore {
    let builder = RedisStore::builder(&server.url()).with_wait(1).with_wait_timeout(PATIENCE);
    builder.connect_lazy().expect("a URL")
}

/// A store that waits as long as a busy machine takes.
fn patient(server: &RedisServer) -> RedisStore {
    let builder = RedisStore::builder(&server.url()).with_wait(1).with_timeout(MINUTE);
    builder.with_wait_timeout(MINUTE / 2).connect_lazy().expect("a URL")
}

fn lacks_replicas(error: &StoreError) -> bool {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    error.kind() == StoreErrorKind::Ambiguous && cause.contains("fewer replicas")
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn write_counts_when_the_replica_has_it() {
    let (primary, replica) = pair();
    let (one, other) = (store(&primary), store(&primary));
    let (key, record, next) = (sample::key(), sample::record(), sample::record());
    replica.stop().expect("a frozen replica");
    let error = one.create(&key, &record).await.expect_err("no replica");
    assert!(lacks_replicas(&error), "{error:?}");
    // It is in place, and whoever tries again is told no more than that.
    assert!(one.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    for store in [&one, &other] {
        let error = store.create(&key, &record).await.expect_err("no replica");
        assert!(lacks_replicas(&error), "{error:?}");
    }
    for store in [&one, &other] {
        let error = store.replace(&key, record.version, &next).await.expect_err("no replica");
        assert!(lacks_replicas(&error), "{error:?}");
    }
    for store in [&one, &other] {
        // The first deletes it, the second finds nothing; on the replica it is still there.
        let error = store.delete(&key).await.expect_err("no replica");
        assert!(lacks_replicas(&error), "{error:?}");
    }
    let (tag, version) = (index::tag(), IndexVersion::new(0));
    let answers = [
        one.admit(&tag, version, &key, MINUTE, &[]).await.map(|_| ()),
        other.enter(&tag, &key, MINUTE).await,
        one.remove(&tag, &[key], Duration::ZERO).await,
        // The second finds nothing.
        other.remove(&tag, &[key], Duration::ZERO).await,
    ];
    for answer in answers {
        let error = answer.expect_err("no replica");
        assert!(lacks_replicas(&error), "{error:?}");
    }
    replica.cont().expect("a running replica");
    let (one, other) = (patient(&primary), patient(&primary));
    assert_eq!(other.delete(&key).await.expect("an answer"), Deleted::Missing);
    assert_eq!(one.create(&key, &record).await.expect("an answer"), Created::Created);
    assert_eq!(other.create(&key, &record).await.expect("an answer"), Created::Created);
    let replaced = one.replace(&key, record.version, &next).await;
    assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    let replaced = other.replace(&key, record.version, &next).await;
    assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    let name = format!("cloakroom:{}", key.public_handle().as_str());
    assert_eq!(replica.cli(&["EXISTS", &name]).expect("EXISTS"), "1");
    assert_eq!(one.delete(&key).await.expect("an answer"), Deleted::Deleted);
    assert_eq!(replica.cli(&["EXISTS", &name]).expect("EXISTS"), "0");
    let on_replica = || replica.cli(&["ZCARD", &index::name(&tag)]).expect("ZCARD");
    other.enter(&tag, &key, MINUTE).await.expect("an answer");
    assert_eq!(on_replica(), "3");
    let read = other.entries(&tag).await.expect("an answer").version;
    let admitted = one.admit(&tag, read, &sample::key(), MINUTE, &[]).await;
    assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
    assert_eq!(on_replica(), "5");
    for store in [&one, &other] {
        store.remove(&tag, &[key], Duration::ZERO).await.expect("an answer");
        assert_eq!(on_replica(), "3");
    }
    let conflict = one.admit(&tag, read, &key, MINUTE, &[]).await;
    assert_eq!(conflict.expect("an answer"), Admitted::Conflict);
    let keys: Vec<_> =
        one.entries(&tag).await.expect("an answer").entries.iter().map(|entry| entry.key).collect();
    one.remove(&tag, &keys, Duration::ZERO).await.expect("an answer");
    assert_eq!(on_replica(), "0");
    assert_eq!(primary.cli(&["DBSIZE"]).expect("DBSIZE"), "0");
}

/// What changes nothing needs no replica.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn answers_without_a_write_need_no_replica() {
    let server = RedisServer::start().expect("a server");
    let (lone, plain) = (store(&server), RedisStore::connect_lazy(&server.url()).expect("a URL"));
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(plain.create(&key, &record).await.expect("an answer"), Created::Created);
    assert_eq!(lone.create(&key, &sample::record()).await.expect("an answer"), Created::Occupied);
    let stale = lone.replace(&key, sample::version(), &sample::record()).await;
    assert_eq!(stale.expect("an answer"), Replaced::Conflict);
    let absent = lone.replace(&sample::key(), sample::version(), &sample::record()).await;
    assert_eq!(absent.expect("an answer"), Replaced::Missing);
    assert!(lone.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    assert_eq!(lone.touch(&key, record.version, MINUTE).await.expect("an answer"), Touched::Touched);
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn settling_a_write_keeps_its_time_to_live() {
    let (primary, replica) = pair();
    let store = patient(&primary);
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let touched = store.touch(&key, record.version, MINUTE * 10).await;
    assert_eq!(touched.expect("an answer"), Touched::Touched);
    // A create that is tried again finds its own write, and does not take back what the touch gave.
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let name = format!("cloakroom:{}", key.public_handle().as_str());
    for server in [&primary, &replica] {
        let left: i64 = server.cli(&["PTTL", &name]).expect("PTTL").parse().expect("a number");
        assert!((590_000..=600_000).contains(&left), "{left}");
    }
    assert_eq!(primary.cli(&["PERSIST", &name]).expect("PERSIST"), "1");
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    let left: i64 = primary.cli(&["PTTL", &name]).expect("PTTL").parse().expect("a number");
    assert!((1..=60_000).contains(&left), "{left}");
}

/// The server blocks a connection that waits, with everything behind.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn waiting_writes_hold_up_nobody_else() {
    const WRITERS: usize = 8;
    let patience = PATIENCE * 10;
    let (primary, replica) = pair();
    let builder = RedisStore::builder(&primary.url()).with_timeout(MINUTE).with_wait(1);
    let store = builder.with_wait_timeout(patience).connect_lazy().expect("a URL");
    let (key, record) = (sample::key(), sample::record());
    assert_eq!(patient(&primary).create(&key, &record).await.expect("an answer"), Created::Created);
    replica.stop().expect("a frozen replica");
    let lateness = Arc::new(Lateness::watch());
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (store, lateness) = (store.clone(), Arc::clone(&lateness));
            tokio::spawn(async move {
                let start = Instant::now();
                let error = store.create(&sample::key(), &sample::record()).await.expect_err("no replica");
                assert!(lacks_replicas(&error), "{error:?}");
                (start.elapsed(), lateness.since(start))
            })
        })
        .collect();
    let all_wait = format!("blocked_clients:{WRITERS}\r");
    until(|| primary.cli(&["INFO", "clients"]).expect("INFO").contains(&all_wait)).await;
    let clock = Clock::start();
    for _ in 0..50 {
        assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    }
    let reads = clock.elapsed();
    for writer in writers {
        let (took, late) = writer.await.expect("no panic");
        assert!(took >= patience && took < patience * 2 + late, "{took:?}, late by {late:?}");
    }
    println!("50 loads beside {WRITERS} waiting writes: {reads:?}");
    // Behind one of them, the first load alone would take most of the patience.
    assert!(reads < PATIENCE, "{reads:?}");
}

/// More writes than connections, and no replica: those that never went out say so, all by their deadline.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn crowd_without_a_replica_leaves_in_time() {
    let server = RedisServer::start().expect("a server");
    // Room for two batches of all connections, and not for all.
    let (patience, timeout) = (PATIENCE * 5, Duration::from_secs(2));
    let builder = RedisStore::builder(&server.url()).with_timeout(timeout).with_wait(1);
    let store = builder.with_wait_timeout(patience).connect_lazy().expect("a URL");
    let clock = Clock::start();
    let crowd: Vec<_> = (0..100)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let key = sample::key();
                let error = store.create(&key, &sample::record()).await.expect_err("no replica");
                let there = store.load(&key, Freshness::Latest).await.expect("an answer").is_some();
                (error, there)
            })
        })
        .collect();
    let (mut written, mut unsent) = (0, 0);
    for one in crowd {
        match one.await.expect("no panic") {
            (error, true) => {
                assert!(error.is_ambiguous(), "{error:?}");
                written += 1;
            }
            (error, false) if error.kind() == StoreErrorKind::Unavailable => unsent += 1,
            (error, false) => assert!(error.is_ambiguous(), "{error:?}"),
        }
    }
    println!("{written} written, {unsent} never sent, in {:?}", clock.elapsed());
    assert!(written >= 16 && unsent > 0, "{written} written, {unsent} never sent");
    assert!(clock.elapsed() < timeout + Duration::from_millis(300), "{clock:?}");
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn waiting_costs_what_it_says() {
    let (primary, _replica) = pair();
    let store = patient(&primary);
    let absent = store.replace(&sample::key(), sample::version(), &sample::record()).await;
    assert_eq!(absent.expect("an answer"), Replaced::Missing);
    let absent = store.touch(&sample::key(), sample::version(), MINUTE).await;
    assert_eq!(absent.expect("an answer"), Touched::Missing);
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Missing);
    let (key, record, next) = (sample::key(), sample::record(), sample::record());
    let count = |verb: &str, wanted: &str| {
        let mut found = primary.command_stats().expect("a count");
        // The way in which the count itself is taken, what the replica says, and what a connection begins with.
        for own in ["info", "config|resetstat", "replconf", "ping", "echo", "hello", "psync"] {
            found.remove(own);
        }
        let found: Vec<_> = found.into_iter().map(|(name, times)| format!("{name} {times}")).collect();
        assert_eq!(found.join(", "), wanted, "{verb}");
        primary.reset_command_stats().expect("a count from zero");
    };
    primary.reset_command_stats().expect("a count from zero");
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    count("create", "set 1, wait 1");
    let replaced = store.replace(&key, record.version, &next).await;
    assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    count("replace", "evalsha 1, getrange 1, set 1, wait 1");
    assert_eq!(store.touch(&key, next.version, MINUTE * 2).await.expect("an answer"), Touched::Touched);
    count("touch", "evalsha 1, getrange 1, pexpire 1, pttl 1");
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    count("delete", "del 1, wait 1");
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Missing);
    count("delete of nothing", "del 2, evalsha 1, pttl 1, set 1, wait 2");
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn start_tells_that_replicas_are_missing() {
    let server = RedisServer::start().expect("a server");
    for (wait, warned) in [(0, false), (1, true)] {
        let (log, _guard) = Log::listen();
        RedisStore::builder(&server.url()).with_wait(wait).connect().await.expect("a server");
        let text = log.text();
        assert_eq!(text.contains("fewer replicas"), warned, "{text}");
    }
    let rights = ["ACL", "SETUSER", "shop", "on", ">s3cret", "~*", "+@all", "-wait"];
    assert_eq!(server.cli(&rights).expect("a user"), "OK");
    let url = server.url().replace("redis://", "redis://shop:s3cret@");
    let error = RedisStore::builder(&url).with_wait(1).connect().await.expect_err("no right");
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    RedisStore::builder(&url).connect().await.expect("no need of that right");
}

#[tokio::test]
async fn refusal_to_wait_leaves_the_write_in_doubt() {
    for (waited, wanted) in [
        (":1", None),
        (":0", Some(StoreErrorKind::Ambiguous)),
        ("-NOPERM no right", Some(StoreErrorKind::Ambiguous)),
        ("-ERR WAIT cannot be used with replica instances", Some(StoreErrorKind::Ambiguous)),
        ("+OK", Some(StoreErrorKind::Ambiguous)),
    ] {
        let fake = Fake::start(move |heard| match heard.name() {
            "WAIT" => say(waited),
            "SET" => say("+OK"),
            "DEL" => say(":1"),
            _ => Act::Reply(bulk(b"done")),
        })
        .await;
        let store = RedisStore::builder(&fake.url()).with_wait(1).connect_lazy().expect("a URL");
        let (key, record) = (sample::key(), sample::record());
        let kind = |error: StoreError| error.kind();
        assert_eq!(store.create(&key, &record).await.err().map(kind), wanted, "{waited}");
        let replaced = store.replace(&key, sample::version(), &record).await;
        assert_eq!(replaced.err().map(kind), wanted, "{waited}");
        assert_eq!(store.delete(&key).await.err().map(kind), wanted, "{waited}");
        assert!(store.touch(&key, record.version, MINUTE).await.is_ok());
        let tag = index::tag();
        assert_eq!(store.enter(&tag, &key, MINUTE).await.err().map(kind), wanted, "{waited}");
        let admitted = store.admit(&tag, IndexVersion::new(0), &key, MINUTE, &[]).await;
        assert_eq!(admitted.err().map(kind), wanted, "{waited}");
        assert_eq!(store.remove(&tag, &[key], MINUTE).await.err().map(kind), wanted, "{waited}");
    }
}

/// Behind a mere look, servers from 7.2 on count replicas that lack the write.
#[tokio::test]
async fn every_wait_is_behind_a_write_of_its_connection() {
    let words = Arc::new(Mutex::new(Vec::new()));
    let heard_by = Arc::clone(&words);
    let record = sample::record();
    let version = record.version.to_be_bytes();
    let fake = Fake::start(move |heard| {
        heard_by.lock().expect("no panic").push((heard.connection, heard.name().to_owned()));
        match heard.name() {
            "WAIT" => say(":1"),
            "SET" => say("_"),
            "DEL" => say(":0"),
            "GETRANGE" => Act::Reply(bulk(&version)),
            // `replace` and `remove` have more arguments behind their key than the stamp, which has one.
            _ if heard.words.len() > 5 && heard.words[3].windows(4).any(|part| part == b":of:") => {
                Act::Reply(bulk(b"missing"))
            }
            _ if heard.words.len() > 5 => Act::Reply(bulk(b"own")),
            _ => Act::Reply(bulk(b"done")),
        }
    })
    .await;
    let store = RedisStore::builder(&fake.url()).with_wait(1).connect_lazy().expect("a URL");
    let key = sample::key();
    let said = || {
        let mut words = words.lock().expect("no panic");
        words
            .drain(..)
            .map(|(connection, name)| format!("{connection} {name}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
    assert_eq!(said(), "0 SET, 0 WAIT, 1 GETRANGE, 0 EVALSHA, 0 WAIT");
    let replaced = store.replace(&key, sample::version(), &record).await;
    assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    assert_eq!(said(), "0 EVALSHA, 0 WAIT, 0 EVALSHA, 0 WAIT");
    assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Missing);
    assert_eq!(said(), "0 DEL, 0 WAIT, 0 EVALSHA, 0 WAIT");
    store.remove(&index::tag(), &[key], MINUTE).await.expect("an answer");
    assert_eq!(said(), "0 EVALSHA, 0 WAIT, 0 EVALSHA, 0 WAIT");
}

/// The server may still wait where a request was dropped: the next one takes another connection.
#[tokio::test]
async fn dropped_write_leaves_its_connection_to_the_server() {
    let silent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&silent);
    let fake = Fake::start(move |heard| match (heard.connection, heard.name()) {
        (0, "WAIT") => {
            count.fetch_add(1, Ordering::SeqCst);
            Act::Silence
        }
        (_, "WAIT") => say(":1"),
        _ => say(":1"),
    })
    .await;
    let store = RedisStore::builder(&fake.url()).with_wait(1).connect_lazy().expect("a URL");
    let key = sample::key();
    tokio::select! {
        deleted = store.delete(&key) => panic!("{deleted:?}"),
        () = until(|| silent.load(Ordering::SeqCst) == 1) => {}
    }
    for _ in 0..7 {
        assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    }
    assert_eq!((silent.load(Ordering::SeqCst), fake.connections()), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures what waiting for a replica costs"]
async fn measure_waiting_writes() {
    let (primary, _replica) = pair();
    for (wait, tasks) in [(0, 1), (1, 1), (0, 64), (1, 64)] {
        let builder = RedisStore::builder(&primary.url()).with_wait(wait);
        let store = builder.connect().await.expect("a server");
        let start = Instant::now();
        let writers: Vec<_> = (0..tasks)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut longest = Duration::ZERO;
                    for _ in 0..6400 / tasks {
                        let start = Instant::now();
                        match store.create(&sample::key(), &sample::record()).await {
                            Ok(created) => assert_eq!(created, Created::Created),
                            // On a busy machine a replica may be late now and then.
                            Err(error) => assert!(lacks_replicas(&error), "{error:?}"),
                        }
                        longest = longest.max(start.elapsed());
                    }
                    longest
                })
            })
            .collect();
        let mut longest = Duration::ZERO;
        for writer in writers {
            longest = longest.max(writer.await.expect("no panic"));
        }
        let per_second = 6400.0 / start.elapsed().as_secs_f64();
        println!(
            "wait={wait}, {tasks} writers at a time: {per_second:.0} writes a second, longest {longest:?}"
        );
    }
}
