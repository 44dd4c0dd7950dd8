//! The sessions of a person: listed and ended through the manager.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloakroom_codec::State;

use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::manager::{Inner, SessionManager};
use crate::principal::PrincipalIndex;
use crate::session::Session;
use crate::store::{Deleted, PrincipalTag, PublicHandle, Record, StoreKey};

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
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the store has no index of principals, or a store error.
    pub async fn sessions_of(&self, principal: &str) -> Result<Vec<SessionInfo>> {
        let mut infos = Vec::new();
        for key in self.0.keys_of(principal).await? {
            if let Some((record, state)) = self.0.read_of(&key, principal).await? {
                infos.push(self.0.info(&key, &record, state));
            }
        }
        infos.sort_by_key(|info| std::cmp::Reverse(info.last_seen));
        Ok(infos)
    }

    /// Ends one session of a principal; `false` if the principal has no such session.
    ///
    /// A request under way does not bring it back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the store has no index of principals, or a store error.
    pub async fn revoke(&self, principal: &str, handle: &PublicHandle) -> Result<bool> {
        self.0.index()?;
        let Some(key) = handle.store_key() else { return Ok(false) };
        self.0.end_of(&key, principal).await
    }

    /// Ends all sessions of this session's principal but this one, and says how many.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the store has no index of principals, [`ErrorKind::Ended`] where
    /// nobody is logged in, or a store error.
    pub async fn revoke_others(&self, session: &Session) -> Result<usize> {
        let principal = session.principal().ok_or_else(|| Error::new(ErrorKind::Ended))?;
        let own = session.handle().and_then(|handle| handle.store_key());
        self.0.end_all_but(&principal, own).await
    }

    /// Ends all sessions of a principal, and says how many.
    ///
    /// A login that was complete before the call is gone after it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the store has no index of principals, or a store error.
    pub async fn revoke_all(&self, principal: &str) -> Result<usize> {
        self.0.end_all_but(principal, None).await
    }
}

impl Inner {
    fn index(&self) -> Result<&dyn PrincipalIndex> {
        self.principals().ok_or_else(|| Error::new(ErrorKind::Unsupported))
    }

    async fn keys_of(&self, principal: &str) -> Result<Vec<StoreKey>> {
        let index = self.index()?;
        let mut keys = Vec::new();
        for tag in self.keys.principal_tags(principal) {
            let listed = index.entries(&PrincipalTag::from_bytes(tag)).await?.entries;
            keys.extend(listed.iter().map(|entry| entry.key));
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// Reads a session if it is this principal's.
    async fn read_of(&self, key: &StoreKey, principal: &str) -> Result<Option<(Record, State)>> {
        let found = self.read(key).await?;
        Ok(found.filter(|(_, state)| state.login.as_ref().is_some_and(|login| login.principal == principal)))
    }

    async fn end_of(&self, key: &StoreKey, principal: &str) -> Result<bool> {
        if self.read_of(key, principal).await?.is_none() {
            return Ok(false);
        }
        let ended = self.store()?.delete(key).await? == Deleted::Deleted;
        if ended {
            self.emit(SessionEventKind::Ended(EndReason::Revoked), key);
        }
        Ok(ended)
    }

    async fn end_all_but(&self, principal: &str, spared: Option<StoreKey>) -> Result<usize> {
        let mut ended = 0;
        for key in self.keys_of(principal).await? {
            if Some(key) != spared && self.end_of(&key, principal).await? {
                ended += 1;
            }
        }
        Ok(ended)
    }

    fn info(&self, key: &StoreKey, record: &Record, state: State) -> SessionInfo {
        let now = self.clock.wall();
        let idle = Duration::from_millis(state.idle);
        // The record was given its idle time at its last use, unless the absolute deadline is nearer.
        let unused = idle.saturating_sub(record.ttl);
        let last_seen = now.saturating_sub(unused).max(Duration::from_millis(state.created_at)).min(now);
        SessionInfo {
            handle: key.public_handle(),
            created_at: UNIX_EPOCH + Duration::from_millis(state.created_at),
            last_seen: UNIX_EPOCH + last_seen,
            expires_at: UNIX_EPOCH + now + record.ttl,
            labels: state.login.map(|login| login.labels).unwrap_or_default(),
        }
    }
}
