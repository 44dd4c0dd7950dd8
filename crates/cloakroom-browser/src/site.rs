//! Pages of other people, for the browser to visit.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A web site of somebody else, on a free loopback port; it ends with this value.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    pages: Pages,
    server: JoinHandle<()>,
}

type Pages = Arc<Mutex<BTreeMap<String, Page>>>;

#[derive(Clone, Debug, Default)]
struct Page {
    headers: HeaderMap,
    body: String,
}

impl Site {
    /// Starts one without a page.
    pub async fn start() -> Self {
        let pages = Pages::default();
        let app = Router::new().route("/{*path}", get(show)).with_state(Arc::clone(&pages));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let server = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, app).await;
        });
        Self { address, pages, server }
    }

    /// Where it listens, without TLS.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts up a page, and returns the path to it.
    #[must_use]
    pub fn put(&self, body: &str) -> String {
        self.put_with(body, &[])
    }

    /// The same with headers.
    #[must_use]
    pub fn put_with(&self, body: &str, headers: &[(&'static str, &str)]) -> String {
        let read = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value of a header"))
        };
        let page = Page { headers: headers.iter().map(read).collect(), body: body.to_owned() };
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let path = format!("page-{}", pages.len());
        pages.insert(path.clone(), page);
        format!("/{path}")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn show(State(pages): State<Pages>, Path(path): Path<String>) -> (StatusCode, HeaderMap, Html<String>) {
    let page = pages.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
    let status = if page.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let Page { headers, body } = page.unwrap_or_default();
    (status, headers, Html(body))
}
