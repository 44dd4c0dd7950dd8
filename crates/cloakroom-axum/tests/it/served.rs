//! A server on a socket, as clients meet it.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::{Router, serve as serve_on};
use cloakroom_axum::SessionLayer;
use cloakroom_core::SessionManager;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A server that stops when it is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    server: JoinHandle<std::io::Result<()>>,
    /// Gets a message for each request that is over: answered, dropped or panicked.
    over: mpsc::UnboundedReceiver<()>,
}

/// Serves these routes with the sessions of one manager.
pub(crate) async fn serve(sessions: SessionManager, routes: Router) -> Served {
    let (sender, over) = mpsc::unbounded_channel();
    let outermost = move |request: Request, next: Next| {
        let over = Over(sender.clone());
        async move {
            let answer: Response = next.run(request).await;
            drop(over);
            answer
        }
    };
    let app = routes.layer(SessionLayer::new(sessions)).layer(from_fn(outermost));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Served { address, server: tokio::spawn(serve_on(listener, app).into_future()), over }
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
        self.server.abort();
    }
}

struct Over(mpsc::UnboundedSender<()>);

impl Drop for Over {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
