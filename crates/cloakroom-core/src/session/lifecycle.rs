//! How a session begins, changes hands, and ends.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_codec::{Login as BoundLogin, Secret};

use super::Session;
use crate::change::{Authentication, Change};
use crate::commit::{Occasion, commit};
use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::form;
use crate::live::{Deletion, Live, Phase, Place, Reach, Shared};
use crate::login::Login;
use crate::manager::millis;

impl Session {
    /// Binds a principal to the session, and rotates its secret, so that a token from before the login is
    /// worth nothing after it (OWASP, session fixation).
    ///
    /// A new absolute deadline begins. Another principal than the bound one clears all values first.
    ///
    /// With a [limit](crate::SessionLimit), the commit admits the login, or refuses it with
    /// [`ErrorKind::LimitReached`]. A handler that wants to show that calls [`save`](Self::save) right after this: a refused
    /// login leaves the session as it was, and forgets what else was changed since it was stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] for a principal or labels beyond their limits, [`ErrorKind::Detached`] on a
    /// detached session, and the errors of any write.
    pub fn authenticate(&self, login: impl Into<Login>) -> Result<()> {
        let login: Login = login.into();
        check_login(&login)?;
        let manager = &self.0.manager;
        let secret = Arc::new(Secret::random()?);
        let mut live = self.0.live();
        check_rotatable(&live)?;
        let form_id = form::fresh_id(live.seen())?;
        let is_remembered = live.changes.iter().any(Change::is_remembering);
        live.note(Change::Authenticate(Box::new(Authentication {
            is_remembered,
            form_id,
            at: manager.now(),
            idle: millis(manager.expiry.idle()),
            absolute: millis(manager.expiry.absolute()),
            visitor_values: login.visitor_values,
            login: BoundLogin {
                fingerprint: login.fingerprint.map(|bytes| manager.keys.fingerprint_hash(&bytes)),
                principal: login.principal,
                labels: login.labels,
            },
        })));
        live.fresh_secret = Some(secret);
        Ok(())
    }

    /// Gives the session a new secret; the client's old token is worth nothing afterwards.
    ///
    /// A visitor for whom nothing was written has no token yet, and gets none by this.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Detached`] on a detached session, and the errors of any write.
    pub fn rotate(&self) -> Result<()> {
        let secret = Arc::new(Secret::random()?);
        let at = self.0.manager.now();
        let mut live = self.0.live();
        check_rotatable(&live)?;
        if matches!(live.place, Place::Stored(_) | Place::Carried(_)) {
            let form_id = form::fresh_id(live.seen())?;
            live.note(Change::Rotate { at, form_id });
            live.fresh_secret = Some(secret);
        }
        Ok(())
    }

    /// Marks the session for deletion; the commit deletes it, and the response takes the client's token away.
    ///
    /// Until the request ends the session reads as empty, and writes are errors. If the store cannot
    /// delete it, the response is `503`: nobody is told "logged out" who is not. It ends the session whatever
    /// other requests did to it since it was loaded, a login included.
    ///
    /// Once the response has begun it ends nothing, and [`save`](Self::save) says so; [`end`](Self::end) says so itself.
    pub fn logout(&self) {
        let mut live = self.0.live();
        match live.phase {
            Phase::Open => live.phase = Phase::LoggedOut(Deletion::Pending),
            Phase::Committed => live.logout_refused = true,
            Phase::LoggedOut(_) | Phase::Ended => {}
        }
    }

    /// Gives this one session other limits than the manager's, counted from its start or login.
    ///
    /// The next login begins with the manager's again, or with what [`remember`](Self::remember) gave; the touch interval is always the manager's. Limits that
    /// are over already are refused by the commit, `409 session ended`; to end a session, use `logout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misconfigured`] for limits that contradict each other, and the errors of any write.
    pub fn set_expiry(&self, expiry: Expiry) -> Result<()> {
        expiry.check()?;
        let mut live = self.0.live();
        live.check_open()?;
        live.note(Change::Expire { idle: millis(expiry.idle()), absolute: millis(expiry.absolute()) });
        Ok(())
    }

    /// Keeps this one session for `duration` from now, used or not, in a cookie that outlives the browser.
    ///
    /// It sticks across requests, rotation and further logins of the same principal. A visitor's does not outlast the login,
    /// unless both are said in one request: call it beside `authenticate`. Browsers keep no cookie for longer than
    /// 400 days.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misconfigured`] for less than a second or more than 3650 days, [`ErrorKind::Detached`] on a
    /// detached session, whose client would not learn it, and the errors of any write.
    pub fn remember(&self, duration: Duration) -> Result<()> {
        Expiry::new(duration, duration).check()?;
        if duration < Duration::from_secs(1) {
            return Err(Error::misconfigured("a session cannot be remembered for less than a second"));
        }
        let at = self.0.manager.now();
        let mut live = self.0.live();
        check_rotatable(&live)?;
        live.note(Change::Remember { at, lifetime: millis(duration) });
        Ok(())
    }

    /// Stores what was changed so far, now instead of before the response.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Ended`] if the session was ended or rotated by another request: nothing was stored, and
    /// the response is the handler's own. [`ErrorKind::LimitReached`] if a login was beyond the limit. Transient errors,
    /// [`ErrorKind::Contention`] among them, leave the changes noted: the next `save`, or the end of the request, tries again.
    /// Only where [`ErrorKind::OutcomeUnknown`] comes of another request's write on top of a lost reply, nobody could try
    /// again without doing it twice, and the changes are forgotten.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the old or the new session; its changes stay noted, and are stored once. Drop it
    /// or let it end: while it is neither polled nor dropped, other saves of this session wait for it, and so do logins of the
    /// same principal where they are counted.
    pub async fn save(&self) -> Result<()> {
        {
            let live = self.0.live();
            match live.phase {
                Phase::Committed if live.changes.is_empty() && !live.logout_refused => return Ok(()),
                Phase::Committed => return Err(Error::new(ErrorKind::Committed)),
                Phase::Ended => return Err(Error::new(ErrorKind::Ended)),
                Phase::Open | Phase::LoggedOut(_) => {}
            }
        }
        commit(&self.0, Occasion::Call).await
    }

    /// Deletes the session now; the response takes the client's token away.
    ///
    /// # Errors
    ///
    /// The store could not delete it, so that it lives on; the end of the request tries again.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the session marked as by [`logout`](Self::logout).
    pub async fn end(&self) -> Result<()> {
        {
            let mut live = self.0.live();
            match live.phase {
                Phase::Open => live.phase = Phase::LoggedOut(Deletion::Pending),
                Phase::LoggedOut(_) | Phase::Ended => {}
                Phase::Committed => return Err(Error::new(ErrorKind::Committed)),
            }
        }
        commit(&self.0, Occasion::Call).await
    }

    /// The same session for a task that outlives the request: a WebSocket, a stream, a spawned job.
    ///
    /// It is loaded afresh, and only [`save`](Self::save) and [`end`](Self::end) store what it changes. It
    /// cannot create, rotate or authenticate.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Detached`] for a session that was not stored yet: `save` it first.
    /// [`ErrorKind::Ended`] if it has ended or was rotated since this request loaded it, or a store error.
    /// [`ErrorKind::Unsupported`] for client-side sessions, which can change only with a response.
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing.
    pub async fn detached(&self) -> Result<Self> {
        self.0.manager.store()?;
        let (stored, generation) = {
            let live = self.0.live();
            if live.is_over() || live.phase == Phase::Ended {
                return Err(Error::new(ErrorKind::Ended));
            }
            let Place::Stored(stored) = &live.place else {
                return Err(Error::with_detail(
                    ErrorKind::Detached,
                    "the session is not stored yet; call `save` before `detached`",
                ));
            };
            (stored.clone(), live.base.generation)
        };
        let manager = &self.0.manager;
        let mut live = manager.find_again(stored.handle, stored.secret, generation, stored.token_key).await?;
        live.reach = Reach::Detached;
        Ok(Self(Arc::new(Shared::new(Arc::clone(manager), live))))
    }
}

fn check_login(login: &Login) -> Result<()> {
    let labels_fit = login.labels.len() <= 16
        && login.labels.iter().all(|(name, value)| name.len() <= 64 && value.len() <= 256);
    if login.principal.len() > 1024 || !labels_fit {
        return Err(Error::with_detail(
            ErrorKind::TooLarge,
            "a principal is at most 1024 bytes long, and has at most 16 labels of 64 and 256 bytes",
        ));
    }
    let mut names: Vec<&str> = login.labels.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(Error::with_detail(ErrorKind::Value, "a label of the login stands twice"));
    }
    Ok(())
}

fn check_rotatable(live: &Live) -> Result<()> {
    live.check_open()?;
    match live.reach {
        Reach::Request => Ok(()),
        Reach::Detached => Err(Error::new(ErrorKind::Detached)),
    }
}
