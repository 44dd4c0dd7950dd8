//! Requests and responses as bytes: what an attacker can send, and all that a client can see.

use std::time::Duration;

use serde_json::Value;

/// A request, byte for byte.
///
/// ```
/// use cloakroom_conformance::stories::Request;
///
/// let request = Request::new("PUT", "/value/cart").with_header("cookie", "a=b").with_body("3");
/// # let _ = request;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Option<Vec<u8>>,
}

impl Request {
    /// A request without headers or body. `path` is sent as it is.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: None }
    }

    /// Adds a header; the same name may come several times.
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Gives it a body; `Content-Length` and, unless it has another, a JSON `Content-Type` come with it.
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Gives it the fields of a form as its body, encoded already; `Content-Length` and `Content-Type` come with it.
    pub fn with_form(self, fields: &str) -> Self {
        self.with_header("content-type", "application/x-www-form-urlencoded").with_body(fields)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nhost: testbed\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        match &self.body {
            Some(body) => {
                if !self.has("content-type") {
                    bytes.extend_from_slice(b"content-type: application/json\r\n");
                }
                bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(body);
            }
            None if self.method == "GET" || self.method == "TRACE" => bytes.extend_from_slice(b"\r\n"),
            None => bytes.extend_from_slice(b"content-length: 0\r\n\r\n"),
        }
        bytes
    }
}

/// A response, as far as it came.
#[derive(Clone, Debug)]
pub struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    pub(super) after_head: Duration,
}

impl Response {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How long the body went on after the head was there.
    #[must_use]
    pub const fn after_head(&self) -> Duration {
        self.after_head
    }

    /// The values of a header, in their order, with what is no text replaced.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The values of a header that is a list, over all lines, in lower case.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let lines = self.header(name);
        lines.iter().flat_map(|line| line.split(',')).map(|item| item.trim().to_ascii_lowercase()).collect()
    }

    /// The token in the one `Set-Cookie` line; `None` if there is no such line, empty if it is a removal.
    ///
    /// # Panics
    ///
    /// When there are several lines.
    #[must_use]
    #[track_caller]
    pub fn token(&self) -> Option<String> {
        let lines = self.header("set-cookie");
        assert!(lines.len() <= 1, "there are {} Set-Cookie lines; the story wants one at most", lines.len());
        let pair = lines.first()?.split(';').next().unwrap_or_default();
        Some(pair.split_once('=').map_or("", |(_, value)| value).to_owned())
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the body is no JSON ({error}): {:?}", self.text()),
        }
    }

    /// The body as text, with what is no text replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Wants this status.
    ///
    /// # Panics
    ///
    /// When it is another one.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert!(
            self.status == status,
            "the service answered {} {:?}; the story wants {status}",
            self.status,
            self.text()
        );
        self
    }

    /// Wants no `Set-Cookie` line.
    ///
    /// # Panics
    ///
    /// When there is one.
    #[track_caller]
    pub fn sets_no_cookie(self) -> Self {
        assert!(
            self.header("set-cookie").is_empty(),
            "the service set a cookie with status {}; the story wants none",
            self.status
        );
        self
    }

    /// Wants the refusal of a write whose session ended: its status, its body, and no cookie.
    ///
    /// # Panics
    ///
    /// When it is anything else.
    #[track_caller]
    pub fn says_session_ended(self) -> Self {
        let refused = self.is(409).sets_no_cookie();
        assert!(refused.body == b"session ended", "the refusal says {:?}", refused.text());
        refused
    }
}
