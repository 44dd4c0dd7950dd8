//! Whether a login still holds: its fingerprint, and its age.

use std::time::Duration;

use cloakroom_codec::SecretHash;

use super::Session;
use crate::commit::{Occasion, commit};
use crate::error::{Error, ErrorKind, Result};
use crate::live::{Deletion, Phase};

impl Session {
    /// Whether somebody is logged in whose credentials are still those of the login; a session of anybody
    /// else's ends here and now.
    ///
    /// `current` is what [`Login::with_fingerprint`](crate::Login::with_fingerprint) would be given today,
    /// such as the account's password hash: once the password was changed, every other session ends at its
    /// next check. A check that passes costs no store call. It judges what the handler sees, so that the
    /// session in which the password was changed passes after
    /// [`authenticate`](Self::authenticate) with the new fingerprint.
    ///
    /// `false` means that nobody is logged in: nobody was, or the login had another fingerprint, or none,
    /// which cannot be told from another. The session is then deleted, reads as empty, and refuses writes, as
    /// after [`logout`](Self::logout); but the response takes no token away, since it might be the one that
    /// another request has just set. A session that another request deleted first is `false` as well.
    ///
    /// Where clients carry their sessions, the response takes the client's away, and that is all: a copy of it
    /// lives on, and is found only by a check of its own.
    ///
    /// Between the change of the account and the commit of the new login, a check in a parallel request of the
    /// same session ends it. The change's response is then `409 session ended`, and its user logs in again.
    ///
    /// ```
    /// use cloakroom_core::Login;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let session = cloakroom_core::testing::session(|session| {
    ///     session.authenticate(Login::new("ada").with_fingerprint("$argon2id$first"))
    /// })?;
    /// assert!(session.verify_fingerprint("$argon2id$first").await?);
    ///
    /// // Ada changes her password, here or elsewhere.
    /// assert!(!session.verify_fingerprint("$argon2id$second").await?);
    /// assert_eq!(session.principal(), None);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Let none of them pass: whether the login holds is not known, or it does not. The store could not delete
    /// the session; in this request it reads as empty all the same, and the end of the request tries again.
    /// [`ErrorKind::Ended`] if another request logged in anew or rotated the session: it stays as it is, and
    /// this request is not part of it any more. [`ErrorKind::Committed`] if it should end after the response
    /// has begun.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the session as it was, or over for this request, whose end deletes it.
    pub async fn verify_fingerprint(&self, current: impl AsRef<[u8]>) -> Result<bool> {
        let current = SecretHash::from_bytes(self.0.manager.keys.fingerprint_hash(current.as_ref()));
        {
            let mut live = self.0.live();
            match live.phase {
                Phase::LoggedOut(Deletion::Pending | Deletion::Done) => return Ok(false),
                Phase::LoggedOut(Deletion::Outdated) => {}
                Phase::Ended => return Err(Error::new(ErrorKind::Ended)),
                Phase::Open | Phase::Committed => {
                    let Some(login) = &live.seen().login else { return Ok(false) };
                    // In constant time, as all digests of what a client may choose.
                    if login.fingerprint.is_some_and(|kept| SecretHash::from_bytes(kept).matches(&current)) {
                        return Ok(true);
                    }
                    if live.phase == Phase::Committed {
                        return Err(Error::new(ErrorKind::Committed));
                    }
                    live.phase = Phase::LoggedOut(Deletion::Outdated);
                }
            }
        }
        commit(&self.0, Occasion::Call).await?;
        Ok(false)
    }

    /// Whether somebody logged in at most `duration` ago, for what asks for the password once more.
    ///
    /// Ask for it where this is `false`, and [`authenticate`](Self::authenticate) the same principal again:
    /// the secret rotates, and the values stay. `false` if nobody is logged in.
    ///
    /// It goes by the wall clock. A login that lies in the future, by at most a minute, counts as made just
    /// now, because the clocks of servers differ; one further off does not count, because the clock was set
    /// back and nobody knows how old it is.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// const RECENT: Duration = Duration::from_secs(5 * 60);
    ///
    /// let session = cloakroom_core::testing::session(|_| Ok(()))?;
    /// assert!(!session.authenticated_within(RECENT));
    /// session.authenticate("ada")?;
    /// assert!(session.authenticated_within(RECENT));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn authenticated_within(&self, duration: Duration) -> bool {
        let live = self.0.live();
        let Some(at) = live.seen().authenticated_at.filter(|_| !live.is_over()) else { return false };
        let now = self.0.manager.now();
        match now.checked_sub(at) {
            Some(age) => Duration::from_millis(age) <= duration,
            None => at - now <= MOST_AHEAD_MILLIS,
        }
    }
}

/// How far the clock of the server that saw a login may be ahead of this one's.
const MOST_AHEAD_MILLIS: u64 = 60_000;
