//! A shop, other people's pages, and what stands before them.

use cloakroom_browser::Site;
use xtask::server::NginxServer;

use crate::program::Program;

/// The two adapters.
pub(crate) const ADAPTERS: [&str; 2] = ["axum", "actix"];
/// The name of the cookie.
pub(crate) const COOKIE: &str = "__Host-session";

/// The testbed, reached without TLS as `localhost`.
#[derive(Debug)]
pub(crate) struct Testbed(Program);

impl Testbed {
    pub(crate) async fn start(adapter: &str) -> Self {
        Self::start_with(adapter, "memory:", &[]).await
    }

    pub(crate) async fn start_with(adapter: &str, store: &str, arguments: &[&str]) -> Self {
        let all = [&["--adapter", adapter, "--store", store], arguments].concat();
        Self(Program::start("testbed", &all).await)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.0.address().port())
    }

    /// A server before it that speaks TLS, and spoils answers as told.
    pub(crate) fn behind_tls(&self, directives: &[&str]) -> NginxServer {
        tls(&self.0, directives)
    }
}

/// A server that speaks TLS before a program.
pub(crate) fn tls(program: &Program, directives: &[&str]) -> NginxServer {
    let builder = NginxServer::builder([program.address()]).with_tls();
    builder.with_directives(directives.iter().copied()).start().expect("nginx starts")
}

/// An address behind a server that speaks TLS, by any name.
pub(crate) fn https(host: &str, server: &NginxServer, path: &str) -> String {
    let url = server.tls_url().expect("it speaks TLS");
    format!("{}{path}", url.replace("localhost", host))
}

/// The same without TLS.
pub(crate) fn plain(server: &NginxServer, path: &str) -> String {
    format!("http://localhost:{}{path}", server.address().port())
}

/// The testbed as `shop.test`, and pages of others as `evil.test` and `pay.shop.test`, all with TLS.
#[derive(Debug)]
pub(crate) struct World {
    _testbed: Testbed,
    shop: NginxServer,
    site: Site,
    others: NginxServer,
}

impl World {
    pub(crate) async fn start(adapter: &str, directives: &[&str]) -> Self {
        let testbed = Testbed::start(adapter).await;
        let shop = testbed.behind_tls(directives);
        let site = Site::start().await;
        let others = NginxServer::builder([site.address()]).with_tls().start().expect("nginx starts");
        Self { _testbed: testbed, shop, site, others }
    }

    /// A page of the shop.
    pub(crate) fn shop(&self, path: &str) -> String {
        https("shop.test", &self.shop, path)
    }

    /// A new page of somebody else.
    pub(crate) fn evil(&self, body: &str) -> String {
        https("evil.test", &self.others, &self.site.put(body))
    }

    /// A new page of another host of the same site.
    pub(crate) fn neighbour(&self, body: &str) -> String {
        https("pay.shop.test", &self.others, &self.site.put(body))
    }
}
