//! What administrators do to a database under load, and descriptors that run out.

mod standby;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cloakroom::ErrorKind;
use cloakroom_faults::{Answer, End, Event, Moment, Network};
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::sleep;
use xtask::server::{MariadbServer, PostgresServer};

use crate::bench::{Bench, Effort, RECOVERY, run, run_for, until_it_works, workload};
use crate::embedded::Scratch;
use crate::servers::{Backend, MARIADB, POSTGRES, Server, with_parameter};

const DEADLINE: Duration = Duration::from_secs(1);

/// A server that an administrator speaks to while clients use it.
trait Database: Server + Send + Sync + 'static {
    const BACKEND: Backend;
    /// What ends each statement of the clients' next connections after 100 ms.
    const SHORT: &'static str;
    /// What takes that back.
    const LONG: &'static str;
    /// What holds every row for 400 ms.
    const HOLD: &'static str;
    /// What makes the server read-only, and what takes that back.
    const READ_ONLY: [&'static [&'static str]; 2];

    fn begin() -> Self;
    fn tell(&self, statement: &str);
    fn limit_descriptors(&self, most: Option<u64>);
}

impl Database for PostgresServer {
    const BACKEND: Backend = POSTGRES;
    const SHORT: &'static str = "ALTER ROLE app SET statement_timeout = '100ms'";
    const LONG: &'static str = "ALTER ROLE app RESET statement_timeout";
    const HOLD: &'static str = "SELECT count(*) FROM (SELECT id FROM cloakroom_sessions FOR UPDATE) AS held; \
        SELECT pg_sleep(0.4)";
    const READ_ONLY: [&'static [&'static str]; 2] = [
        &["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"],
        &["ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"],
    ];

    fn begin() -> Self {
        Self::start().expect("a postgres")
    }

    fn tell(&self, statement: &str) {
        self.sql(statement).expect("an answer");
    }

    fn limit_descriptors(&self, most: Option<u64>) {
        self.limit_descriptors(most).expect("a limit");
    }
}

impl Database for MariadbServer {
    const BACKEND: Backend = MARIADB;
    const SHORT: &'static str = "ALTER USER app@'%' WITH MAX_STATEMENT_TIME 0.1";
    const LONG: &'static str = "ALTER USER app@'%' WITH MAX_STATEMENT_TIME 0";
    const HOLD: &'static str =
        "BEGIN; SELECT count(version) FROM cloakroom_sessions FOR UPDATE; DO SLEEP(0.4); COMMIT";
    const READ_ONLY: [&'static [&'static str]; 2] =
        [&["SET GLOBAL read_only = ON"], &["SET GLOBAL read_only = OFF"]];

    fn begin() -> Self {
        Self::start().expect("a mariadbd")
    }

    fn tell(&self, statement: &str) {
        self.sql(statement).expect("an answer");
    }

    fn limit_descriptors(&self, most: Option<u64>) {
        self.limit_descriptors(most).expect("a limit");
    }
}

/// A server that the bench and the administrator share.
struct Shared<D>(Arc<D>);

impl<D: Database> Server for Shared<D> {
    fn url(&self) -> String {
        self.0.url()
    }

    fn kill9(&mut self) {
        panic!("it is shared");
    }

    fn restart(&mut self) {
        panic!("it is shared");
    }

    fn stop(&self) {
        self.0.stop();
    }

    fn cont(&self) {
        self.0.cont();
    }

    fn end_connections(&self) -> usize {
        self.0.end_connections()
    }
}

fn bench<D: Database>() -> (Arc<D>, Bench) {
    let server = Arc::new(block_in_place(D::begin));
    let bench = Bench::over(D::BACKEND, Box::new(Shared(Arc::clone(&server))), DEADLINE);
    (server, bench)
}

/// Statements wait for rows that somebody holds, and the server ends them: no effect, and soon all is well.
async fn statements_are_cut_short<D: Database>(effort: Effort) {
    let (server, mut bench) = bench::<D>();
    let nodes = bench.nodes().await;
    block_in_place(|| server.tell(D::SHORT));
    let mut ended = 0;
    bench.harm(|server| ended = server.end_connections());
    assert!(ended > 0, "who is there keeps his statements unlimited");
    let clients = workload().start(&nodes);
    sleep(Duration::from_millis(300)).await;
    let struck = bench.busy_moment().await;
    for _ in 0..3 * effort.rounds() {
        let holder = Arc::clone(&server);
        spawn_blocking(move || holder.tell(D::HOLD)).await.expect("they were held");
        sleep(Duration::from_millis(50)).await;
    }
    // Whoever connects from here on looks at what is there in peace.
    block_in_place(|| server.tell(D::LONG));
    let over = bench.history.now();
    until_it_works(&nodes[0]).await;
    until_it_works(&nodes[1]).await;
    let figures = bench.close("statements cut short", D::BACKEND.rules(), clients, [struck, over]).await;
    // All of it may be tried again, and most of it had no effect for certain.
    assert!(figures.errors.contains_key("Unavailable"), "no statement was cut short");
    let honest = ["Unavailable", "Timeout", "Ambiguous"];
    assert!(figures.errors.keys().all(|kind| honest.contains(&kind.as_str())), "{:?}", figures.errors);
}

/// The server takes no writes for a while, as when it is to be replaced: those say so, and looks go on.
async fn server_is_read_only_for_a_while<D: Database>(effort: Effort) {
    let (server, bench) = bench::<D>();
    let nodes = bench.nodes().await;
    let clients = workload().start(&nodes);
    let (mut looks, mut windows) = (0, Vec::new());
    for _ in 0..2 * effort.rounds() {
        sleep(Duration::from_millis(300)).await;
        let struck = bench.busy_moment().await;
        block_in_place(|| D::READ_ONLY[0].iter().for_each(|statement| server.tell(statement)));
        let set = bench.history.now();
        sleep(Duration::from_millis(500)).await;
        let unset = bench.history.now();
        block_in_place(|| D::READ_ONLY[1].iter().for_each(|statement| server.tell(statement)));
        windows.push((struck, bench.history.now()));
        let within = bench.history.events();
        let within = within.iter().filter(|event| event.invoked > set && event.ended < Some(unset));
        looks += within.filter(|event| is_answered(event) && !event.act.is_write()).count();
    }
    let (struck, over) = *windows.last().expect("a round");
    until_it_works(&nodes[0]).await;
    until_it_works(&nodes[1]).await;
    let figures = bench.close("read-only and back", D::BACKEND.rules(), clients, [struck, over]).await;
    let written = first_write(&bench.history.events(), over);
    println!("  {looks} looks were answered meanwhile; the first write {written:.1?} after the return");
    assert!(written <= RECOVERY + bench.late(over.at, over.at + written), "{written:?}");
    assert!(looks > 0, "nobody could even look");
    assert!(figures.errors.contains_key("Misconfigured"), "no write was refused");
    // Connections at which a write is refused are replaced, and on a slow machine that takes a while.
    let honest = ["Misconfigured", "Unavailable", "Timeout", "Ambiguous"];
    assert!(figures.errors.keys().all(|kind| honest.contains(&kind.as_str())), "{:?}", figures.errors);
}

fn is_answered(event: &Event) -> bool {
    matches!(event.end, End::Answered(_))
}

/// How long after `over` the first write was acknowledged that was asked for after it.
fn first_write(events: &[Event], over: Moment) -> Duration {
    let written = |event: &&Event| {
        matches!(event.end, End::Answered(Answer::Created | Answer::Replaced)) && event.invoked > over
    };
    let first = events.iter().filter(written).filter_map(|event| event.ended).min();
    first.expect("a write succeeds again").at.saturating_sub(over.at)
}

/// The server can open nothing more: it takes no connection. Those that it had are reset, so that new ones are needed.
async fn server_has_no_descriptor_left<D: Database>(effort: Effort) {
    for _ in 0..effort.rounds() {
        let (server, bench) = bench::<D>();
        let proxy = bench.proxy().await;
        let nodes = bench.nodes_behind(&proxy).await;
        let clients = workload().start(&nodes);
        sleep(Duration::from_millis(300)).await;
        let struck = bench.busy_moment().await;
        block_in_place(|| server.limit_descriptors(Some(3)));
        proxy.reset_all().await;
        proxy.set(Network::Pass);
        let reset = bench.history.now();
        let url = with_parameter(&bench.server.url_at(proxy.address()), "connect_timeout=500ms");
        let refused = cloakroom::connect(&url).await.expect_err("it takes no connection");
        sleep(Duration::from_millis(500)).await;
        let answered = bench.history.events();
        let answered = answered.iter().filter(|event| is_answered(event) && event.invoked > reset).count();
        block_in_place(|| server.limit_descriptors(None));
        let over = bench.history.now();
        until_it_works(&nodes[0]).await;
        until_it_works(&nodes[1]).await;
        // It greets all who gave up meanwhile before it greets anybody else.
        let mut tries = 0;
        while cloakroom::connect(&bench.server.url()).await.is_err() {
            tries += 1;
            assert!(tries < 20, "no new node can come any more");
        }
        let figures = bench.close("no descriptor left", D::BACKEND.rules(), clients, [struck, over]).await;
        println!("  a new node meanwhile: {:?}, and {tries} tries in vain afterwards", refused.kind());
        assert_eq!(answered, 0, "it took connections all the same");
        assert!(matches!(refused.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{refused:?}");
        assert!(figures.errors.contains_key("Unavailable"), "{:?}", figures.errors);
        let honest = ["Unavailable", "Timeout", "Ambiguous"];
        assert!(figures.errors.keys().all(|kind| honest.contains(&kind.as_str())), "{:?}", figures.errors);
    }
}

/// The application can open nothing more: what needs a new connection is `Unavailable`, and then all is well again.
fn application_has_no_descriptor_left(name: &str, url: &str) {
    // Another process: its limit holds for all that runs in it.
    let limited = "ulimit -n 128; exec \"$0\" \"$1\"";
    let output = Command::new("sh").args(["-c", limited, env!("CARGO_BIN_EXE_cramped"), url]).output();
    let output = output.expect("a shell");
    println!("{name}, an application: {}", String::from_utf8_lossy(&output.stdout).trim_end());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn application_with_a_file_has_no_descriptor_left() {
    application_has_no_descriptor_left("sqlite", &Scratch::new().url());
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn application_with_postgres_has_no_descriptor_left() {
    application_has_no_descriptor_left("postgres", &PostgresServer::begin().url());
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn application_with_mariadb_has_no_descriptor_left() {
    application_has_no_descriptor_left("mariadb", &MariadbServer::begin().url());
}

/// Makes a test of each run for each database, one in the suite and one at length.
macro_rules! on_both {
    ($($run:ident)+) => {
        mod postgres {
            $(
                #[test]
                #[ignore = "needs postgres: run `cargo xtask test`"]
                fn $run() {
                    super::run(super::$run::<xtask::server::PostgresServer>(super::Effort::Bounded));
                }
            )+
        }

        mod postgres_at_length {
            use super::Effort;
            $(
                #[test]
                #[ignore = "faults postgres: run `cargo xtask faults`"]
                fn $run() {
                    super::run_for(Effort::Long, super::$run::<xtask::server::PostgresServer>(Effort::Long));
                }
            )+
        }

        mod mariadb {
            $(
                #[test]
                #[ignore = "needs mariadb: run `cargo xtask test`"]
                fn $run() {
                    super::run(super::$run::<xtask::server::MariadbServer>(super::Effort::Bounded));
                }
            )+
        }

        mod mariadb_at_length {
            use super::Effort;
            $(
                #[test]
                #[ignore = "faults mariadb: run `cargo xtask faults`"]
                fn $run() {
                    super::run_for(Effort::Long, super::$run::<xtask::server::MariadbServer>(Effort::Long));
                }
            )+
        }
    };
}

on_both! {
    statements_are_cut_short
    server_is_read_only_for_a_while
    server_has_no_descriptor_left
}
