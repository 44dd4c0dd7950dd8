//! Takes over the sessions of axum_session 0.22.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderValue, header, request::Parts};
use axum::middleware::Next;
use axum::response::Response;
use axum_session::{CookiesAdditionJar, DatabaseError, DatabasePool, Key as OldKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cloakroom::axum::{Result, Session};
use cloakroom::{Error, ErrorKind, Key};
use cookie::{Cookie, CookieJar};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// Stands in a session that was taken over, until its owner logs in once more.
pub const MOVED: Key<bool> = Key::new("moved");

/// What the old cookie was and what leads from it to the session.
pub struct Bridge<P> {
    /// The old database.
    pub pool: P,
    /// `SessionConfig::with_table_name`.
    pub table: &'static str,
    /// `SessionConfig::with_session_name`.
    pub name: &'static str,
    /// `SessionConfig::with_key`.
    pub key: Option<OldKey>,
    /// `SessionConfig::with_database_key`.
    pub database_key: Option<OldKey>,
    /// What was signed with the id: address and browser, by the old configuration.
    pub message: fn(&Parts) -> String,
    /// The `Set-Cookie` line that takes the old cookie away: its name, path and domain.
    pub removal: &'static str,
    /// What is taken over, the principal among it.
    pub copy: fn(&Old, &Session) -> cloakroom::Result<()>,
    /// From then on old cookies are only taken away.
    pub until: SystemTime,
}

/// What lies in the old database.
#[derive(Debug, Deserialize)]
pub struct Old {
    data: HashMap<String, String>,
    /// Whether it was to be remembered.
    pub longterm: bool,
}

impl Old {
    /// One of its values.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.data.get(key)?).ok()
    }
}

/// The middleware, for `from_fn_with_state`, inside `SessionLayer`.
pub async fn bridge<P: DatabasePool + Send + Sync + 'static>(
    State(bridge): State<Arc<Bridge<P>>>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let is_safe = request.method().is_safe();
    let (mut parts, body) = request.into_parts();
    let Some(id) = bridge.old_id(&parts).await else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    if SystemTime::now() >= bridge.until {
        return Ok(bridge.without_cookie(next.run(Request::from_parts(parts, body)).await));
    }
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

impl<P: DatabasePool> Bridge<P> {
    async fn old_id(&self, parts: &Parts) -> Option<String> {
        let lines = parts.headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        let mut jar = CookieJar::new();
        for cookie in lines.flat_map(|line| line.split(';')) {
            if let Ok(cookie) = Cookie::parse_encoded(cookie.to_owned()) {
                jar.add_original(cookie);
            }
        }
        let cookie = match &self.key {
            Some(key) => jar.message_signed(key, (self.message)(parts)).get(self.name).await?,
            None => jar.get(self.name)?.clone(),
        };
        // What axum_session makes: a UUID. Without a key it takes any other id as well; this does not.
        let id = cookie.value();
        (id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'))
            .then(|| id.to_owned())
    }

    /// Asks first whether it exists: on Redis, `load` takes an absent session for an error.
    async fn load(&self, id: &str) -> cloakroom::Result<Option<Old>> {
        if !within(self.pool.exists(id, self.table)).await? {
            return Ok(None);
        }
        let text = within(self.pool.load(id, self.table)).await?;
        let text = text.and_then(|text| match &self.database_key {
            Some(key) => opened(id, &text, key),
            None => Some(text),
        });
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    async fn delete(&self, id: &str) -> cloakroom::Result<()> {
        within(self.pool.delete_one_by_id(id, self.table)).await
    }

    fn without_cookie(&self, mut response: Response) -> Response {
        response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static(self.removal));
        response
    }
}

/// A nonce of 12 bytes, then what AES-256-GCM made of the session, under its id.
fn opened(id: &str, text: &str, key: &OldKey) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(12)?;
    let cipher = Aes256Gcm::new_from_slice(key.encryption()).ok()?;
    let payload = Payload { msg: sealed, aad: id.as_bytes() };
    let opened = cipher.decrypt(&Nonce::try_from(nonce).ok()?, payload).ok()?;
    String::from_utf8(opened).ok()
}

/// An outage of the old database is a 503, never a logout.
async fn within<T>(
    answer: impl Future<Output = std::result::Result<T, DatabaseError>>,
) -> cloakroom::Result<T> {
    match timeout(Duration::from_secs(2), answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(Error::new(ErrorKind::Unavailable)),
    }
}
