//! A client that keeps cookies as a browser does.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::app::Instance;
use super::message::{Request, Response};
use super::wire::Line;

/// A visitor with one cookie jar. A clone is the same visitor in another tab.
///
/// It keeps cookies by name and sends them with every request that does not bring a `Cookie` header of its own.
/// Each request has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    jar: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Client {
    /// A visitor who was never here.
    #[must_use]
    pub fn of(instance: &impl Instance) -> Self {
        Self { address: instance.address(), jar: Arc::default() }
    }

    /// A visitor whose jar was filled by somebody else.
    #[must_use]
    pub fn with_cookies(instance: &impl Instance, cookies: BTreeMap<String, String>) -> Self {
        Self { address: instance.address(), jar: Arc::new(Mutex::new(cookies)) }
    }

    /// The cookies, by name.
    #[must_use]
    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.jar().clone()
    }

    /// Empties the jar.
    pub fn forget(&self) {
        self.jar().clear();
    }

    /// The value of the only cookie; `None` if the jar is empty.
    ///
    /// # Panics
    ///
    /// When there are several.
    #[must_use]
    #[track_caller]
    pub fn token(&self) -> Option<String> {
        let jar = self.jar();
        assert!(jar.len() <= 1, "the jar has {} cookies; the story wants one at most", jar.len());
        jar.values().next().cloned()
    }

    /// Sends a request as a browser does.
    ///
    /// # Errors
    ///
    /// The connection was closed before the response was complete.
    ///
    /// # Cancel safety
    ///
    /// A dropped call is a visitor who went away: the request may have been served.
    pub async fn send(&self, request: Request) -> io::Result<Response> {
        let request = if request.has("cookie") { request } else { self.with_jar(request) };
        let request = request.with_header("connection", "close");
        let response = Line::open(self.address).await?.ask(&request).await?;
        self.keep(&response);
        Ok(response)
    }

    /// Sends a request whose response must come.
    ///
    /// # Panics
    ///
    /// When it does not.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn ask(&self, request: Request) -> Response {
        let what = format!("{} {}", request.method, request.path);
        match self.send(request).await {
            Ok(response) => response,
            Err(error) => panic!("{what} got no response ({error}); the story wants one"),
        }
    }

    /// Asks for a page.
    ///
    /// # Panics
    ///
    /// When no response comes.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn get(&self, path: &str) -> Response {
        self.ask(Request::new("GET", path)).await
    }

    /// Posts nothing.
    ///
    /// # Panics
    ///
    /// When no response comes.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn post(&self, path: &str) -> Response {
        self.ask(Request::new("POST", path)).await
    }

    /// Puts JSON.
    ///
    /// # Panics
    ///
    /// When no response comes.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn put(&self, path: &str, body: impl Into<Vec<u8>>) -> Response {
        self.ask(Request::new("PUT", path).with_body(body)).await
    }

    /// Deletes.
    ///
    /// # Panics
    ///
    /// When no response comes.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn delete(&self, path: &str) -> Response {
        self.ask(Request::new("DELETE", path)).await
    }

    /// Sends a request and goes away without waiting for the response.
    ///
    /// # Panics
    ///
    /// When the request cannot be sent.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn abandon(&self, request: Request) {
        let request = self.with_jar(request);
        let sent = match Line::open(self.address).await {
            Ok(mut line) => line.send(&request).await,
            Err(error) => Err(error),
        };
        assert!(sent.is_ok(), "the request could not be sent: {sent:?}");
    }

    /// Whether this visitor has a live session, which reading does not change.
    pub(super) async fn is_known(&self) -> bool {
        self.get("/session").await.is(200).json()["new"] == false
    }

    fn with_jar(&self, request: Request) -> Request {
        let pairs: Vec<String> = self.jar().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { request } else { request.with_header("cookie", pairs.join("; ")) }
    }

    fn keep(&self, response: &Response) {
        let mut jar = self.jar();
        for line in response.header("set-cookie") {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            if parts.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0")) {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn jar(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
