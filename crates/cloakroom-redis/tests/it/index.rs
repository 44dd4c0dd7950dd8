//! The index of principals as it lies in Redis: how, for how long, and how large.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cloakroom_core::{
    Admitted, Created, IndexVersion, PrincipalIndex as _, PrincipalTag, Store as _, StoreErrorKind, StoreKey,
};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::{Lateness, until};
use redis::aio::MultiplexedConnection;
use xtask::server::RedisServer;

use crate::sample::{self, MINUTE};

const HOUR: Duration = Duration::from_secs(3600);

/// A principal that no other test has.
pub(crate) fn tag() -> PrincipalTag {
    PrincipalTag::from_bytes(*sample::key().as_bytes())
}

/// Where the index of a principal lies.
pub(crate) fn name(tag: &PrincipalTag) -> String {
    format!("cloakroom:of:{}", StoreKey::from_bytes(*tag.as_bytes()).public_handle().as_str())
}

pub(crate) fn keys(count: usize) -> Vec<StoreKey> {
    (0..count).map(|_| sample::key()).collect()
}

pub(crate) async fn listed(store: &RedisStore, tag: &PrincipalTag) -> BTreeSet<StoreKey> {
    store.entries(tag).await.expect("an answer").entries.into_iter().map(|entry| entry.key).collect()
}

async fn version(store: &RedisStore, tag: &PrincipalTag) -> IndexVersion {
    store.entries(tag).await.expect("an answer").version
}

/// A server, a store, and another way to look.
async fn open() -> (RedisServer, RedisStore, MultiplexedConnection) {
    let server = RedisServer::start().expect("a server");
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    let client = redis::Client::open(server.url()).expect("a URL");
    let look = client.get_multiplexed_async_connection().await.expect("a server");
    (server, store, look)
}

async fn members(look: &mut MultiplexedConnection, name: &str) -> Vec<(Vec<u8>, f64)> {
    redis::cmd("ZRANGE").arg(name).arg(0).arg(-1).arg("WITHSCORES").query_async(look).await.expect("ZRANGE")
}

async fn number(look: &mut MultiplexedConnection, words: &[&str]) -> i64 {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).query_async(look).await.expect("a number")
}

/// Microseconds since 1970, by the clock of the server.
async fn now(look: &mut MultiplexedConnection) -> f64 {
    let (seconds, micros): (f64, f64) = redis::cmd("TIME").query_async(look).await.expect("TIME");
    seconds * 1e6 + micros
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn index_lies_as_it_is_documented() {
    let (_server, store, mut look) = open().await;
    let (tag, one, other) = (tag(), sample::key(), sample::key());
    let e = |key: &StoreKey| [&b"e"[..], key.as_bytes()].concat();
    let before = now(&mut look).await;
    store.enter(&tag, &one, HOUR).await.expect("an answer");
    let between = now(&mut look).await;
    let read = version(&store, &tag).await;
    let admitted = store.admit(&tag, read, &other, MINUTE, &[]).await;
    assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
    let after = now(&mut look).await;
    let second = version(&store, &tag).await;
    assert!(read.get() > 0 && second.get() > 0 && read != second);
    let members = members(&mut look, &name(&tag)).await;
    let names: Vec<_> = members.iter().map(|(member, _)| member.clone()).collect();
    let score = |at: usize| members[at].1;
    let (v, keys) = (b"v".to_vec(), [other.as_bytes().to_vec(), one.as_bytes().to_vec()]);
    // A version may be less or more than a time.
    assert_eq!(BTreeSet::from_iter(&names[..3]), BTreeSet::from([&v, &e(&one), &e(&other)]));
    assert_eq!(names[3..], keys);
    let at = |member: &[u8]| names.iter().position(|name| name == member).expect("a member");
    #[expect(clippy::cast_precision_loss, reason = "versions have 52 bits")]
    let version = second.get() as f64;
    assert_eq!(score(at(&v)), -version);
    assert!((before..=between).contains(&-score(at(&e(&one)))), "{members:?}");
    assert!((between..=after).contains(&-score(at(&e(&other)))), "{members:?}");
    assert_eq!(score(3) + score(at(&e(&other))), 60e6);
    assert_eq!(score(4) + score(at(&e(&one))), 3600e6);
    let ends: f64 = redis::cmd("PEXPIRETIME").arg(name(&tag)).query_async(&mut look).await.expect("Redis 7");
    assert_eq!(ends, (score(4) / 1e3).ceil());
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn every_index_lives_as_long_as_its_last_entry() {
    let (_server, store, mut look) = open().await;
    let (tag, keys) = (tag(), keys(4));
    let name = name(&tag);
    let mut lives = async |wanted: Duration| {
        let left = number(&mut look, &["PTTL", &name]).await;
        let wanted = i64::try_from(wanted.as_millis()).expect("a time");
        assert!(left > wanted - 20_000 && left <= wanted + 1, "{left} instead of {wanted}");
    };
    store.enter(&tag, &keys[0], MINUTE).await.expect("an answer");
    lives(MINUTE).await;
    store.enter(&tag, &keys[1], HOUR).await.expect("an answer");
    store.enter(&tag, &keys[2], MINUTE).await.expect("an answer");
    lives(HOUR).await;
    let read = version(&store, &tag).await;
    let admitted = store.admit(&tag, read, &keys[3], Duration::MAX, &[keys[0]]).await;
    assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
    lives(Duration::from_secs(10 * 365 * 86_400)).await;
    store.remove(&tag, &[keys[3]], Duration::ZERO).await.expect("an answer");
    lives(HOUR).await;
    // The longest goes with an admit.
    let read = version(&store, &tag).await;
    let admitted = store.admit(&tag, read, &keys[0], MINUTE, &[keys[1]]).await;
    assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
    lives(MINUTE).await;
    store.remove(&tag, &keys, Duration::ZERO).await.expect("an answer");
    assert_eq!(number(&mut look, &["DBSIZE"]).await, 0);
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn nothing_is_left_two_seconds_after_the_last_deadline() {
    short_sessions(3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures how soon a hundred thousand short sessions are gone"]
async fn measure_short_sessions() {
    short_sessions(100_000).await;
}

/// With nobody to look, and no process but the server's.
async fn short_sessions(count: usize) {
    const TASKS: usize = 50;
    let (_server, store, mut look) = open().await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut last = Instant::now();
                for round in 0..count / TASKS / 3 {
                    let (tag, ttl) = (tag(), Duration::from_millis(300 + (task + round) as u64 % 7 * 100));
                    for key in keys(3) {
                        store.enter(&tag, &key, ttl).await.expect("an answer");
                        let mut record = sample::record();
                        record.ttl = ttl;
                        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
                    }
                    last = last.max(Instant::now() + ttl);
                }
                last
            })
        })
        .collect();
    let (mut last, lateness) = (Instant::now(), Lateness::watch());
    for task in tasks {
        last = last.max(task.await.expect("no panic"));
    }
    drop(store);
    tokio::time::sleep_until(last.into()).await;
    let mut left = number(&mut look, &["DBSIZE"]).await;
    println!("{left} keys at the last deadline");
    while left > 0 {
        let late = last.elapsed();
        assert!(late < Duration::from_secs(2) + lateness.since(last), "{left} keys after {late:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        left = number(&mut look, &["DBSIZE"]).await;
    }
    println!("none {:?} later", last.elapsed());
}

/// Who has listed the others in between has not seen it.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn entry_that_is_over_comes_back_as_a_new_one() {
    let (_server, store, _look) = open().await;
    let (tag, brief, long, next) = (tag(), sample::key(), sample::key(), sample::key());
    store.enter(&tag, &long, HOUR).await.expect("an answer");
    store.enter(&tag, &brief, Duration::from_millis(1)).await.expect("an answer");
    until_over().await;
    let seen = store.entries(&tag).await.expect("an answer");
    assert_eq!(seen.entries.len(), 1);
    store.enter(&tag, &brief, HOUR).await.expect("an answer");
    let admitted = store.admit(&tag, seen.version, &next, HOUR, &[]).await;
    assert_eq!(admitted.expect("an answer"), Admitted::Conflict);
    // One that is known is none.
    let version = version(&store, &tag).await;
    store.enter(&tag, &brief, HOUR).await.expect("an answer");
    let admitted = store.admit(&tag, version, &next, HOUR, &[]).await;
    assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn index_of_endless_logins_does_not_grow() {
    let (_server, store, mut look) = open().await;
    let (tag, stays) = (tag(), sample::key());
    store.enter(&tag, &stays, HOUR).await.expect("an answer");
    let mut most = 0;
    for round in 0..3_000 {
        let (key, ttl) = (sample::key(), Duration::from_millis(1));
        if round % 3 == 0 {
            let read = version(&store, &tag).await;
            let admitted = store.admit(&tag, read, &key, ttl, &[]).await;
            assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
        } else {
            store.enter(&tag, &key, ttl).await.expect("an answer");
        }
        most = most.max(number(&mut look, &["ZCARD", &name(&tag)]).await);
    }
    // Two members an entry, of a few milliseconds.
    println!("{most} members at most");
    assert!(most < 300, "{most}");
    until_over().await;
    assert_eq!(listed(&store, &tag).await, BTreeSet::from([stays]));
    store.enter(&tag, &stays, HOUR).await.expect("an answer");
    assert_eq!(number(&mut look, &["ZCARD", &name(&tag)]).await, 3);
}

async fn until_over() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Whoever logs in next need not clear everything away.
#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn each_login_prunes_a_hundred_entries_at_most() {
    let (server, store, mut look) = open().await;
    let (tag, own) = (tag(), sample::key());
    // Longer than it takes to enter them all, also on a busy machine.
    let ttl = Duration::from_secs(5);
    let tasks: Vec<_> = keys(1_000)
        .into_iter()
        .map(|key| {
            let store = store.clone();
            tokio::spawn(async move { store.enter(&tag, &key, ttl).await.expect("an answer") })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    store.enter(&tag, &own, HOUR).await.expect("an answer");
    let mut size = number(&mut look, &["ZCARD", &name(&tag)]).await;
    assert_eq!(size, 2 * 1_001 + 1);
    until(|| server.cli(&["ZCOUNT", &name(&tag), "0", &micros()]).expect("ZCOUNT") == "1000").await;
    assert_eq!(listed(&store, &tag).await, BTreeSet::from([own]));
    while size > 3 {
        store.enter(&tag, &own, HOUR).await.expect("an answer");
        let less = number(&mut look, &["ZCARD", &name(&tag)]).await;
        assert_eq!(size - less, 200);
        size = less;
    }
}

fn micros() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970");
    format!("({}", since.as_micros())
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn scripts_of_the_index_survive_a_flush() {
    let (server, store, _look) = open().await;
    let (tag, keys) = (tag(), keys(2));
    let flush = || assert_eq!(server.cli(&["SCRIPT", "FLUSH"]).expect("SCRIPT FLUSH"), "OK");
    for _ in 0..3 {
        flush();
        store.enter(&tag, &keys[0], MINUTE).await.expect("an answer");
        flush();
        let read = version(&store, &tag).await;
        let admitted = store.admit(&tag, read, &keys[1], MINUTE, &[keys[0]]).await;
        assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
        assert_eq!(listed(&store, &tag).await, BTreeSet::from([keys[1]]));
        flush();
        store.remove(&tag, &keys, Duration::ZERO).await.expect("an answer");
        assert_eq!(listed(&store, &tag).await, BTreeSet::new());
    }
}

#[tokio::test]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn foreign_values_are_no_index_and_left_alone() {
    let (server, store, _look) = open().await;
    let key = sample::key();
    for words in [&["SET", "", "value"][..], &["RPUSH", "", "item"], &["ZADD", "", "5", "member"]] {
        let tag = tag();
        let name = name(&tag);
        let words: Vec<_> =
            words.iter().map(|word| if word.is_empty() { name.as_str() } else { word }).collect();
        server.cli(&words).expect("a foreign value");
        let before = server.cli(&["DUMP", &name]).map_err(|_| ());
        let error = store.entries(&tag).await.expect_err("no index");
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{words:?}");
        if words[0] != "ZADD" {
            let kind = |error: cloakroom_core::StoreError| error.kind();
            let version = IndexVersion::new(0);
            let errors = [
                store.enter(&tag, &key, MINUTE).await.map_err(kind).err(),
                store.admit(&tag, version, &key, MINUTE, &[key]).await.map_err(kind).err(),
                store.remove(&tag, &[key], Duration::ZERO).await.map_err(kind).err(),
            ];
            assert_eq!(errors, [Some(StoreErrorKind::Corrupt); 3], "{words:?}");
        }
        assert_eq!(server.cli(&["DUMP", &name]).map_err(|_| ()), before, "{words:?}");
    }
}

/// How long a verb keeps others waiting, as they see it and by the server's own account.
async fn holds_up_nobody<T>(
    server: &RedisServer,
    look: &mut MultiplexedConnection,
    what: &str,
    verb: impl Future<Output = T>,
) -> T {
    for words in [&["CONFIG", "SET", "slowlog-log-slower-than", "1000"][..], &["SLOWLOG", "RESET"]] {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).exec_async(look).await.expect("a log of what is slow");
    }
    let (lateness, began, pushed_aside) = (Lateness::watch(), Instant::now(), pushed_aside(server));
    let (mut verb, mut longest) = (std::pin::pin!(verb), Duration::ZERO);
    let answer = loop {
        let asked = Instant::now();
        let (ping, mut other) = (redis::cmd("PING"), look.clone());
        let answer = tokio::select! {
            answer = &mut verb => Some(answer),
            pong = ping.exec_async(&mut other) => pong.map(|()| None).expect("an answer"),
        };
        longest = longest.max(asked.elapsed());
        if let Some(answer) = answer {
            break answer;
        }
    };
    let (took, late) = (began.elapsed(), lateness.worst() + self::pushed_aside(server) - pushed_aside);
    let slow: Vec<Slow> = redis::cmd("SLOWLOG").arg("GET").arg(100).query_async(look).await.expect("SLOWLOG");
    let worked = slow.iter().map(|entry| Duration::from_micros(entry.2)).max().unwrap_or_default();
    println!(
        "{what}: {took:?}; others waited {longest:?}, the server worked for {worked:?}; late by {late:?}"
    );
    assert!(longest <= MOST + late, "{what}: others waited {longest:?}, late by {late:?}");
    assert!(worked <= MOST + late, "{what}: the server worked for {worked:?}, late by {late:?}");
    answer
}

/// How long the server has waited for a processor, on a machine with other things to do.
fn pushed_aside(server: &RedisServer) -> Duration {
    let figures = std::fs::read_to_string(format!("/proc/{}/schedstat", server.process_id()));
    let waited = figures.expect("figures").split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(waited.expect("a time"))
}

/// A command in the log of what was slow: its number, when, how many microseconds, its words, and whose it was.
type Slow = (u64, u64, u64, Vec<Vec<u8>>, String, String);

/// How long anybody may be kept waiting.
const MOST: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis: run `cargo xtask test`"]
async fn ten_thousand_sessions_of_one_principal_hold_up_nobody() {
    const MANY: usize = 10_000;
    let (server, store, mut look) = open().await;
    let (tag, all) = (tag(), keys(MANY));
    for keys in all.chunks(500) {
        let entered = keys.iter().map(|key| store.enter(&tag, key, HOUR));
        futures_util::future::try_join_all(entered).await.expect("an answer");
    }
    let list =
        holds_up_nobody(&server, &mut look, "listing them", store.entries(&tag)).await.expect("an answer");
    let found: BTreeSet<_> = list.entries.iter().map(|entry| entry.key).collect();
    assert!(list.entries.len() == MANY && found == BTreeSet::from_iter(all.iter().copied()));
    let enter = store.enter(&tag, &all[0], HOUR);
    holds_up_nobody(&server, &mut look, "entering one more", enter).await.expect("an answer");
    let read = version(&store, &tag).await;
    let admit = store.admit(&tag, read, &all[0], HOUR, &all[..MANY / 2]);
    let admitted = holds_up_nobody(&server, &mut look, "admitting one for half of them", admit).await;
    assert_eq!(admitted.expect("an answer"), Admitted::Admitted);
    assert_eq!(listed(&store, &tag).await.len(), MANY / 2 + 1);
    let remove = store.remove(&tag, &all, MINUTE);
    holds_up_nobody(&server, &mut look, "removing none, for they are young", remove)
        .await
        .expect("an answer");
    assert_eq!(listed(&store, &tag).await.len(), MANY / 2 + 1);
    let remove = store.remove(&tag, &all, Duration::ZERO);
    holds_up_nobody(&server, &mut look, "removing all", remove).await.expect("an answer");
    assert_eq!(number(&mut look, &["DBSIZE"]).await, 0);
}
