//! A server of one test, whichever it is.

use cloakroom_sqlx::{Dialect, SqlStore};
use sqlx::{MySql, Postgres};
use xtask::server::{MariadbServer, PostgresServer};

pub(crate) trait Machine: Sized + Send + Sync + 'static {
    type Dialect: Dialect;

    fn begin() -> Self;
    fn address(&self) -> String;
    fn port(&self) -> u16;
    fn crash(&mut self);
    fn come_back(&mut self);
    fn freeze(&self);
    fn thaw(&self);
    fn run(&self, statements: &str) -> String;
    /// Ends all connections of the stores, and tells how many.
    fn terminate(&self) -> usize;

    /// The same server by another port.
    fn address_by(&self, port: u16) -> String {
        self.address().replace(&format!(":{}/", self.port()), &format!(":{port}/"))
    }
}

pub(crate) async fn connect<M: Machine>(url: &str) -> SqlStore<M::Dialect> {
    SqlStore::connect(url).await.expect("the server")
}

impl Machine for PostgresServer {
    type Dialect = Postgres;

    fn begin() -> Self {
        Self::start().expect("a server")
    }

    fn address(&self) -> String {
        self.url()
    }

    fn port(&self) -> u16 {
        self.port()
    }

    fn crash(&mut self) {
        tokio::task::block_in_place(|| self.kill9());
    }

    fn come_back(&mut self) {
        tokio::task::block_in_place(|| self.restart()).expect("the server again");
    }

    fn freeze(&self) {
        tokio::task::block_in_place(|| self.stop()).expect("a frozen server");
    }

    fn thaw(&self) {
        tokio::task::block_in_place(|| self.cont()).expect("a thawed server");
    }

    fn run(&self, statements: &str) -> String {
        tokio::task::block_in_place(|| self.sql(statements)).expect("an answer")
    }

    fn terminate(&self) -> usize {
        let ended =
            self.run("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'app'");
        ended.trim().parse().expect("a number")
    }
}

impl Machine for MariadbServer {
    type Dialect = MySql;

    fn begin() -> Self {
        Self::start().expect("a server")
    }

    fn address(&self) -> String {
        self.url()
    }

    fn port(&self) -> u16 {
        self.port()
    }

    fn crash(&mut self) {
        tokio::task::block_in_place(|| self.kill9());
    }

    fn come_back(&mut self) {
        tokio::task::block_in_place(|| self.restart()).expect("the server again");
    }

    fn freeze(&self) {
        tokio::task::block_in_place(|| self.stop()).expect("a frozen server");
    }

    fn thaw(&self) {
        tokio::task::block_in_place(|| self.cont()).expect("a thawed server");
    }

    fn run(&self, statements: &str) -> String {
        tokio::task::block_in_place(|| self.sql(statements)).expect("an answer")
    }

    fn terminate(&self) -> usize {
        let found = self.run("SELECT id FROM information_schema.processlist WHERE user = 'app'");
        let ids: Vec<&str> = found.split_whitespace().collect();
        // One that has gone meanwhile is no failure.
        let kills: String = ids.iter().map(|id| format!("KILL {id};")).collect();
        let _ = tokio::task::block_in_place(|| self.sql(&kills));
        ids.len()
    }
}

/// Makes a test of each function for each server.
macro_rules! on_both_servers {
    ($($test:ident)+) => {
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs postgres: run `cargo xtask test`"]
                async fn $test() {
                    super::$test::<xtask::server::PostgresServer>().await;
                }
            )+
        }

        mod mariadb {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs mariadb: run `cargo xtask test`"]
                async fn $test() {
                    super::$test::<xtask::server::MariadbServer>().await;
                }
            )+
        }
    };
}

pub(crate) use on_both_servers;
