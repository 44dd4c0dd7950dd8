//! The backends, and the servers behind them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cloakroom::Store;
use cloakroom_faults::{Keeping, Resending, Rules};
use xtask::server::RedisServer;

/// A row of the table: how a server of one's own is started, and what is promised.
#[derive(Clone, Copy)]
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) start: fn() -> Box<dyn Server>,
    pub(crate) rules: fn() -> Rules,
    /// What the server keeps over a crash.
    pub(crate) crash: Crash,
}

/// What is left after a crash of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    KeepsEverything,
    LosesEverything,
}

pub(crate) const REDIS: Backend = Backend {
    name: "redis",
    start: || Box::new(RedisServer::start().expect("a redis-server")),
    rules: || Rules::strict().with_resending(Resending::AfterALostReply),
    crash: Crash::KeepsEverything,
};

impl Backend {
    /// What holds for a run in which the server crashes.
    pub(crate) fn rules_in_a_crash(&self) -> Rules {
        let rules = (self.rules)();
        match self.crash {
            Crash::KeepsEverything => rules,
            Crash::LosesEverything => rules.with_keeping(Keeping::MayForget),
        }
    }
}

/// A server that can be harmed.
pub(crate) trait Server: Send + Sync {
    fn url(&self) -> String;
    fn kill9(&mut self);
    fn restart(&mut self);
    fn stop(&self);
    fn cont(&self);
    /// Ends the connections of all clients, as an administrator does.
    fn end_connections(&self);

    fn address(&self) -> SocketAddr {
        let url = self.url();
        let host = url.split_once("://").expect("a scheme").1;
        let host = host.rsplit('@').next().expect("a host").split(['/', '?']).next().expect("a host");
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

            fn end_connections(&self) {
                let $this = self;
                $end_connections;
            }
        }
    };
}

server!(RedisServer, |server| {
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).expect("an answer")
});

/// Connects as a user does, with this deadline for every verb, and takes the store out of the backend.
pub(crate) async fn connect(url: &str, timeout: Duration) -> Arc<dyn Store> {
    let parameter = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{parameter}timeout={}ms", timeout.as_millis());
    let backend = cloakroom::connect(&url).await.expect("a store");
    let mut taken = None;
    let _ = backend.layer(|store| {
        taken = Some(Arc::clone(&store));
        store
    });
    taken.expect("a store")
}
