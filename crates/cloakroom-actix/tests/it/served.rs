//! A server on a socket, as clients meet it.

use std::net::SocketAddr;

use actix_web::dev::ServerHandle;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpServer, dev, web};
use cloakroom_actix::SessionMiddleware;
use cloakroom_core::SessionManager;
use tokio::sync::mpsc;

/// A server that stops when it is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    /// Gets a message for each request that is over: answered, dropped or panicked.
    over: mpsc::UnboundedReceiver<()>,
}

/// Serves these routes with the sessions of one manager.
pub(crate) fn serve(workers: usize, sessions: SessionManager, routes: fn(&mut web::ServiceConfig)) -> Served {
    let (sender, over) = mpsc::unbounded_channel();
    let app = move || {
        let sender = sender.clone();
        let outermost = move |request: dev::ServiceRequest, next: Next<_>| {
            let over = Over(sender.clone());
            async move {
                let answer = next.call(request).await;
                drop(over);
                answer
            }
        };
        App::new()
            .app_data(web::Data::new(sessions.clone()))
            .wrap(SessionMiddleware::new(sessions.clone()))
            .wrap(from_fn(outermost))
            .configure(routes)
    };
    let server = HttpServer::new(app).workers(workers).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Served { address, handle, over }
}

impl Served {
    /// Waits until one more request is over, whether it was answered or not.
    pub(crate) async fn request_over(&mut self) {
        let over = tokio::time::timeout(std::time::Duration::from_secs(10), self.over.recv());
        over.await.expect("the request goes on").unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The call gives the order; nobody waits until it is done.
        drop(self.handle.stop(false));
    }
}

struct Over(mpsc::UnboundedSender<()>);

impl Drop for Over {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
