//! Verbs that are dropped at every moment, on each store with a network, and what the store answers afterwards.

mod faulty;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom::{Created, Freshness, Record, Store, StoreKey, Version};
use cloakroom_conformance::stories::tell;
use cloakroom_testkit::{Network, Proxy, Seen};
use tokio::task::yield_now;
use xtask::server::{MariadbServer, MemcachedServer, Persistence, PostgresServer, RedisServer};

use self::faulty::{Fault, Faulty};

/// How many verbs are dropped, unless `CLOAKROOM_CANCELLATIONS` says otherwise; fewer of databases, which take longer.
const CANCELLATIONS: usize = 10_000;
const CANCELLATIONS_OF_A_DATABASE: usize = 2_500;
/// How many are dropped at length.
const MANY: usize = 1_000_000;
/// How many connections work side by side, each with keys of its own.
const WORKERS: u8 = 16;
/// How many keys a connection works on.
const KEYS: u64 = 8;
/// How many dropped verbs on one key may still be under way, where they go on by themselves.
const LATE: usize = 16;
/// How long every record lives.
const LIFE: Duration = Duration::from_secs(600);

/// Where verbs were when they were dropped, and what was wrong afterwards.
#[derive(Debug, Default)]
struct Report {
    before_the_send: usize,
    in_flight: usize,
    in_the_middle_of_the_reply: usize,
    /// The reply had come, and nobody had taken it.
    after_the_reply: usize,
    answers_checked: usize,
    /// How many of them were records.
    records_seen: usize,
    wrong: Vec<String>,
}

/// A server, and how a store reaches it through a proxy.
#[derive(Clone)]
struct Way {
    server: SocketAddr,
    /// With the address of the server in it.
    url: String,
    /// The parameter that names what a store has to itself.
    namespace: &'static str,
    /// What else the URL says.
    more: &'static str,
    quiet: Quiet,
}

/// When nothing of the verbs before is under way any more.
#[derive(Clone, Copy)]
enum Quiet {
    /// Once they were answered.
    AtOnce,
    /// Some time later: a dropped verb goes on by itself, and connections are checked after they were used.
    Soon,
}

impl Way {
    fn redis(url: String) -> Self {
        Self::to(url, "prefix", "", Quiet::AtOnce)
    }

    fn memcached(url: String) -> Self {
        Self::to(url, "prefix", "&max_connections=1", Quiet::Soon)
    }

    fn postgres(url: String) -> Self {
        Self::to(url, "table", "&max_connections=1&sweep=never&sslmode=disable", Quiet::Soon)
    }

    fn mariadb(url: String) -> Self {
        Self::to(url, "table", "&max_connections=1&sweep=never&ssl-mode=DISABLED", Quiet::Soon)
    }

    fn to(url: String, namespace: &'static str, more: &'static str, quiet: Quiet) -> Self {
        let after = url.split("127.0.0.1:").nth(1).expect("it is on this machine");
        let port: String = after.chars().take_while(char::is_ascii_digit).collect();
        let server = SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
        Self { server, url, namespace, more, quiet }
    }

    async fn open(&self, proxy: SocketAddr, number: u8) -> Arc<dyn Store> {
        let url = self.url.replace(&self.server.to_string(), &proxy.to_string());
        let joint = if url.contains('?') { '&' } else { '?' };
        let (namespace, more) = (self.namespace, self.more);
        let tag = Version::random().unwrap().get();
        let url = format!("{url}{joint}{namespace}=cancel_{number}_{tag:016x}&timeout=20s{more}");
        let taken = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&taken);
        let _backend = cloakroom::connect(&url).await.expect("it connects").layer(|store| {
            *slot.lock().unwrap() = Some(Arc::clone(&store));
            store
        });
        taken.lock().unwrap().take().expect("it has a store")
    }
}

#[test]
#[ignore = "needs redis: run `cargo xtask test`"]
fn dropped_verbs_leave_nothing_to_others_in_redis() {
    let server = RedisServer::builder().with_persistence(Persistence::Nothing).start().expect("a server");
    dropped_verbs_leave_nothing_to_others("redis", &Way::redis(server.url()), CANCELLATIONS);
}

#[test]
#[ignore = "needs memcached: run `cargo xtask test`"]
fn dropped_verbs_leave_nothing_to_others_in_memcached() {
    let way = Way::memcached(named_by("CLOAKROOM_TEST_MEMCACHED_URL"));
    dropped_verbs_leave_nothing_to_others("memcached", &way, CANCELLATIONS);
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn dropped_verbs_leave_nothing_to_others_in_postgres() {
    let way = Way::postgres(named_by("CLOAKROOM_TEST_POSTGRES_URL"));
    dropped_verbs_leave_nothing_to_others("postgres", &way, CANCELLATIONS_OF_A_DATABASE);
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn dropped_verbs_leave_nothing_to_others_in_mariadb() {
    let way = Way::mariadb(named_by("CLOAKROOM_TEST_MARIADB_URL"));
    dropped_verbs_leave_nothing_to_others("mariadb", &way, CANCELLATIONS_OF_A_DATABASE);
}

#[test]
#[ignore = "faults redis: run `cargo xtask faults`"]
fn a_million_dropped_verbs_leave_nothing_to_others_in_redis() {
    let server = RedisServer::builder().with_persistence(Persistence::Nothing).start().expect("a server");
    dropped_verbs_leave_nothing_to_others("redis", &Way::redis(server.url()), MANY);
}

#[test]
#[ignore = "faults memcached: run `cargo xtask faults`"]
fn a_million_dropped_verbs_leave_nothing_to_others_in_memcached() {
    let server = MemcachedServer::start().expect("a server");
    dropped_verbs_leave_nothing_to_others("memcached", &Way::memcached(server.url()), MANY);
}

#[test]
#[ignore = "faults postgres: run `cargo xtask faults`"]
fn a_million_dropped_verbs_leave_nothing_to_others_in_postgres() {
    let server = PostgresServer::start().expect("a server");
    dropped_verbs_leave_nothing_to_others("postgres", &Way::postgres(server.url()), MANY);
}

#[test]
#[ignore = "faults mariadb: run `cargo xtask faults`"]
fn a_million_dropped_verbs_leave_nothing_to_others_in_mariadb() {
    let server = MariadbServer::start().expect("a server");
    dropped_verbs_leave_nothing_to_others("mariadb", &Way::mariadb(server.url()), MANY);
}

fn named_by(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names a server"))
}

fn dropped_verbs_leave_nothing_to_others(name: &str, way: &Way, few: usize) {
    let start = Instant::now();
    let wanted = std::env::var("CLOAKROOM_CANCELLATIONS").map_or(few, |text| text.parse().unwrap());
    let each = wanted.div_ceil(usize::from(WORKERS));
    let mut total = Report::default();
    tell_long(async {
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                let way = way.clone();
                tokio::spawn(async move { work(number, &way, each, |store| store).await })
            })
            .collect();
        for worker in workers {
            total.add(worker.await.expect("no worker panicked"));
        }
    });
    println!("{name}: {} verbs dropped in {:?}: {total:#?}", total.dropped(), start.elapsed());
    assert!(total.wrong.is_empty(), "wrong answers");
    assert!(total.before_the_send > 0 && total.in_flight > 0 && total.in_the_middle_of_the_reply > 0);
    assert!(total.dropped() >= wanted);
    assert!(total.records_seen * 5 > total.answers_checked, "hardly anything was ever written");

    // The same check finds a store that hands out the reply before last, and one that mixes up keys.
    let mut late = Report::default();
    let mut mixed = Report::default();
    tell(async {
        let one_late = |store| Faulty { store, fault: Fault::OneLate(Mutex::default()) };
        late = work(0, way, 500, one_late).await;
        mixed = work(1, way, 500, |store| Faulty { store, fault: Fault::MixesKeys }).await;
    });
    println!(
        "{name}, planted: a store one reply late was wrong {} times, one that mixes up keys {} times",
        late.wrong.len(),
        mixed.wrong.len()
    );
    assert!(!late.wrong.is_empty() && !mixed.wrong.is_empty(), "a planted fault was not found");
}

/// A story's minute is too short for these.
fn tell_long(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let patience = Duration::from_secs(3 * 60 * 60);
    runtime.block_on(async { tokio::time::timeout(patience, story).await.expect("in time") });
}

/// Drops verbs one after the other on a connection of its own, and looks at the answers of those in between.
async fn work<S: Store>(
    number: u8,
    way: &Way,
    cancellations: usize,
    wrap: impl FnOnce(Arc<dyn Store>) -> S,
) -> Report {
    let proxy = Proxy::before(way.server).await.expect("a proxy");
    let store = wrap(way.open(proxy.address(), number).await);
    let mut worker = Worker {
        store,
        proxy,
        quiet: way.quiet,
        number,
        possible: BTreeMap::new(),
        late: BTreeMap::new(),
        dice: u64::from(number) + 1,
        report: Report::default(),
    };
    worker.fill().await;
    let mut dropped = 0;
    while dropped < cancellations {
        dropped += usize::from(worker.drop_one().await);
        worker.look().await;
    }
    worker.report
}

/// How a verb is dropped.
#[derive(Clone, Copy)]
enum How {
    /// After so many polls, wherever it is.
    Polls(u64),
    /// Once the request has left, the reply being held back.
    Asked,
    /// Once so many bytes of the reply have come, fewer than any reply has.
    Partly(u64),
}

struct Worker<S> {
    store: S,
    proxy: Proxy,
    quiet: Quiet,
    number: u8,
    /// What each key may hold: versions, or nothing.
    possible: BTreeMap<u8, BTreeSet<Option<u64>>>,
    /// What dropped verbs may still do to each key.
    late: BTreeMap<u8, VecDeque<Option<u64>>>,
    dice: u64,
    report: Report,
}

impl<S: Store> Worker<S> {
    /// Begins with a record under every key: chance could leave a short run without any to mix up.
    async fn fill(&mut self) {
        for key in 0..u8::try_from(KEYS).unwrap() {
            let name = name(self.number, key);
            let record = record(&name);
            // A store that mixes up keys finds another one's there.
            if self.store.create(&name, &record).await.expect("an answer") == Created::Created {
                self.possible.insert(key, [Some(record.version.get())].into());
            }
        }
    }

    /// Begins a verb on some key, and drops it at some moment; `false` if it was faster.
    async fn drop_one(&mut self) -> bool {
        let (asked, answered) = self.silence().await;
        let how = match self.roll(3) {
            0 => How::Polls(self.roll(4)),
            1 => How::Asked,
            _ => How::Partly(1 + self.roll(2)),
        };
        match how {
            How::Polls(_) => {}
            How::Asked => self.proxy.set(Network::HoldAfter(0)),
            How::Partly(bytes) => self.proxy.set(Network::HoldAfter(bytes)),
        }
        let key = self.some_key();
        let verb = self.roll(5);
        let name = name(self.number, key);
        let record = record(&name);
        let held = self.held(key);
        if verb == 1 || verb == 2 {
            self.expect(key, Some(record.version.get()));
        } else if verb == 4 {
            self.expect(key, None);
        }
        let dropped = {
            let store = &self.store;
            let verb = async {
                match verb {
                    0 => drop(store.load(&name, Freshness::Latest).await),
                    1 => drop(store.create(&name, &record).await),
                    2 => drop(store.replace(&name, held.unwrap_or(record.version), &record).await),
                    3 => drop(store.touch(&name, held.unwrap_or(record.version), LIFE).await),
                    _ => drop(store.delete(&name).await),
                }
            };
            let proxy = &self.proxy;
            let moment = async {
                match how {
                    How::Polls(polls) => {
                        for _ in 0..polls {
                            yield_now().await;
                        }
                    }
                    How::Asked => proxy.until(|seen| seen.asked() > asked).await,
                    How::Partly(bytes) => {
                        proxy.until(|seen| seen.answered() >= answered + bytes).await;
                    }
                }
            };
            tokio::select! {
                biased;
                () = verb => false,
                () = moment => true,
            }
        };
        let (asked_now, answered_now) = progress(self.proxy.seen());
        let whole = matches!(how, How::Polls(_)) && answered_now > answered;
        let place = match () {
            () if asked_now == asked => &mut self.report.before_the_send,
            () if answered_now == answered => &mut self.report.in_flight,
            () if whole => &mut self.report.after_the_reply,
            () => &mut self.report.in_the_middle_of_the_reply,
        };
        *place += usize::from(dropped);
        self.proxy.set(Network::Pass);
        dropped
    }

    /// What has passed by the time that nothing is under way any more.
    async fn silence(&self) -> (u64, u64) {
        let mut before = progress(self.proxy.seen());
        if matches!(self.quiet, Quiet::AtOnce) {
            return before;
        }
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let now = progress(self.proxy.seen());
            if now == before {
                return now;
            }
            before = now;
        }
    }

    /// Asks for two keys, neither known to the verb that was dropped, and checks every word of the answers.
    async fn look(&mut self) {
        for _ in 0..2 {
            let key = self.some_key();
            let name = name(self.number, key);
            let answer = self.store.load(&name, Freshness::Latest).await;
            self.report.answers_checked += 1;
            let problem = match answer {
                Ok(found) => self.judge(key, &name, found),
                Err(error) => Some(format!("load failed: {error:?}")),
            };
            self.report.wrong.extend(problem);
        }
    }

    fn judge(&mut self, key: u8, name: &StoreKey, found: Option<Record>) -> Option<String> {
        let version = found.as_ref().map(|record| record.version.get());
        self.report.records_seen += usize::from(found.is_some());
        if let Some(record) = &found {
            if record.payload != payload(name, record.version) {
                return Some(format!("key {key} has a foreign or mixed record"));
            }
            if record.ttl.is_zero() || record.ttl > LIFE {
                return Some(format!("key {key} lives for {:?}", record.ttl));
            }
        }
        let possible = self.possible_of(key);
        if !possible.contains(&version) {
            return Some(format!("key {key} holds a version that nobody wrote, or lost one"));
        }
        *possible = [version].into();
        let late = self.late.get(&key).cloned().unwrap_or_default();
        self.possible_of(key).extend(late);
        None
    }

    /// Notes what a verb is about to do to a key.
    fn expect(&mut self, key: u8, outcome: Option<u64>) {
        self.possible_of(key).insert(outcome);
        if matches!(self.quiet, Quiet::Soon) {
            let late = self.late.entry(key).or_default();
            late.push_back(outcome);
            if late.len() > LATE {
                late.pop_front();
            }
        }
    }

    /// A version that the key holds, if it is known for certain.
    fn held(&mut self, key: u8) -> Option<Version> {
        self.possible_of(key).iter().next_back().copied().flatten().and_then(Version::new)
    }

    fn possible_of(&mut self, key: u8) -> &mut BTreeSet<Option<u64>> {
        self.possible.entry(key).or_insert_with(|| [None].into())
    }

    fn some_key(&mut self) -> u8 {
        u8::try_from(self.roll(KEYS)).unwrap()
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % sides
    }
}

impl Report {
    const fn dropped(&self) -> usize {
        self.before_the_send + self.in_flight + self.in_the_middle_of_the_reply + self.after_the_reply
    }

    fn add(&mut self, other: Self) {
        self.before_the_send += other.before_the_send;
        self.in_flight += other.in_flight;
        self.in_the_middle_of_the_reply += other.in_the_middle_of_the_reply;
        self.after_the_reply += other.after_the_reply;
        self.answers_checked += other.answers_checked;
        self.records_seen += other.records_seen;
        self.wrong.extend(other.wrong);
    }
}

fn progress(seen: &Seen) -> (u64, u64) {
    (seen.asked(), seen.answered())
}

fn name(worker: u8, key: u8) -> StoreKey {
    let mut bytes = [key; 32];
    bytes[0] = worker;
    StoreKey::from_bytes(bytes)
}

fn record(name: &StoreKey) -> Record {
    let version = Version::random().expect("randomness");
    Record::new(payload(name, version), version, LIFE)
}

/// Says to which key and version it belongs.
fn payload(name: &StoreKey, version: Version) -> Vec<u8> {
    [name.as_bytes().as_slice(), &version.to_be_bytes()].concat().repeat(8)
}
