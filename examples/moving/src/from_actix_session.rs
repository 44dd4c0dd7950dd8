//! Takes over the sessions of actix-session 0.11.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use actix_session::storage::{LoadError, SessionKey, SessionStore};
use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, CookieJar};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web;
use cloakroom::actix::{Error as SessionError, Session};
use cloakroom::{Error, ErrorKind, Key};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// Stands in a session that was taken over, until its owner logs in once more.
pub const MOVED: Key<bool> = Key::new("moved");

/// How the id is read from the old cookie.
pub type Read = Box<dyn Fn(&CookieJar) -> Option<String> + Send + Sync>;

/// What the old cookie was and what leads from it to the session.
pub struct Bridge<S> {
    /// The old store.
    pub store: S,
    /// How the old cookie is read: private, which was the default, or signed.
    pub read: Read,
    /// The old cookie's name, path and domain, to take it away.
    pub cookie: Cookie<'static>,
    /// What is taken over, the principal among it.
    pub copy: fn(&Old, &Session) -> cloakroom::Result<()>,
    /// From then on old cookies are only taken away.
    pub until: SystemTime,
}

/// What lies in the old store.
#[derive(Debug)]
pub struct Old(HashMap<String, String>);

impl Old {
    /// One of its values.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.0.get(key)?).ok()
    }
}

/// The middleware, for `from_fn`, inside `SessionMiddleware`.
pub async fn bridge<S: SessionStore + 'static>(
    bridge: web::Data<Bridge<S>>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let Some(key) = bridge.old_key(&request) else { return next.call(request).await };
    if SystemTime::now() >= bridge.until {
        return bridge.without_cookie(next.call(request).await?);
    }
    let is_safe = request.method().is_safe();
    let session = request.extract::<Session>().await?;

    if session.contains(MOVED) || session.principal().is_some() {
        // The client has its new cookie: nobody needs the old session any more.
        bridge.delete(&key).await?;
        return bridge.without_cookie(next.call(request).await?);
    }
    let Some(old) = bridge.load(&key).await? else {
        return bridge.without_cookie(next.call(request).await?);
    };
    (bridge.copy)(&old, &session).map_err(SessionError::from)?;
    session.set(MOVED, &true).map_err(SessionError::from)?;

    // An error is an answer, too, and what was written before it is stored.
    let response = next.call(request).await;

    if !session.contains(MOVED) {
        // The handler logged out, or in: the old session ends with that.
        bridge.delete(&key).await?;
        return bridge.without_cookie(response?);
    }
    if bridge.load(&key).await?.is_none() {
        // Meanwhile a parallel request has logged out, or has shown its new cookie. This copy is never stored.
        session.logout();
        if !is_safe {
            return Err(SessionError::from(Error::new(ErrorKind::Ended)).into());
        }
    }
    response
}

impl<S: SessionStore> Bridge<S> {
    fn old_key(&self, request: &ServiceRequest) -> Option<SessionKey> {
        let mut jar = CookieJar::new();
        jar.add_original(request.cookie(self.cookie.name())?);
        (self.read)(&jar)?.try_into().ok()
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Old>, SessionError> {
        within(async {
            match self.store.load(key).await {
                Ok(old) => Ok(old.map(Old)),
                Err(LoadError::Deserialization(_)) => Ok(None),
                Err(LoadError::Other(error)) => Err(error),
            }
        })
        .await
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), SessionError> {
        within(self.store.delete(key)).await
    }

    fn without_cookie<B>(
        &self,
        mut response: ServiceResponse<B>,
    ) -> Result<ServiceResponse<B>, actix_web::Error> {
        response.response_mut().add_removal_cookie(&self.cookie)?;
        Ok(response)
    }
}

/// An outage of the old store is a 503, never a logout.
async fn within<T, E>(answer: impl Future<Output = Result<T, E>>) -> Result<T, SessionError> {
    match timeout(Duration::from_secs(2), answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(Error::new(ErrorKind::Unavailable).into()),
    }
}
