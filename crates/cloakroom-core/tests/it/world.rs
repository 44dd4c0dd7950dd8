//! One application with a clock, a store that can fail, a log of events, and browsers.

use std::sync::{Arc, Mutex};

use cloakroom_core::testing::{FailingStore, ModelStore};
use cloakroom_core::{
    Clock, KeyRing, Reply, ResponseHeaders, Result, Session, SessionEvent, SessionEventKind, SessionEvents,
    SessionManager, SessionManagerBuilder, Visit,
};

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) model: Arc<ModelStore>,
    pub(crate) store: FailingStore,
    pub(crate) sessions: SessionManager,
    events: Log,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<SessionEventKind>>>);

impl SessionEvents for Log {
    fn on_event(&self, event: &SessionEvent) {
        use SessionEventKind::{Authenticated, Created, Rotated};
        // What panics here is not kept, and missed by whoever looks for it.
        let has_a_name = matches!(event.kind(), Created | Authenticated | Rotated);
        assert!(event.handle().is_some() || !has_a_name);
        self.0.lock().unwrap().push(event.kind());
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(policy: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder) -> Self {
        let clock = Clock::manual();
        let model = Arc::new(ModelStore::new(clock.clone()));
        let store = FailingStore::new(Arc::clone(&model));
        Self::over(clock, model, store, KeyRing::generate(), policy)
    }

    pub(crate) fn over(
        clock: Clock,
        model: Arc<ModelStore>,
        store: FailingStore,
        keys: KeyRing,
        policy: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder,
    ) -> Self {
        let events = Log::default();
        let builder = SessionManager::builder(store.clone(), keys)
            .with_clock(clock.clone())
            .with_events(events.clone());
        let sessions = policy(builder).build().unwrap();
        Self { clock, model, store, sessions, events }
    }

    pub(crate) fn visit(&self, browser: &Browser) -> Visit {
        let header = browser.token.as_ref().map(|token| format!("__Host-session={token}"));
        self.sessions.visit(header.iter().map(String::as_bytes))
    }

    /// One request from its headers to the browser's new cookie.
    pub(crate) async fn request<T>(
        &self,
        browser: &mut Browser,
        handler: impl FnOnce(&Session) -> Result<T>,
    ) -> (T, Response) {
        let visit = self.visit(browser);
        let session = visit.session().await.unwrap();
        let answer = handler(&session).unwrap();
        drop(session);
        (answer, browser.take(&visit.commit().await))
    }

    /// A browser in which somebody is logged in.
    pub(crate) async fn logged_in(&self, principal: &str) -> Browser {
        let mut browser = Browser::default();
        self.request(&mut browser, |session| session.authenticate(principal)).await;
        browser
    }

    pub(crate) async fn principal(&self, browser: &mut Browser) -> Option<String> {
        self.request(browser, |session| Ok(session.principal())).await.0
    }

    pub(crate) async fn logout(&self, browser: &mut Browser) -> ((), Response) {
        self.request(browser, |session| {
            session.logout();
            Ok(())
        })
        .await
    }

    pub(crate) async fn value(&self, browser: &mut Browser, key: &str) -> Option<i64> {
        self.request(browser, |session| session.get(key)).await.0
    }

    pub(crate) fn events(&self) -> Vec<SessionEventKind> {
        std::mem::take(&mut *self.events.0.lock().unwrap())
    }
}

/// Keeps the token as a browser keeps its cookie.
#[derive(Clone, Debug, Default)]
pub(crate) struct Browser {
    pub(crate) token: Option<String>,
}

impl Browser {
    pub(crate) fn with(token: &str) -> Self {
        Self { token: Some(token.to_owned()) }
    }

    pub(crate) fn take(&mut self, reply: &Reply) -> Response {
        let mut response = Response::default();
        reply.write_to(&mut response);
        response.status = reply.refusal().map(cloakroom_core::Error::status);
        if let Some(line) = response.set_cookie() {
            let value = line.split(';').next().unwrap().split_once('=').unwrap().1;
            self.token = (!value.is_empty()).then(|| value.to_owned());
        }
        response
    }
}

/// The headers of a response, and the status that took the place of the handler's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Response {
    pub(crate) fn set_cookie(&self) -> Option<&str> {
        self.header("set-cookie")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl ResponseHeaders for Response {
    fn values(&self, name: &str) -> Vec<String> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn append_sensitive(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}
