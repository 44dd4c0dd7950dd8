//! A client of a service that runs in this process: it keeps its cookie and sends it along.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cloakroom::{
    Error, ErrorKind, PublicHandle, Reply, ResponseHeaders, Result, Session, SessionManager, Visit,
};

/// A client that keeps the cookie of its session.
#[derive(Clone, Default)]
pub(super) struct Client {
    cookie: Option<String>,
}

impl Client {
    /// A request that has come.
    pub(super) fn visit(&self, sessions: &SessionManager) -> Visit {
        sessions.visit(self.cookie.iter().map(String::as_bytes))
    }

    /// Logs in, and shows what came of it. Whoever is told to try again does; the log book knows how often.
    pub(super) async fn log_in(
        &mut self,
        sessions: &SessionManager,
        who: &str,
        book: &LogBook,
    ) -> Result<()> {
        let visit = self.visit(sessions);
        let session = visit.session().await?;
        session.authenticate(who)?;
        let answer = loop {
            let begin = Instant::now();
            let answer = session.save().await;
            book.took(begin.elapsed());
            match answer {
                Err(error) if error.is_transient() => book.failed(error.kind()),
                answer => break answer,
            }
        };
        drop(session);
        self.keep(&visit.commit().await);
        answer
    }

    /// One request: loads the session, lets the handler work, commits, and keeps the cookie of the response.
    pub(super) async fn request<T>(
        &mut self,
        sessions: &SessionManager,
        handler: impl FnOnce(&Session) -> Result<T>,
    ) -> Result<T> {
        let visit = self.visit(sessions);
        let answer = handler(&visit.session().await?)?;
        let reply = visit.commit().await;
        self.keep(&reply);
        reply.refusal().cloned().map_or(Ok(answer), Err)
    }

    /// The session that the token opens, if it is a live one of this principal. Changes nothing.
    pub(super) async fn live(&self, sessions: &SessionManager, who: &str) -> Result<Option<PublicHandle>> {
        if self.cookie.is_none() {
            return Ok(None);
        }
        let session = self.visit(sessions).session().await?;
        Ok(session.principal().filter(|found| found == who).and_then(|_| session.handle()))
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

/// What became of the tries of many clients.
#[derive(Default)]
pub(super) struct LogBook(Mutex<Tries>);

/// How many there were, how long the longest took, and what those ended with that were to be tried again.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries {
    pub(super) count: usize,
    pub(super) longest: Duration,
    pub(super) failed: BTreeMap<String, usize>,
}

impl LogBook {
    fn took(&self, time: Duration) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.count += 1;
        tries.longest = tries.longest.max(time);
    }

    pub(super) fn failed(&self, kind: ErrorKind) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *tries.failed.entry(format!("{kind:?}")).or_default() += 1;
    }

    pub(super) fn tries(&self) -> Tries {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Repeats a look until the store answers; each failure is noted.
pub(super) async fn look<T, F: Future<Output = Result<T>>>(book: &LogBook, mut look: impl FnMut() -> F) -> T {
    loop {
        match look().await {
            Ok(answer) => return answer,
            Err(error) => note(book, &error),
        }
    }
}

fn note(book: &LogBook, error: &Error) {
    assert!(error.is_transient(), "{error:?}");
    book.failed(error.kind());
}
