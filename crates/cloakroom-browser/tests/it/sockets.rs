//! WebSockets, which browsers let every site open.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::{App, HttpServer, web};
use axum::Router;
use axum::routing::get;
use cloakroom_actix::CsrfMiddleware;
use cloakroom_axum::CsrfLayer;
use cloakroom_browser::{Browser, Site};
use cloakroom_core::CsrfPolicy;

use crate::driver::Driver;
use crate::findings::Findings;
use crate::world::ADAPTERS;

/// A server whose handler counts who knocks, behind a policy or not; it ends with this process.
struct Door {
    address: SocketAddr,
    knocks: Arc<AtomicUsize>,
}

impl Door {
    fn start(adapter: &str) -> Self {
        match adapter {
            "actix" => Self::on_actix(),
            _ => Self::on_axum(|router| router.layer(CsrfLayer::new(CsrfPolicy::new()))),
        }
    }

    fn on_axum(guard: impl FnOnce(Router) -> Router) -> Self {
        let (listener, address, knocks) = Self::prepare();
        let counted = Arc::clone(&knocks);
        let door = get(move || std::future::ready(knock(&counted)));
        let app = guard(Router::new().route("/door", door));
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, knocks }
    }

    fn on_actix() -> Self {
        let (listener, address, knocks) = Self::prepare();
        let counted = Arc::clone(&knocks);
        std::thread::spawn(move || {
            let app = move || {
                let counted = Arc::clone(&counted);
                let door = web::get().to(move || std::future::ready(knock(&counted)));
                App::new().wrap(CsrfMiddleware::new(CsrfPolicy::new())).route("/door", door)
            };
            let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
            actix_web::rt::System::new().block_on(server)
        });
        Self { address, knocks }
    }

    fn prepare() -> (TcpListener, SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address, Arc::default())
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/door", self.address.port())
    }
}

fn knock(knocks: &AtomicUsize) -> &'static str {
    knocks.fetch_add(1, Ordering::SeqCst);
    "come in"
}

/// What is wrong with who comes as far as the handler.
async fn examine(browser: &Browser, door: &Door, site: &Site) -> Findings {
    let mut found = Findings::default();
    // Nobody shakes hands here: what counts is who gets so far.
    let open = "const socket = new WebSocket(input); await new Promise(done => { socket.onclose = done; })";
    let knocks = || door.knocks.swap(0, Ordering::SeqCst);
    browser.visit(&door.url("http")).await;
    found.demand(knocks() == 1, || "a page does not arrive".to_owned());
    let () = browser.wait_for(open, door.url("ws")).await;
    found.demand(knocks() == 1, || "a WebSocket of an own page is refused".to_owned());

    browser.visit(&format!("http://evil.test:{}{}", site.address().port(), site.put("<p>evil"))).await;
    let () = browser.wait_for(open, door.url("ws")).await;
    found.demand(knocks() == 0, || "a WebSocket of another site passes".to_owned());
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn websockets_of_other_sites_are_refused() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    let site = Site::start().await;
    for adapter in ADAPTERS {
        let found = examine(&browser, &Door::start(adapter), &site).await;
        found.none(&format!("{adapter}: a WebSocket of an own page passes, one of another site is refused"));
    }
    let unguarded = Door::on_axum(|router| router);
    examine(&browser, &unguarded, &site).await.some("a WebSocket of another site passes", "no policy");
    browser.close().await;
}
