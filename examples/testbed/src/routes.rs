//! What each route does with a session, whatever the framework.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloakroom::{PublicHandle, Session, SessionManager};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, blame_client};

/// The chunks of `/stream`, and the time between them.
pub(crate) const CHUNKS: [&str; 3] = ["a", "b", "c"];
pub(crate) const BETWEEN_CHUNKS: Duration = Duration::from_millis(50);

/// GET `/session`.
pub(crate) fn describe(session: &Session) -> Answered {
    Ok(Answer::json(&json!({
        "new": session.is_new(),
        "keys": session.keys(),
        "principal": session.principal(),
        "created_at": millis(session.created_at()),
        "expires_at": millis(session.expires_at()),
    })))
}

/// GET `/value/{key}`.
pub(crate) fn value(session: &Session, key: &str) -> Answered {
    Ok(match session.get::<Value>(key)? {
        Some(value) => Answer::json(&value),
        None => Answer::text(404, "no such value"),
    })
}

/// PUT `/value/{key}`.
pub(crate) fn set_value(session: &Session, key: &str, body: &[u8]) -> Answered {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Ok(malformed()) };
    done(session.set(key, &value))
}

/// DELETE `/value/{key}`.
pub(crate) fn remove_value(session: &Session, key: &str) -> Answered {
    done(session.remove(key))
}

/// POST `/add/{key}/{n}`.
pub(crate) fn add(session: &Session, key: &str, n: i64) -> Answered {
    match session.update(key, move |old: Option<i64>| old.unwrap_or(0).wrapping_add(n)) {
        Ok(new) => Ok(Answer::json(&json!(new))),
        Err(error) => blame_client(error),
    }
}

/// POST `/slow/{ms}/value/{key}`.
pub(crate) async fn slow_set(session: &Session, ms: u64, key: &str, body: &[u8]) -> Answered {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Ok(malformed()) };
    let _seen = session.get::<Value>(key)?;
    wait(ms).await;
    done(session.set(key, &value))
}

/// POST `/slow/{ms}/add/{key}/{n}`.
pub(crate) async fn slow_add(session: &Session, ms: u64, key: &str, n: i64) -> Answered {
    wait(ms).await;
    add(session, key, n)
}

/// POST `/slow/{ms}/read`.
pub(crate) async fn slow_read(_session: &Session, ms: u64) -> Answered {
    wait(ms).await;
    Ok(Answer::empty(204))
}

/// POST `/clear`.
pub(crate) fn clear(session: &Session) -> Answered {
    done(session.clear())
}

/// POST `/rotate`.
pub(crate) fn rotate(session: &Session) -> Answered {
    done(session.rotate())
}

/// POST `/login/{principal}`.
pub(crate) fn login(session: &Session, principal: &str) -> Answered {
    done(session.authenticate(principal))
}

/// POST `/logout`.
pub(crate) fn logout(session: &Session) -> Answered {
    session.logout();
    Ok(Answer::empty(204))
}

/// POST `/remember/{seconds}`.
pub(crate) fn remember(session: &Session, seconds: u64) -> Answered {
    done(session.remember(Duration::from_secs(seconds)))
}

/// GET `/sessions`.
pub(crate) async fn sessions(session: &Session, manager: &SessionManager) -> Answered {
    let Some(principal) = session.principal() else { return Ok(nobody()) };
    let listed = manager.sessions_of(&principal).await?;
    let entries = listed.iter().map(|info| {
        json!({
            "handle": info.handle.as_str(),
            "created_at": millis(info.created_at),
            "last_seen": millis(info.last_seen),
            "current": info.is_current(session),
        })
    });
    Ok(Answer::json(&entries.collect()))
}

/// DELETE `/sessions/{handle}`.
pub(crate) async fn revoke(session: &Session, manager: &SessionManager, handle: &str) -> Answered {
    let Some(principal) = session.principal() else { return Ok(nobody()) };
    let revoked = match handle.parse::<PublicHandle>() {
        Ok(handle) => manager.revoke(&principal, &handle).await?,
        Err(_) => false,
    };
    Ok(if revoked { Answer::empty(204) } else { Answer::text(404, "no such session") })
}

/// POST `/revoke-others`.
pub(crate) async fn revoke_others(session: &Session, manager: &SessionManager) -> Answered {
    if session.principal().is_none() {
        return Ok(nobody());
    }
    let revoked = manager.revoke_others(session).await?;
    Ok(Answer::json(&json!({ "revoked": revoked })))
}

/// POST `/revoke-all`.
pub(crate) async fn revoke_all(session: &Session, manager: &SessionManager) -> Answered {
    let Some(principal) = session.principal() else { return Ok(nobody()) };
    let revoked = manager.revoke_all(&principal).await?;
    Ok(Answer::json(&json!({ "revoked": revoked })))
}

/// PUT `/flash`.
pub(crate) fn flash(session: &Session, body: &[u8]) -> Answered {
    let Ok(message) = serde_json::from_slice::<String>(body) else { return Ok(malformed()) };
    done(session.flash(&message))
}

/// GET `/flash`.
pub(crate) fn flashes(session: &Session) -> Answered {
    let messages: Vec<String> = session.take_flashes()?;
    Ok(Answer::json(&json!(messages)))
}

/// POST `/set-then-status/{code}`.
pub(crate) fn set_then_status(session: &Session, code: u16) -> Answered {
    if !(200..=599).contains(&code) {
        return Ok(Answer::text(422, "no such status"));
    }
    session.set("marker", &1)?;
    Ok(Answer::empty(code))
}

/// POST `/set-then-panic`.
#[expect(clippy::panic, reason = "that is what this route is for")]
pub(crate) fn set_then_panic(session: &Session) -> Answered {
    session.set("marker", &1)?;
    panic!("asked to panic")
}

/// GET `/cached`.
pub(crate) fn cached() -> Answered {
    Ok(Answer::text(200, "public").for_caches())
}

/// GET `/cached/read`: a page of one visitor that offers itself to every cache, as by mistake.
pub(crate) fn cached_read(session: &Session) -> Answered {
    let page = json!({ "principal": session.principal(), "mark": session.get::<Value>("mark")? });
    Ok(Answer::json(&page).for_caches())
}

/// GET `/cached/write`: the same, and counts in the session.
pub(crate) fn cached_write(session: &Session) -> Answered {
    session.update("cached", |old: Option<i64>| old.unwrap_or(0).wrapping_add(1))?;
    cached_read(session)
}

/// GET `/form`: a token for the form that is posted there.
pub(crate) fn form_token(session: &Session) -> Answered {
    Ok(Answer::text(200, &session.csrf_token()?))
}

/// What the form at `/form` holds beside its token.
#[derive(Deserialize)]
pub(crate) struct Marked {
    mark: String,
}

/// POST `/form`, where requests of other sites and forms without a token of their session do not come.
pub(crate) fn form(session: &Session, form: &Marked) -> Answered {
    done(session.set("mark", &form.mark))
}

/// GET `/late-write`, inside the body.
pub(crate) fn late_write(session: &Session) -> &'static str {
    if session.set("late", &1).is_err() { "refused" } else { "saved" }
}

fn done(result: cloakroom::Result<()>) -> Answered {
    match result {
        Ok(()) => Ok(Answer::empty(204)),
        Err(error) => blame_client(error),
    }
}

fn malformed() -> Answer {
    Answer::text(400, "the body is malformed or too deep")
}

fn nobody() -> Answer {
    Answer::text(401, "not logged in")
}

async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
