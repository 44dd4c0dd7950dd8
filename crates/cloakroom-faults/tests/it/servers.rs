//! The backends that have a server to harm: how one of one's own is started, and what it promises.
//!
//! The testbed includes this file too.
#![allow(dead_code, reason = "two test programs share it, and each uses a part")]

use std::net::SocketAddr;

use xtask::server::{MariadbServer, MemcachedServer, PostgresServer, RedisServer};

/// A row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) start: Start,
    pub(crate) crash: Crash,
    pub(crate) lost_replies: LostReplies,
    /// The units in which it counts time, in milliseconds.
    pub(crate) tick_ms: u64,
}

/// Starts a server of one's own.
pub(crate) type Start = fn() -> Box<dyn Server>;

/// What is left after a crash of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    KeepsEverything,
    LosesEverything,
}

/// What the store does when a reply was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LostReplies {
    AsksAgain,
    GivesUp,
}

pub(crate) const REDIS: Backend = Backend {
    name: "redis",
    start: || Box::new(RedisServer::start().expect("a redis-server")),
    crash: Crash::KeepsEverything,
    lost_replies: LostReplies::AsksAgain,
    tick_ms: 1,
};

pub(crate) const POSTGRES: Backend =
    Backend { name: "postgres", start: || Box::new(PostgresServer::start().expect("a postgres")), ..REDIS };

pub(crate) const MARIADB: Backend =
    Backend { name: "mariadb", start: || Box::new(MariadbServer::start().expect("a mariadbd")), ..REDIS };

pub(crate) const MEMCACHED: Backend = Backend {
    name: "memcached",
    start: || Box::new(MemcachedServer::start().expect("a memcached")),
    crash: Crash::LosesEverything,
    tick_ms: 2000,
    ..REDIS
};

/// Of three servers, the first of the list is harmed.
pub(crate) const THREE_MEMCACHEDS: Backend =
    Backend { name: "three memcacheds", start: || Box::new(OneOfThree::start()), ..MEMCACHED };

/// A server that can be harmed.
pub(crate) trait Server: Send + Sync {
    fn url(&self) -> String;
    fn kill9(&mut self);
    fn restart(&mut self);
    fn stop(&self);
    fn cont(&self);
    /// Ends the connections of all clients, as an administrator does; how many those were.
    fn end_connections(&self) -> usize;

    /// Gives a server without room some.
    fn make_room(&self) {}

    fn address(&self) -> SocketAddr {
        let url = self.url();
        let rest = url.split_once("://").expect("a scheme").1;
        let host = rest.rsplit('@').next().expect("a host").split(['/', '?']).next().expect("a host");
        host.replace("localhost", "127.0.0.1").parse().expect("an address")
    }

    /// The URL of the same server behind a proxy.
    fn url_at(&self, proxy: SocketAddr) -> String {
        self.url().replace(&format!(":{}", self.address().port()), &format!(":{}", proxy.port()))
    }
}

macro_rules! server {
    ($server:ty, |$this:ident| $end_connections:expr) => {
        impl Server for $server {
            fn url(&self) -> String {
                self.url()
            }

            fn kill9(&mut self) {
                self.kill9();
            }

            fn restart(&mut self) {
                self.restart().expect("the server again");
            }

            fn stop(&self) {
                self.stop().expect("a frozen server");
            }

            fn cont(&self) {
                self.cont().expect("a running server");
            }

            fn end_connections(&self) -> usize {
                let $this = self;
                $end_connections
            }
        }
    };
}

server!(RedisServer, |server| {
    let ended = server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).expect("an answer");
    ended.parse().expect("a number")
});

server!(PostgresServer, |server| {
    let clients = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'";
    server.sql(clients).expect("an answer").lines().filter(|ended| *ended == "t").count()
});

server!(MariadbServer, |server| {
    let clients = "SELECT id FROM information_schema.processlist WHERE user = 'app'";
    let clients = server.sql(clients).expect("an answer");
    // One may have gone by itself.
    clients.lines().filter(|client| server.sql(&format!("KILL {client}")).is_ok()).count()
});

server!(MemcachedServer, |server| panic!("{} has no command that ends connections", server.url()));

/// A Memcached that is harmed, and two that are not.
struct OneOfThree {
    harmed: MemcachedServer,
    others: [MemcachedServer; 2],
}

impl OneOfThree {
    fn start() -> Self {
        let start = || MemcachedServer::start().expect("a memcached");
        Self { harmed: start(), others: [start(), start()] }
    }
}

impl Server for OneOfThree {
    fn url(&self) -> String {
        let [second, third] = self.others.each_ref().map(MemcachedServer::port);
        format!("{},127.0.0.1:{second},127.0.0.1:{third}", self.harmed.url())
    }

    fn kill9(&mut self) {
        self.harmed.kill9();
    }

    fn restart(&mut self) {
        self.harmed.restart().expect("the server again");
    }

    fn stop(&self) {
        self.harmed.stop().expect("a frozen server");
    }

    fn cont(&self) {
        self.harmed.cont().expect("a running server");
    }

    fn end_connections(&self) -> usize {
        Server::end_connections(&self.harmed)
    }

    fn address(&self) -> SocketAddr {
        Server::address(&self.harmed)
    }
}

/// Adds a parameter to a URL.
pub(crate) fn with_parameter(url: &str, parameter: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameter}")
}
