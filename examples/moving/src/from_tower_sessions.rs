//! Takes over the sessions of tower-sessions 0.14.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use cloakroom::axum::{Result, Session};
use cloakroom::{Error, ErrorKind, Key};
use tokio::time::timeout;
use tower_sessions::SessionStore;
use tower_sessions::cookie::{Cookie, CookieJar};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store;

/// Stands in a session that was taken over, until its owner logs in once more.
pub const MOVED: Key<bool> = Key::new("moved");

/// How the id is read from the old cookie.
pub type Read = Box<dyn Fn(&CookieJar) -> Option<String> + Send + Sync>;

/// What the old cookie was and what leads from it to the session.
pub struct Bridge<S> {
    /// The old store.
    pub store: Arc<S>,
    /// How the old cookie is read: plain, signed or private.
    pub read: Read,
    /// The `Set-Cookie` line that takes the old cookie away: its name, path and domain.
    pub removal: &'static str,
    /// What is taken over, the principal among it.
    pub copy: fn(&Record, &Session) -> cloakroom::Result<()>,
    /// From then on old cookies are only taken away.
    pub until: SystemTime,
}

/// The middleware, for `from_fn_with_state`, inside `SessionLayer`.
pub async fn bridge<S: SessionStore>(
    State(bridge): State<Arc<Bridge<S>>>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let Some(id) = bridge.old_id(request.headers()) else { return Ok(next.run(request).await) };
    if SystemTime::now() >= bridge.until {
        return Ok(bridge.without_cookie(next.run(request).await));
    }
    let is_safe = request.method().is_safe();
    let (mut parts, body) = request.into_parts();
    let session = Session::from_request_parts(&mut parts, &()).await?;
    let request = Request::from_parts(parts, body);

    if session.contains(MOVED) || session.principal().is_some() {
        // The client has its new cookie: nobody needs the old session any more.
        bridge.delete(&id).await?;
        return Ok(bridge.without_cookie(next.run(request).await));
    }
    let Some(old) = bridge.load(&id).await? else {
        return Ok(bridge.without_cookie(next.run(request).await));
    };
    (bridge.copy)(&old, &session)?;
    session.set(MOVED, &true)?;

    let response = next.run(request).await;

    if !session.contains(MOVED) {
        // The handler logged out, or in: the old session ends with that.
        bridge.delete(&id).await?;
        return Ok(bridge.without_cookie(response));
    }
    if bridge.load(&id).await?.is_none() {
        // Meanwhile a parallel request has logged out, or has shown its new cookie. This copy is never stored.
        session.logout();
        if !is_safe {
            return Err(Error::new(ErrorKind::Ended).into());
        }
    }
    Ok(response)
}

impl<S: SessionStore> Bridge<S> {
    fn old_id(&self, headers: &HeaderMap) -> Option<Id> {
        let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        let mut jar = CookieJar::new();
        for cookie in lines.flat_map(|line| line.split(';')) {
            if let Ok(cookie) = Cookie::parse_encoded(cookie.to_owned()) {
                jar.add_original(cookie);
            }
        }
        (self.read)(&jar)?.parse().ok()
    }

    async fn load(&self, id: &Id) -> cloakroom::Result<Option<Record>> {
        within(self.store.load(id)).await
    }

    async fn delete(&self, id: &Id) -> cloakroom::Result<()> {
        within(self.store.delete(id)).await
    }

    fn without_cookie(&self, mut response: Response) -> Response {
        response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static(self.removal));
        response
    }
}

/// An outage of the old store is a 503, never a logout.
async fn within<T>(answer: impl Future<Output = session_store::Result<T>>) -> cloakroom::Result<T> {
    match timeout(Duration::from_secs(2), answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(Error::new(ErrorKind::Unavailable)),
    }
}
