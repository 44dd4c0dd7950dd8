//! Who asks, and what comes back through the proxy.

use std::net::SocketAddr;

use cloakroom_conformance::stories::{Client, Request, Response};
use serde_json::Value;

use crate::{Error, Fleet, Result};

/// What a visitor sees of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The instance that answered; none where the proxy did.
    pub(crate) by: Option<SocketAddr>,
    /// How many instances the proxy asked in vain before.
    pub(crate) repeated: usize,
    /// What the cache did.
    pub(crate) cache: Option<String>,
    /// The values of the cookies that came with it.
    pub(crate) cookies: Vec<String>,
}

impl Seen {
    pub(crate) fn of(response: &Response) -> Self {
        let served = response.header("x-served-by").concat();
        // Those that failed stand first.
        let asked: Vec<&str> = served.split(',').map(str::trim).collect();
        let by = asked.last().and_then(|address| address.parse().ok());
        let cookies = response.header("set-cookie");
        let value =
            |line: &String| line.split(';').next()?.split_once('=').map(|(_, value)| value.to_owned());
        Self {
            status: response.status(),
            body: response.text(),
            by,
            repeated: asked.len() - 1,
            cache: response.header("x-cache-status").pop(),
            cookies: cookies.iter().filter_map(value).filter(|value| !value.is_empty()).collect(),
        }
    }

    /// Whether the body is this.
    pub(crate) fn is_json(&self, wanted: &Value) -> bool {
        serde_json::from_str::<Value>(&self.body).is_ok_and(|body| body == *wanted)
    }

    /// A member of a body that is a JSON object.
    pub(crate) fn member(&self, name: &str) -> Option<Value> {
        serde_json::from_str::<Value>(&self.body).ok()?.get(name).cloned()
    }

    /// A body that is a number.
    pub(crate) fn number(&self) -> Option<u64> {
        self.body.parse().ok()
    }
}

/// A visitor with a cookie jar. A clone is the same one in another tab.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    name: String,
    client: Client,
}

impl Visitor {
    /// One who was never here, under a name that nobody else has.
    pub(crate) fn called(name: &str, fleet: &Fleet) -> Result<Self> {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::trouble(format!("there is no randomness: {error}")))?;
        let name = format!("{name}-{:08x}", u32::from_ne_bytes(bytes));
        Ok(Self { name, client: Client::of(fleet) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Asks, and keeps the cookies of the answer; an error is a connection that the proxy closed.
    pub(crate) async fn try_to(&self, method: &str, path: &str, body: Option<&str>) -> std::io::Result<Seen> {
        let request = Request::new(method, path);
        let request = match body {
            Some(body) => request.with_body(body),
            None => request,
        };
        Ok(Seen::of(&self.client.send(request).await?))
    }

    /// Asks, and wants this status.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        status: u16,
    ) -> Result<Seen> {
        match self.try_to(method, path, body).await {
            Ok(seen) if seen.status == status => Ok(seen),
            Ok(seen) => {
                let by = seen.by.map_or_else(|| "the proxy".to_owned(), |by| by.to_string());
                Error::broken(format!(
                    "{method} {path} of {} was answered {} {:?} by {by}; the promise is {status}",
                    self.name, seen.status, seen.body
                ))
            }
            Err(error) => Error::broken(format!("{method} {path} of {} got no answer: {error}", self.name)),
        }
    }

    /// Comes back as one who was never here.
    pub(crate) fn forget(&self) {
        self.client.forget();
    }

    /// Logs in under this visitor's name.
    pub(crate) async fn log_in(&self) -> Result<Seen> {
        self.ask("POST", &format!("/login/{}", self.name), None, 204).await
    }

    /// Logs out, so that nothing is left in the store.
    pub(crate) async fn log_out(&self) -> Result<Seen> {
        self.ask("POST", "/logout", None, 204).await
    }
}
