//! What is left of many short sessions when all of them are over: nothing.

use std::time::{Duration, Instant};

#[cfg(feature = "redis")]
use super::faulty::IndexFault;
use super::lives::{Told, live};
use super::place::Place;

/// How many sessions there are in the suite, and how many at length.
#[cfg(feature = "redis")]
const SOME: usize = 2_000;
#[cfg(feature = "redis")]
const MANY: usize = 100_000;
/// How many are enough for a fault to show.
#[cfg(feature = "redis")]
const FEW: usize = 200;
/// How soon after the last deadline nothing is left, with no process running.
#[cfg(feature = "redis")]
const AFTER: Duration = Duration::from_secs(2);

fn say(place: &Place, count: usize, told: &Told) {
    println!(
        "{}: {count} clients in {:.1?}, {} logins under way at the end; {:?}",
        place.name, told.took, told.under_way, told.outcomes
    );
    assert!(told.under_way > 0, "nothing was cut off in the middle");
}

fn until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}

#[cfg(feature = "redis")]
mod redis {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, Ordering};

    use xtask::server::{ClusterFleet, RedisServer};

    use super::*;

    /// All servers that hold keys of their own.
    struct Keyspace<'a>(Vec<&'a RedisServer>);

    /// What servers count: keys, with those that expired and were not yet removed; those of them that expire; clients.
    #[derive(Clone, Copy, Debug, Default)]
    struct Count {
        keys: usize,
        expiring: usize,
    }

    impl Keyspace<'_> {
        /// Does not look at any key, and so removes none.
        fn count(&self) -> Count {
            let mut count = Count::default();
            for server in &self.0 {
                let info = server.cli(&["INFO", "keyspace"]).unwrap();
                let Some(line) = info.lines().find_map(|line| line.strip_prefix("db0:")) else { continue };
                let number = |name: &str| -> usize {
                    let field = line.split(',').find_map(|field| field.strip_prefix(name));
                    field.unwrap().trim().parse().unwrap()
                };
                count.keys += number("keys=");
                count.expiring += number("expires=");
            }
            count
        }

        /// What a client finds, by type. A server shows no key here that has expired, and removes those that it meets.
        fn census(&self) -> BTreeMap<String, usize> {
            let mut found = BTreeMap::new();
            for (server, kind) in
                self.0.iter().flat_map(|server| ["string", "zset"].map(|kind| (server, kind)))
            {
                *found.entry(kind.to_owned()).or_default() += scan(server, &["TYPE", kind]);
            }
            let all: usize = self.0.iter().map(|server| scan(server, &[])).sum();
            assert!(all <= found.values().sum::<usize>(), "there are keys of other types");
            found
        }

        fn clients(&self) -> usize {
            let clients = |server: &&RedisServer| {
                let list = server.cli(&["CLIENT", "LIST", "TYPE", "normal"]).unwrap();
                list.lines().filter(|line| !line.contains("cmd=client")).count()
            };
            self.0.iter().map(clients).sum()
        }
    }

    fn scan(server: &RedisServer, filter: &[&str]) -> usize {
        let (mut cursor, mut found) = ("0".to_owned(), 0);
        loop {
            let words = [&["SCAN", &cursor, "COUNT", "1000"], filter].concat();
            let answer = server.cli(&words).unwrap();
            let mut lines = answer.lines();
            let next = lines.next().unwrap().to_owned();
            // The names are text, and an empty page shows as an empty line at most.
            found += lines.filter(|line| !line.is_empty()).count();
            if next == "0" {
                return found;
            }
            cursor = next;
        }
    }

    /// Lets clients live, and looks at what they leave behind. How many keys are found when it has to be none.
    fn left(place: &Place, keyspace: &Keyspace<'_>, count: usize, fault: Option<IndexFault>) -> usize {
        assert_eq!(keyspace.count().keys, 0, "somebody else is here");
        let over = AtomicBool::new(false);
        let (told, peak) = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut peak = Count::default();
                while !over.load(Ordering::Acquire) {
                    let now = keyspace.count();
                    assert_eq!(now.keys, now.expiring, "a key would never expire");
                    peak = if now.keys > peak.keys { now } else { peak };
                    std::thread::sleep(Duration::from_millis(100));
                }
                peak
            });
            let told = live(place, count, fault);
            over.store(true, Ordering::Release);
            (told, watcher.join().unwrap())
        });
        say(place, count, &told);
        let name = place.name;
        println!("{name}: {} keys at the peak; when the process ended, {:?}", peak.keys, keyspace.census());
        let mut patience = 100;
        while keyspace.clients() > 0 && patience > 0 {
            std::thread::sleep(Duration::from_millis(10));
            patience -= 1;
        }
        assert_eq!(keyspace.clients(), 0, "somebody is connected");
        let end = told.last_deadline + AFTER;
        assert!(Instant::now() < told.last_deadline, "the process ended after its sessions");
        while Instant::now() + Duration::from_millis(500) < end {
            let left = end - Instant::now();
            println!("{name}: {left:.1?} before the look, the servers count {} keys", keyspace.count().keys);
            std::thread::sleep(Duration::from_millis(500));
        }
        until(end);
        let (before, found) = (keyspace.count().keys, keyspace.census());
        println!(
            "{name}: {AFTER:?} after the last deadline, the servers count {before} keys, and a client finds {found:?}; then the \
             servers count {}",
            keyspace.count().keys
        );
        found.values().sum()
    }

    fn nothing_is_left(place: &Place, keyspace: &Keyspace<'_>, count: usize) {
        assert_eq!(left(place, keyspace, count, None), 0);
        let found = left(place, keyspace, FEW, Some(IndexFault::KeepsTooLong));
        assert!(found > 0, "nobody notices an index that keeps keys for too long");
    }

    fn in_redis(count: usize) {
        let server = RedisServer::start().unwrap();
        nothing_is_left(&Place::at("redis", &server.url()), &Keyspace(vec![&server]), count);
    }

    fn in_a_cluster(count: usize) {
        let cluster = ClusterFleet::start().unwrap();
        let primaries = cluster.primaries().unwrap();
        let servers = primaries.iter().map(|port| cluster.server(*port).unwrap()).collect();
        nothing_is_left(&Place::at("cluster", &cluster.url()), &Keyspace(servers), count);
    }

    #[test]
    #[ignore = "needs redis: run `cargo xtask test`"]
    fn nothing_is_left_in_redis() {
        in_redis(SOME);
    }

    #[test]
    #[ignore = "measures a hundred thousand sessions: needs redis"]
    fn measure_what_is_left_in_redis() {
        in_redis(MANY);
    }

    #[test]
    #[ignore = "needs cluster: run `cargo xtask test`"]
    fn nothing_is_left_in_a_cluster() {
        in_a_cluster(SOME);
    }

    #[test]
    #[ignore = "measures a hundred thousand sessions: needs cluster"]
    fn measure_what_is_left_in_a_cluster() {
        in_a_cluster(MANY);
    }
}

/// Rows of tables are taken away by whoever sweeps, so that somebody has to.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod sql {
    use super::*;

    /// For how long a list of admissions stays after its last change, in milliseconds.
    const KEPT: u64 = 120_000;
    /// For how long the sweep of a database may go on.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Lets time pass.
    #[derive(Clone, Copy)]
    enum Pace {
        /// By a change to the table, where it would take minutes.
        Quick,
        Real,
    }

    fn nothing_is_left(place: &Place, count: usize, pace: Pace, ask: &dyn Fn(&str) -> usize) {
        let (name, table) = (place.name, &place.namespace);
        let told = live(place, count, None);
        say(place, count, &told);
        let rows = |and: &str| ask(&format!("SELECT count(*) FROM {table} {and}"));
        let sessions = || rows("WHERE principal IS NOT NULL");
        println!("{name}: when the process ended, {} rows, {} of them of people", rows(""), sessions());
        assert!(rows("") > 0, "there is nothing to see");
        until(told.last_deadline);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sweeper = runtime.block_on(place.connect_with("sweep=1s"));
        wait(name, "no row of a session", told.last_deadline + PATIENCE, &|| sessions() == 0);
        println!("{name}: {} rows that keep limits, two minutes long", rows(""));
        let mut last = told.last_deadline + PATIENCE;
        match pace {
            Pace::Quick => {
                ask(&format!("UPDATE {table} SET expires_at = expires_at - {KEPT}"));
            }
            Pace::Real => last += Duration::from_millis(KEPT),
        }
        wait(name, "no row", last, &|| rows("") == 0);
        drop(sweeper);
        runtime.shutdown_timeout(Duration::from_secs(10));
    }

    fn wait(name: &str, what: &str, until: Instant, is_so: &dyn Fn() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            assert!(Instant::now() < until, "{name}: there is never {what}");
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("{name}: {what} after {:.1?}", begin.elapsed());
    }

    /// The number that a client of a database prints, if it prints one.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    fn number(answer: &str) -> usize {
        answer.trim().parse().unwrap_or_default()
    }

    #[cfg(feature = "sqlite")]
    fn in_sqlite(count: usize, pace: Pace) {
        use sqlx::Connection as _;

        let place = Place::sqlite();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = |text: &str| {
            runtime.block_on(async {
                let mut connection = sqlx::SqliteConnection::connect(place.file()).await.unwrap();
                let text = sqlx::AssertSqlSafe(text.to_owned());
                let answer =
                    sqlx::query_scalar::<_, i64>(text).fetch_optional(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                usize::try_from(answer.unwrap_or_default()).unwrap()
            })
        };
        nothing_is_left(&place, count, pace, &ask);
    }

    #[cfg(feature = "postgres")]
    fn in_postgres(count: usize, pace: Pace) {
        let server = xtask::server::PostgresServer::start().unwrap();
        let ask = |text: &str| number(&server.sql(text).unwrap());
        nothing_is_left(&Place::at("postgres", &server.url()), count, pace, &ask);
    }

    #[cfg(feature = "mysql")]
    fn in_mariadb(count: usize, pace: Pace) {
        let server = xtask::server::MariadbServer::start().unwrap();
        let ask = |text: &str| number(&server.sql(text).unwrap());
        nothing_is_left(&Place::at("mariadb", &server.url()), count, pace, &ask);
    }

    /// How many sessions there are where each of them waits for a database, and is swept in small batches.
    const SOME: usize = 1_000;
    const MANY: usize = 10_000;

    #[cfg(feature = "sqlite")]
    #[test]
    fn nothing_is_left_in_sqlite() {
        in_sqlite(SOME, Pace::Quick);
    }

    #[cfg(feature = "sqlite")]
    #[test]
    #[ignore = "measures ten thousand sessions in a file"]
    fn measure_what_is_left_in_sqlite() {
        in_sqlite(MANY, Pace::Real);
    }

    #[cfg(feature = "postgres")]
    #[test]
    #[ignore = "needs postgres: run `cargo xtask test`"]
    fn nothing_is_left_in_postgres() {
        in_postgres(SOME, Pace::Quick);
    }

    #[cfg(feature = "postgres")]
    #[test]
    #[ignore = "measures ten thousand sessions: needs postgres"]
    fn measure_what_is_left_in_postgres() {
        in_postgres(MANY, Pace::Real);
    }

    #[cfg(feature = "mysql")]
    #[test]
    #[ignore = "needs mariadb: run `cargo xtask test`"]
    fn nothing_is_left_in_mariadb() {
        in_mariadb(SOME, Pace::Quick);
    }

    #[cfg(feature = "mysql")]
    #[test]
    #[ignore = "measures ten thousand sessions: needs mariadb"]
    fn measure_what_is_left_in_mariadb() {
        in_mariadb(MANY, Pace::Real);
    }
}
