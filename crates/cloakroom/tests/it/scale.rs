//! A million sessions: what a load costs among them, and while a tenth of them expires.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use cloakroom::{
    Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreErrorKind,
    StoreKey, Touched, Version, async_trait,
};

/// How many sessions a small service has, and a large one.
const FEW: u64 = 1_000;
const MANY: u64 = 1_000_000;
/// How many sessions expire within a moment.
const EXPIRING: u64 = 100_000;
/// The bytes of a sealed session of ten values.
const PAYLOAD: usize = 700;
/// How many writers fill a store.
const WRITERS: u64 = 64;
/// How many loads are timed in one round, and how many rounds alternate.
const LOADS: u64 = 2_000;
const ROUNDS: u64 = 7;
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// Connects to a namespace of its own behind the URL that a variable holds.
#[cfg(feature = "redis")]
async fn open(variable: &str, namespace: &str, more: &str) -> Arc<dyn Store> {
    let url = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names a server"));
    connect(&url, namespace, more).await
}

async fn connect(url: &str, namespace: &str, more: &str) -> Arc<dyn Store> {
    let tag = Version::random().unwrap().get();
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = match namespace {
        "" => url.to_owned(),
        _ => format!("{url}{joint}{namespace}=scale_{tag:016x}{more}"),
    };
    let taken = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&taken);
    let _backend = cloakroom::connect(&url).await.unwrap().layer(|store| {
        *slot.lock().unwrap() = Some(Arc::clone(&store));
        store
    });
    taken.lock().unwrap().take().expect("there is a store behind this URL")
}

/// The key of session `n`, as evenly spread as digests are.
fn key(n: u64) -> StoreKey {
    let mut bytes = [0; 32];
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for chunk in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
    }
    StoreKey::from_bytes(bytes)
}

/// Creates session `n`. Of so many writers at once some wait too long for a connection, and try again.
async fn put(store: &Arc<dyn Store>, n: u64, ttl: Duration) {
    let record = Record::new(vec![7; PAYLOAD], Version::new(n + 1).unwrap(), ttl);
    loop {
        match store.create(&key(n), &record).await {
            Ok(created) => return assert_eq!(created, Created::Created),
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Creates the sessions of a range, many at a time, each to live for `ttl`.
async fn fill(store: &Arc<dyn Store>, range: std::ops::Range<u64>, ttl: Duration) {
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (store, range) = (Arc::clone(store), range.clone());
        writers.push(tokio::spawn(async move {
            let step = usize::try_from(WRITERS).unwrap();
            for n in range.skip(usize::try_from(writer).unwrap()).step_by(step) {
                put(&store, n, ttl).await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Times loads of sessions of `0..among`, one after the other.
async fn loads(store: &Arc<dyn Store>, among: u64, count: u64, seed: u64) -> Vec<Duration> {
    let mut took = Vec::new();
    for n in 0..count {
        let n = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xd134_2543_de82_ef95)) % among;
        let begin = Instant::now();
        let record = store.load(&key(n), Freshness::Latest).await.unwrap();
        took.push(begin.elapsed());
        assert!(record.is_some_and(|record| record.version.get() == n + 1), "session {n} is another one");
    }
    took
}

/// The value below which `percent` of them are.
fn percentile(took: &mut [Duration], percent: usize) -> Duration {
    took.sort_unstable();
    took[(took.len() * percent / 100).min(took.len() - 1)]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// What a store does with many.
struct Scale {
    /// What the middle load costs.
    among_few: Duration,
    among_many: Duration,
    /// How long a creation takes, of many at a time.
    creation: Duration,
}

/// Loads among a thousand and among a million, in turns.
async fn measure_scale(name: &str, few: &Arc<dyn Store>, many: &Arc<dyn Store>) -> Scale {
    fill(few, 0..FEW, LONG).await;
    let begin = Instant::now();
    fill(many, 0..MANY, LONG).await;
    let creation = begin.elapsed().div_f64(MANY as f64);
    let rate = creation.as_secs_f64().recip();
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    // The first round warms caches and connections on both sides.
    for round in 0..=ROUNDS {
        let (a, b) = (loads(few, FEW, LOADS, round).await, loads(many, MANY, LOADS, round).await);
        if round > 0 {
            of_few.extend(a);
            of_many.extend(b);
        }
    }
    let (few_mid, many_mid) = (percentile(&mut of_few, 50), percentile(&mut of_many, 50));
    println!(
        "{name}: created {rate:.0}/s; a load among a thousand {few_mid:.1?}, among a million {many_mid:.1?}: \
         {:.2} x; p99 {:.1?} and {:.1?}",
        ratio(many_mid, few_mid),
        percentile(&mut of_few, 99),
        percentile(&mut of_many, 99),
    );
    Scale { among_few: few_mid, among_many: many_mid, creation }
}

/// Loads among a million before and while a tenth of a million expires: how much the slowest ones rise.
async fn measure_storm(name: &str, many: &Arc<dyn Store>, creation: Duration) -> f64 {
    // All of them at about the same moment, whatever the filling takes.
    let begin = Instant::now();
    let life = Duration::from_secs(40) + creation.mul_f64(EXPIRING as f64 * 1.5);
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(many);
        writers.push(tokio::spawn(async move {
            let mut n = MANY + writer;
            while n < MANY + EXPIRING {
                let left = life.saturating_sub(begin.elapsed());
                put(&store, n, left).await;
                n += WRITERS;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let filled = begin.elapsed();
    assert!(
        filled + Duration::from_secs(8) < life,
        "filling took {filled:?}, and all would expire meanwhile"
    );
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    while begin.elapsed() + Duration::from_secs(1) < life {
        quiet.extend(loads(many, MANY, 100, begin.elapsed().subsec_nanos().into()).await);
    }
    tokio::time::sleep_until((begin + life).into()).await;
    while begin.elapsed() < life + Duration::from_secs(15) {
        busy.extend(loads(many, MANY, 100, begin.elapsed().subsec_nanos().into()).await);
    }
    assert_eq!(many.load(&key(MANY), Freshness::Latest).await.unwrap(), None, "it has expired");
    let (before, during) = (percentile(&mut quiet, 99), percentile(&mut busy, 99));
    let storm = ratio(during, before);
    println!(
        "{name}: p99 of {} loads before a tenth of a million expires {before:.1?}, of {} while it does and is \
         swept {during:.1?}: {storm:.2} x; the longest {:.1?}",
        quiet.len(),
        busy.len(),
        percentile(&mut busy, 100),
    );
    storm
}

/// Both, of a store behind a URL.
async fn measure(name: &str, few: Arc<dyn Store>, many: Arc<dyn Store>) {
    let Scale { among_few, among_many, creation } = measure_scale(name, &few, &many).await;
    let storm = measure_storm(name, &many, creation).await;
    let scale = ratio(among_many, among_few);
    assert!(scale <= 1.2, "a load among a million costs {scale:.2} times that among a thousand");
    assert!(storm <= 2.0, "p99 of loads rises to {storm:.2} times while sessions expire");
}

/// A map behind a lock: what a process pays for a million of anything, whose bytes its caches cannot hold.
#[derive(Debug, Default)]
struct Floor(RwLock<HashMap<StoreKey, Record>>);

#[async_trait]
impl Store for Floor {
    async fn load(&self, key: &StoreKey, _freshness: Freshness) -> Result<Option<Record>, StoreError> {
        Ok(self.0.read().unwrap().get(key).cloned())
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.0.write().unwrap().insert(*key, record.clone());
        Ok(Created::Created)
    }

    async fn replace(&self, _: &StoreKey, _: Version, _: &Record) -> Result<Replaced, StoreError> {
        Err(StoreError::new(StoreErrorKind::Other, "floor"))
    }

    async fn touch(&self, _: &StoreKey, _: Version, _: Duration) -> Result<Touched, StoreError> {
        Err(StoreError::new(StoreErrorKind::Other, "floor"))
    }

    async fn delete(&self, _: &StoreKey) -> Result<Deleted, StoreError> {
        Err(StoreError::new(StoreErrorKind::Other, "floor"))
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

/// Without a network or a disk, what a load costs among many is what the memory of the machine costs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a million sessions in this process"]
async fn measure_a_million_in_memory() {
    let floor: [Arc<dyn Store>; 2] = [Arc::new(Floor::default()), Arc::new(Floor::default())];
    let of_a_map = measure_scale("a map behind a lock", &floor[0], &floor[1]).await.among_many;
    let stores = [
        connect("memory:?max_entries=3000000", "", "").await,
        connect("memory:?max_entries=3000000", "", "").await,
    ];
    let Scale { among_many: ours, creation, .. } = measure_scale("memory", &stores[0], &stores[1]).await;
    let storm = measure_storm("memory", &stores[1], creation).await;
    let above = ratio(ours, of_a_map);
    assert!(above <= 1.3, "a load among a million costs {above:.2} times that in a map behind a lock");
    assert!(storm <= 2.0, "p99 of loads rises to {storm:.2} times while sessions expire");
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a million sessions: needs redis"]
async fn measure_a_million_in_redis() {
    const URL: &str = "CLOAKROOM_TEST_REDIS_URL";
    measure("redis", open(URL, "prefix", "").await, open(URL, "prefix", "").await).await;
}

/// In the memory of the machine where that has a file system: on a disk, each of a million writes waits for a sync.
#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a million sessions in a file"]
async fn measure_a_million_in_sqlite() {
    let memory = std::path::Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let directory = parent.join(format!("cloakroom-scale-{}", Version::random().unwrap().get()));
    std::fs::create_dir(&directory).unwrap();
    let url = format!("sqlite:{}", directory.join("sessions.db").display());
    measure("sqlite", connect(&url, "table", "").await, connect(&url, "table", "&sweep=1s").await).await;
    std::fs::remove_dir_all(directory).unwrap();
}

/// On a server of its own, with room for them, as the next one.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a million sessions: needs postgres"]
async fn measure_a_million_in_postgres() {
    let room = ["-c", "shared_buffers=2GB"];
    let server = xtask::server::PostgresServer::builder().with_arguments(room).start().unwrap();
    let url = server.url();
    measure("postgres", connect(&url, "table", "").await, connect(&url, "table", "&sweep=1s").await).await;
}

#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a million sessions: needs mariadb"]
async fn measure_a_million_in_mariadb() {
    let room = ["--innodb-buffer-pool-size=2G"];
    let server = xtask::server::MariadbServer::builder().with_arguments(room).start().unwrap();
    let url = server.url();
    measure("mariadb", connect(&url, "table", "").await, connect(&url, "table", "&sweep=1s").await).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a million sessions: needs cluster"]
async fn measure_a_million_in_a_cluster() {
    const URL: &str = "CLOAKROOM_TEST_CLUSTER_URL";
    measure("cluster", open(URL, "prefix", "").await, open(URL, "prefix", "").await).await;
}

/// On a server of its own, with room for them.
#[cfg(feature = "memcached")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures a million sessions: needs memcached"]
async fn measure_a_million_in_memcached() {
    let server = xtask::server::MemcachedServer::builder().with_arguments(["-m", "3072"]).start().unwrap();
    let url = server.url();
    measure("memcached", connect(&url, "prefix", "").await, connect(&url, "prefix", "").await).await;
}
