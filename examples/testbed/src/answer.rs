//! What a route answers, before a framework puts it on the wire.

use cloakroom::{Error, ErrorKind};
use serde_json::Value;

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// What the route itself says of caches.
    pub(crate) cache_control: Option<&'static str>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) const fn empty(status: u16) -> Self {
        Self { status, content_type: TEXT, cache_control: None, body: String::new() }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, content_type: TEXT, cache_control: None, body: body.to_owned() }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self { status: 200, content_type: "application/json", cache_control: None, body: value.to_string() }
    }

    /// Offers itself to every cache, for a minute.
    pub(crate) fn for_caches(self) -> Self {
        Self { cache_control: Some("public, max-age=60"), ..self }
    }
}

/// What a route answers; the error is the session's own.
pub(crate) type Answered = Result<Answer, Error>;

/// A client's mistake that the session noticed is the client's, not the server's.
pub(crate) fn blame_client(error: Error) -> Answered {
    match error.kind() {
        ErrorKind::Value | ErrorKind::Misconfigured | ErrorKind::Malformed => {
            Ok(Answer::text(422, "the session cannot take this"))
        }
        _ => Err(error),
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
