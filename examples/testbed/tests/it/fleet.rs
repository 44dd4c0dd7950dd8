//! Three instances behind nginx, as `cargo run -p fleet` shows them, and what each of its checks is there to find.

use std::path::Path;
use std::time::Duration;

use cloakroom_conformance::run;
use fleet::{
    Adapter, Adapters, Ending, Error, Figures, Fleet, Load, Plan, Result, Ring, SharedStore, Tabs,
    change_keys, one_login, roll, shared_cache,
};
use tokio::time::sleep;
use xtask::server::RedisServer;

use crate::stories::tag;

/// How many are logged in.
const VISITORS: usize = 6;
/// How many requests each of them makes at least, before and after.
const AROUND: u64 = 6;

/// A place of one's own in the store of the test run.
fn store(variable: &str, namespace: &str) -> SharedStore {
    let url = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names a server"));
    let joint = if url.contains('?') { '&' } else { '?' };
    shared(&format!("{url}{joint}{namespace}=fleet_{:016x}", tag()))
}

fn shared(url: &str) -> SharedStore {
    SharedStore::parse(url).expect("a store that instances share")
}

fn redis() -> SharedStore {
    store("CLOAKROOM_TEST_REDIS_URL", "prefix")
}

fn plan(store: &SharedStore, ring: &Ring) -> Plan {
    Plan::new(Path::new(env!("CARGO_BIN_EXE_testbed")), Adapters::Mixed, store, ring)
}

fn ring() -> Ring {
    Ring::made_up().expect("randomness")
}

/// Three instances and their visitors, with mistakes or without.
async fn started(plan: Plan, tabs: Tabs) -> (Fleet, Load) {
    let fleet = Fleet::start(plan).await.expect("a fleet");
    let load = Load::start(&fleet, VISITORS, tabs).await.expect("visitors");
    load.go_on(AROUND).await.expect("visitors who go on");
    (fleet, load)
}

/// Wants the check to say that a promise was broken, in these words.
#[track_caller]
fn is_found<T>(check: Result<T>, says: &str) {
    match check {
        Err(Error::Broken(sentence)) => {
            println!("found: {sentence}");
            assert!(sentence.contains(says), "not for that reason: {sentence}");
        }
        Err(error) => panic!("the check could not be made: {error}"),
        Ok(_) => panic!("the check finds nothing"),
    }
}

/// All promises, over one store.
async fn keeps_its_promises(store: SharedStore) {
    let (old, new) = (ring(), ring());
    let (mut fleet, load) = started(plan(&store, &old), store.tabs()).await;
    println!("{}", one_login(&fleet).await.expect("one login for all"));
    println!("{}", change_keys(&mut fleet, &load, &old, &new).await.expect("another secret"));
    println!("{}", roll(&mut fleet, &load, Ending::Asked, None).await.expect("restarts"));
    load.go_on(AROUND).await.expect("visitors who go on");
    println!("{}", load.close().await.expect("no logout, and nothing lost"));
    println!("{}", shared_cache(&fleet).await.expect("a cache that mixes nobody up"));
}

/// Restarts of one kind, and what the visitors say.
async fn restarts(adapters: Adapters, ending: Ending) {
    let program = Path::new(env!("CARGO_BIN_EXE_testbed"));
    let (mut fleet, load) = started(Plan::new(program, adapters, &redis(), &ring()), Tabs::Two).await;
    println!("{}", roll(&mut fleet, &load, ending, None).await.expect("restarts"));
    load.go_on(AROUND).await.expect("visitors who go on");
    let figures = load.close().await.expect("no logout, and nothing lost");
    println!("{figures}");
    assert!(figures.by.iter().all(|answers| *answers > 0), "an instance was never asked: {figures}");
    assert!(figures.acknowledged > 0, "nobody wrote: {figures}");
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn one_login_is_seen_by_every_instance() {
    run(async {
        let fleet = Fleet::start(plan(&redis(), &ring())).await.expect("a fleet");
        println!("{}", one_login(&fleet).await.expect("one login for all"));
    });
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn restarts_of_axum_log_nobody_out_and_lose_nothing() {
    run(restarts(Adapters::All(Adapter::Axum), Ending::Asked));
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn restarts_of_actix_log_nobody_out_and_lose_nothing() {
    run(restarts(Adapters::All(Adapter::Actix), Ending::Asked));
}

/// Whoever has nothing to do any more leaves no request without an answer.
#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn drained_instances_leave_no_request_without_an_answer() {
    run(restarts(Adapters::Mixed, Ending::Drained));
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn crashes_of_instances_lose_nothing_that_was_acknowledged() {
    run(restarts(Adapters::Mixed, Ending::Killed));
}

/// The headers say the same thing three times over: a cache that overlooks two of them still keeps nothing.
#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn cache_control_alone_keeps_a_cache_away() {
    run(async {
        let plan = plan(&redis(), &ring()).with_directives(["proxy_ignore_headers Set-Cookie Vary;"]);
        let fleet = Fleet::start(plan).await.expect("a fleet");
        println!("{}", shared_cache(&fleet).await.expect("a cache that mixes nobody up"));
    });
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn a_fleet_over_redis_keeps_its_promises() {
    run(keeps_its_promises(redis()));
}

#[test]
#[ignore = "needs postgres and nginx: run `cargo xtask test`"]
fn a_fleet_over_postgres_keeps_its_promises() {
    run(keeps_its_promises(store("CLOAKROOM_TEST_POSTGRES_URL", "table")));
}

#[test]
#[ignore = "needs mariadb and nginx: run `cargo xtask test`"]
fn a_fleet_over_mariadb_keeps_its_promises() {
    run(keeps_its_promises(store("CLOAKROOM_TEST_MARIADB_URL", "table")));
}

#[test]
#[ignore = "needs memcached and nginx: run `cargo xtask test`"]
fn a_fleet_over_memcached_keeps_its_promises() {
    run(keeps_its_promises(store("CLOAKROOM_TEST_MEMCACHED_URL", "prefix")));
}

#[test]
#[ignore = "needs nginx: run `cargo xtask test`"]
fn a_fleet_without_a_store_keeps_its_promises() {
    run(keeps_its_promises(shared("cookie:")));
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn an_instance_with_another_key_ring_is_found() {
    run(async {
        let plan = plan(&redis(), &ring()).with_ring_of_the_second(&ring());
        let fleet = Fleet::start(plan).await.expect("a fleet");
        is_found(one_login(&fleet).await, "\"principal\":null");
    });
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn an_instance_with_a_store_of_its_own_is_found() {
    run(async {
        let plan = plan(&redis(), &ring()).with_store_of_the_second("memory:");
        let fleet = Fleet::start(plan).await.expect("a fleet");
        is_found(one_login(&fleet).await, "\"principal\":null");
    });
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn a_secret_that_goes_before_the_new_one_was_known_is_found() {
    run(async {
        let (mut fleet, load) = started(plan(&redis(), &ring()), Tabs::Two).await;
        roll(&mut fleet, &load, Ending::Drained, Some(&ring())).await.expect("restarts");
        is_found(load.close().await, "was logged out");
    });
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn a_store_that_is_set_back_is_found() {
    run(async {
        let server = RedisServer::start().expect("a redis-server");
        let copy = |pattern: &str, from: &str, to: &str| {
            let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
                          redis.call('COPY', key, (string.gsub(key, ARGV[2], ARGV[3])), 'REPLACE') end";
            server.cli(&["EVAL", script, "0", pattern, from, to]).expect("an answer");
        };
        let (_fleet, load) = started(plan(&shared(&server.url()), &ring()), Tabs::Two).await;
        copy("cloakroom:*", "^", "old-");
        load.go_on(4 * AROUND).await.expect("visitors who go on");
        copy("old-*", "^old%-", "");
        is_found(load.close().await, "acknowledged additions of visitor-");
    });
}

/// An instance that stands still, longer than the proxy waits, and then goes on with what it had.
async fn one_stands_still(fleet: &Fleet) -> Result<Figures> {
    let load = Load::start(fleet, 2 * VISITORS, Tabs::Two).await?;
    load.go_on(AROUND).await?;
    fleet.freeze_the_first()?;
    sleep(Duration::from_millis(1300)).await;
    fleet.thaw_the_first()?;
    // It is done with what it had, and the proxy asks it again.
    sleep(Duration::from_millis(1300)).await;
    load.close().await
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn a_proxy_that_repeats_writes_is_found() {
    run(async {
        let impatient = || plan(&redis(), &ring()).with_directives(["proxy_read_timeout 1s;"]);
        let fleet = Fleet::start(impatient()).await.expect("a fleet");
        let figures = one_stands_still(&fleet).await.expect("no logout, and nothing done twice");
        println!("{figures}");
        assert!(figures.in_doubt.contains_key("504"), "nothing was on its way to the frozen one: {figures}");
        let repeating = ["proxy_next_upstream error timeout non_idempotent;"];
        let fleet = Fleet::start(impatient().with_directives(repeating)).await.expect("a fleet");
        // Whether the instance is through with a write before it sees that nobody waits for it is a matter of luck.
        let mut seen = one_stands_still(&fleet).await;
        for _ in 0..5 {
            if seen.is_ok() {
                seen = one_stands_still(&fleet).await;
            }
        }
        is_found(seen, "times without an answer, and has");
    });
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn a_cache_that_ignores_headers_is_found() {
    run(async {
        let ignoring = ["proxy_ignore_headers Cache-Control Set-Cookie Vary;"];
        let plan = plan(&redis(), &ring()).with_directives(ignoring);
        let fleet = Fleet::start(plan).await.expect("a fleet");
        is_found(shared_cache(&fleet).await, "GET /");
    });
}

#[test]
#[ignore = "needs redis and nginx: run `cargo xtask test`"]
fn a_cache_that_keeps_nothing_is_found() {
    run(async {
        let plan = plan(&redis(), &ring()).with_directives(["proxy_cache off;"]);
        let fleet = Fleet::start(plan).await.expect("a fleet");
        is_found(shared_cache(&fleet).await, "nothing was proved");
    });
}
