//! A client of a service that runs in this process: it keeps its cookie and sends it along.

use cloakroom_core::{Error, Reply, ResponseHeaders, Result, Session, SessionManager};

/// A client that keeps the cookie of its session, and hides it in `Debug`.
#[derive(Clone, Default)]
pub struct Browser {
    cookie: Option<String>,
}

impl Browser {
    /// One that has this cookie: name, `=` and value.
    #[must_use]
    pub const fn with_cookie(cookie: Option<String>) -> Self {
        Self { cookie }
    }

    /// The cookie.
    #[must_use]
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// One request: loads the session, lets the handler work, commits, and keeps the cookie of the response.
    ///
    /// # Errors
    ///
    /// The store did not tell, the handler failed, or the commit refused.
    pub async fn request<T>(
        &mut self,
        sessions: &SessionManager,
        handler: impl FnOnce(&Session) -> Result<T>,
    ) -> Result<T> {
        let visit = sessions.visit(self.cookie.iter().map(String::as_bytes));
        let answer = handler(&visit.session().await?)?;
        let reply = visit.commit().await;
        self.keep(&reply);
        match refusal(&reply) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    fn keep(&mut self, reply: &Reply) {
        let mut response = Response::default();
        reply.write_to(&mut response);
        let pair = response.cookie.as_deref().and_then(|line| line.split(';').next());
        if let Some(pair) = pair {
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
    }
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Browser").field("has_cookie", &self.cookie.is_some()).finish_non_exhaustive()
    }
}

fn refusal(reply: &Reply) -> Option<Error> {
    reply.refusal().cloned()
}

/// Of all headers, the cookie.
#[derive(Default)]
struct Response {
    cookie: Option<String>,
}

impl ResponseHeaders for Response {
    fn values(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn set(&mut self, _: &str, _: &str) {}

    fn append_sensitive(&mut self, _: &str, value: &str) {
        self.cookie = Some(value.to_owned());
    }
}
