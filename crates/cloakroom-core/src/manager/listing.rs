//! The sessions of a person: listed and ended through the manager.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::stream::{self, StreamExt as _};

use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::live::{Phase, Place};
use crate::manager::lists::{AT_ONCE, IN_A_ROW, Sight, ages_but};
use crate::manager::{Inner, SessionManager, principal, used_at};
use crate::patience::yield_now;
use crate::session::Session;
use crate::store::{PublicHandle, StoreKey};
use crate::visit::find::Fetched;

/// One session in a listing.
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The name by which to revoke it.
    pub handle: PublicHandle,
    /// When it began.
    pub created_at: SystemTime,
    /// When it was last used, as exactly as the touch interval is.
    pub last_seen: SystemTime,
    /// When it ends if it is not used again.
    pub expires_at: SystemTime,
    /// What the login said of it, such as the browser's name.
    pub labels: Vec<(String, String)>,
}

impl SessionInfo {
    /// Whether it is the session of this request.
    ///
    /// ```
    /// # use cloakroom_core::{Result, Session, SessionManager};
    /// async fn other_devices(sessions: &SessionManager, session: &Session, who: &str) -> Result<usize> {
    ///     let all = sessions.sessions_of(who).await?;
    ///     Ok(all.iter().filter(|info| !info.is_current(session)).count())
    /// }
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_current(&self, session: &Session) -> bool {
        session.handle().as_ref() == Some(&self.handle)
    }
}

impl fmt::Debug for SessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInfo")
            .field("created_at", &self.created_at)
            .field("last_seen", &self.last_seen)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl SessionManager {
    /// The live sessions of a principal, the latest used first.
    ///
    /// Each is loaded, a few at a time. Entries of the index whose sessions are over are removed on the way, unless they
    /// are younger than twice the [deadline](crate::SessionManagerBuilder::with_deadline): a login may be about to write
    /// its record. What cannot be opened with this key ring is left out.
    ///
    /// ```
    /// # use cloakroom_core::testing::ModelStore;
    /// # use cloakroom_core::{Clock, ErrorKind, KeyRing, SessionManager};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let sessions = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
    /// // This store cannot; memory, Redis and the SQL stores can.
    /// let answer = sessions.sessions_of("ada").await;
    /// assert_eq!(answer.err().map(|error| error.kind()), Some(ErrorKind::Unsupported));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the store has no index of principals, or a store error.
    ///
    /// # Cancel safety
    ///
    /// A dropped call ended no session.
    pub async fn sessions_of(&self, principal: &str) -> Result<Vec<SessionInfo>> {
        let lists = self.0.lists_of(principal).await?;
        let seen = self.0.look_at(&lists, principal, None).await?;
        self.0.heal(&lists, &seen).await;
        let mut infos: Vec<_> = seen
            .into_iter()
            .filter_map(|seen| match seen.sight {
                Sight::Live(fetched) => Some(self.0.info(&seen.key, &fetched)),
                Sight::Gone | Sight::Unknown => None,
            })
            .collect();
        infos.sort_by_key(|info| std::cmp::Reverse(info.last_seen));
        Ok(infos)
    }

    /// Ends one session of a principal; `false` if the principal has no such session.
    ///
    /// Its next request finds nothing, and a request under way cannot store anything any more, nor bring it back. A session
    /// that passes to another principal at this very moment, or logs in anew, may be ended with it.
    ///
    /// ```
    /// # use cloakroom_core::{Result, SessionManager};
    /// async fn lost_device(sessions: &SessionManager, who: &str, handle: &str) -> Result<bool> {
    ///     sessions.revoke(who, &handle.parse()?).await
    /// }
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the store has no index of principals, or a store error: it may or may not have
    /// ended.
    ///
    /// # Cancel safety
    ///
    /// Of a call that is dropped, the session may or may not have ended.
    pub async fn revoke(&self, principal: &str, handle: &PublicHandle) -> Result<bool> {
        self.0.index()?;
        let Some(key) = handle.store_key() else { return Ok(false) };
        let ended = self.0.end_of(key, principal, Unknown::Spared).await?;
        if ended {
            self.0.strike(principal, &[key], self.0.age_of_the_ended()).await;
        }
        Ok(ended)
    }

    /// Ends all sessions of this session's principal but this one, and says how many.
    ///
    /// What is said of [`revoke_all`](Self::revoke_all) holds for the others. The session must be stored, and is looked at
    /// once more: one that was ended or rotated by another request ends nobody. Whoever has copied the token of this one is
    /// not thrown out: call [`rotate`](Session::rotate) and [`save`](Session::save) before.
    ///
    /// ```
    /// # use cloakroom_core::{Login, Result, Session, SessionManager};
    /// async fn password_changed(sessions: &SessionManager, session: &Session, login: Login) -> Result<usize> {
    ///     session.authenticate(login)?;
    ///     session.save().await?;
    ///     sessions.revoke_others(session).await
    /// }
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the store has no index of principals, [`ErrorKind::Ended`] where
    /// nobody is logged in or the session itself has ended, or a store error: some may have ended; call it again.
    ///
    /// # Cancel safety
    ///
    /// Of a call that is dropped, some sessions have ended.
    pub async fn revoke_others(&self, session: &Session) -> Result<usize> {
        self.0.index()?;
        let standing = standing(session).ok_or_else(|| Error::new(ErrorKind::Ended))?;
        match self.0.sight(&standing.key, &standing.principal).await? {
            Sight::Live(fetched) if fetched.state.generation == standing.generation => {}
            _ => return Err(Error::new(ErrorKind::Ended)),
        }
        self.0.end_all_but(&standing.principal, Some(&standing.key)).await
    }

    /// Ends all sessions of a principal, and says how many.
    ///
    /// A login whose response was on its way before the call is over after it. One that runs beside the call is ended,
    /// or is stored after it and stays; the index lists it then. A request under way brings no session back. The
    /// sessions are ended one by one, a few at a time, and other requests go on meanwhile. What the index lists and
    /// nobody can open with this key ring is ended, too.
    ///
    /// ```
    /// # use cloakroom_core::{Result, SessionManager};
    /// async fn account_disabled(sessions: &SessionManager, who: &str) -> Result<usize> {
    ///     sessions.revoke_all(who).await
    /// }
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the store has no index of principals, or a store error: the others were ended
    /// all the same; call it again.
    ///
    /// # Cancel safety
    ///
    /// Of a call that is dropped, some sessions have ended.
    pub async fn revoke_all(&self, principal: &str) -> Result<usize> {
        self.0.end_all_but(principal, None).await
    }
}

/// What becomes of a session that is listed and cannot be read.
#[derive(Clone, Copy)]
enum Unknown {
    Ended,
    Spared,
}

/// Who speaks for a principal.
struct Standing {
    key: StoreKey,
    principal: String,
    generation: u64,
}

/// The stored login of a session that is not over, as far as this request knows.
fn standing(session: &Session) -> Option<Standing> {
    let live = session.shared().live();
    match (&live.place, live.phase) {
        (Place::Stored(stored), Phase::Open | Phase::Committed) => Some(Standing {
            key: stored.key,
            principal: principal(&live.base)?.to_owned(),
            generation: live.base.generation,
        }),
        _ => None,
    }
}

impl Inner {
    /// How old an entry must be to go with its session.
    ///
    /// Where there is a limit, it need not be: one of a moment ago would count as a login that is under way. Where there is
    /// none, it may stay and be healed: should a store bring a session back by sending a create again, it is listed.
    fn age_of_the_ended(&self) -> Duration {
        if self.limit.most().is_some() { Duration::ZERO } else { self.settle_time() }
    }

    async fn end_of(&self, key: StoreKey, principal: &str, unknown: Unknown) -> Result<bool> {
        match (self.sight(&key, principal).await?, unknown) {
            (Sight::Live(..), _) | (Sight::Unknown, Unknown::Ended) => {}
            (Sight::Gone, _) | (Sight::Unknown, Unknown::Spared) => return Ok(false),
        }
        let ended = self.end(&key).await?;
        if ended {
            self.emit(SessionEventKind::Ended(EndReason::Revoked), &key);
        }
        Ok(ended)
    }

    async fn end_all_but(&self, principal: &str, spared: Option<&StoreKey>) -> Result<usize> {
        let lists = self.lists_of(principal).await?;
        let keys = ages_but(&lists, spared).into_keys();
        let ends = keys.map(|key| async move { (key, self.end_of(key, principal, Unknown::Ended).await) });
        let mut ends = stream::iter(ends).buffer_unordered(AT_ONCE);
        let (mut looks, mut ended, mut failed) = (0_usize, Vec::new(), None);
        while let Some(end) = ends.next().await {
            looks += 1;
            match end {
                (key, Ok(true)) => ended.push(key),
                (_, Ok(false)) => {}
                // The others are ended all the same.
                (_, Err(error)) => failed = Some(error),
            }
            if looks.is_multiple_of(IN_A_ROW) {
                yield_now().await;
            }
        }
        drop(ends);
        self.strike(principal, &ended, self.age_of_the_ended()).await;
        match failed {
            Some(error) => Err(error),
            None => Ok(ended.len()),
        }
    }

    fn info(&self, key: &StoreKey, fetched: &Fetched) -> SessionInfo {
        let state = &fetched.state;
        let now = self.clock.wall();
        let idle = Duration::from_millis(state.idle);
        // The record was given its idle time at its last use, or less where the absolute deadline was nearer: then
        // this is too early, and the last write tells.
        let unused = idle.saturating_sub(fetched.ttl);
        let told = Duration::from_millis(used_at(state).max(state.created_at));
        let last_seen = now.saturating_sub(unused).max(told).min(now);
        SessionInfo {
            handle: key.public_handle(),
            created_at: UNIX_EPOCH + Duration::from_millis(state.created_at),
            last_seen: UNIX_EPOCH + last_seen,
            expires_at: UNIX_EPOCH + now + fetched.ttl,
            labels: state.login.as_ref().map(|login| login.labels.clone()).unwrap_or_default(),
        }
    }
}
