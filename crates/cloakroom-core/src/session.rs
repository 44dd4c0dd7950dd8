//! What a handler holds.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloakroom_codec::{Login as BoundLogin, Secret, State, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::{Authentication, Change};
use crate::commit::commit;
use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::SessionKey;
use crate::live::{Deletion, Live, Phase, Place, Reach, Shared};
use crate::login::Login;
use crate::manager::millis;
use crate::store::PublicHandle;

/// The session of a visitor, as a handler holds it.
///
/// Cheap to clone; a clone is the same session. Reading and writing need no `await`: the session was
/// loaded when it was extracted, and what was written is stored once, before the response begins.
/// Two requests that change one session at the same time both keep their changes: each change is noted, and
/// done again on top of the other's if need be.
///
/// Keys are 1 to 128 bytes long; a session has at most 1024 values. Every write fails with
/// [`ErrorKind::Committed`] once the response has begun, and with [`ErrorKind::LoggedOut`] after
/// [`logout`](Self::logout).
///
/// ```
/// use cloakroom_core::{Key, Session};
///
/// const VISITS: Key<u32> = Key::new("visits");
///
/// fn count(session: &Session) -> cloakroom_core::Result<u32> {
///     session.update(VISITS, |visits| visits.unwrap_or(0) + 1)
/// }
///
/// let session = cloakroom_core::testing::session(|_| Ok(()))?;
/// assert_eq!(count(&session)?, 1);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub struct Session(Arc<Shared>);

impl Session {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }

    /// Reads a value; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] if what is there does not have the type `T`. Other values are not affected.
    pub fn get<T: DeserializeOwned>(&self, key: impl SessionKey<T>) -> Result<Option<T>> {
        match self.peek(key.name()) {
            Some(value) => Ok(Some(value.decode()?)),
            None => Ok(None),
        }
    }

    /// Writes a value. An equal one is no change.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] for a value that MessagePack cannot express or that is nested more than 32 deep,
    /// [`ErrorKind::TooLarge`] for one that alone is larger than a session may be, and the errors of any
    /// write.
    pub fn set<T: Serialize + ?Sized>(&self, key: impl SessionKey<T>, value: &T) -> Result<()> {
        let name = checked(key.name())?;
        let value = self.encode(value)?;
        let mut live = self.0.live();
        live.check_open()?;
        if live.seen().values.get(name).as_ref() != Some(&value) {
            live.note(Change::Set { key: name.into(), value });
        }
        Ok(())
    }

    /// Reads a value and removes it, exactly once: of two requests that take it at the same time one gets
    /// it, and the other's response is `409 session ended`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] if what is there does not have the type `T`; it then stays. And the errors of
    /// any write.
    pub fn take<T: DeserializeOwned>(&self, key: impl SessionKey<T>) -> Result<Option<T>> {
        let name = key.name();
        loop {
            let seen = {
                let live = self.0.live();
                live.check_open()?;
                live.seen().values.get(name)
            };
            let Some(taken) = seen else { return Ok(None) };
            let value = taken.decode()?;
            let mut live = self.0.live();
            live.check_open()?;
            // Another handle of this request may have been quicker.
            if live.seen().values.get(name).as_ref() == Some(&taken) {
                live.note(Change::Take { key: name.into(), taken });
                return Ok(Some(value));
            }
        }
    }

    /// Makes a new value from the old one, and returns it.
    ///
    /// If another request changed the session meanwhile, `f` runs again on its value, so that no update is
    /// lost. What is returned is therefore provisional, and `f` must do nothing but compute.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`set`](Self::set). `f` does not run then.
    pub fn update<T>(
        &self,
        key: impl SessionKey<T>,
        mut f: impl FnMut(Option<T>) -> T + Send + 'static,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + 'static,
    {
        let name = checked(key.name())?;
        let limit = self.0.manager.max_size;
        loop {
            let old = {
                let live = self.0.live();
                live.check_open()?;
                live.seen().values.get(name)
            };
            // No lock is held while the closure runs.
            let new = f(old.as_ref().map(Value::decode).transpose()?);
            let value = encode(&new, limit)?;
            let mut live = self.0.live();
            live.check_open()?;
            if live.seen().values.get(name) != old {
                continue;
            }
            if old.as_ref() != Some(&value) {
                live.draft().values.insert(name, value);
            }
            live.changes.push(Change::Update {
                key: name.into(),
                apply: Box::new(move |old| encode(&f(old.map(Value::decode).transpose()?), limit)),
            });
            return Ok(new);
        }
    }

    /// Removes a value; an absent one is no change.
    ///
    /// # Errors
    ///
    /// Those of any write.
    pub fn remove(&self, key: impl AsRef<str>) -> Result<()> {
        let name = key.as_ref();
        let mut live = self.0.live();
        live.check_open()?;
        if live.seen().values.contains(name) {
            live.note(Change::Remove { key: name.into() });
        }
        Ok(())
    }

    /// Whether there is a value under this key.
    #[must_use]
    pub fn contains(&self, key: impl AsRef<str>) -> bool {
        let live = self.0.live();
        !live.is_over() && live.seen().values.contains(key.as_ref())
    }

    /// The names of all values, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let live = self.0.live();
        if live.is_over() { Vec::new() } else { live.seen().values.keys().map(str::to_owned).collect() }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let live = self.0.live();
        if live.is_over() { 0 } else { live.seen().values.len() }
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all values and flash messages; the session and its principal stay.
    ///
    /// # Errors
    ///
    /// Those of any write.
    pub fn clear(&self) -> Result<()> {
        let mut live = self.0.live();
        live.check_open()?;
        if !live.seen().values.is_empty() || !live.seen().flashes.is_empty() {
            live.note(Change::Clear);
        }
        Ok(())
    }

    /// Lets the commit fail with `409 session ended` if another request changes this value meanwhile, for
    /// decisions that rest on it.
    pub fn require_unchanged(&self, key: impl AsRef<str>) {
        let mut live = self.0.live();
        let seen = live.seen().values.get(key.as_ref());
        live.changes.push(Change::Unchanged { key: key.as_ref().into(), seen });
    }

    /// Leaves a message for a later request, most often the one after a redirect.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set).
    pub fn flash<T: Serialize + ?Sized>(&self, message: &T) -> Result<()> {
        let message = self.encode(message)?;
        let mut live = self.0.live();
        live.check_open()?;
        live.note(Change::Flash { message });
        Ok(())
    }

    /// Takes the messages that were left, in their order.
    ///
    /// If their removal cannot be stored, the response passes and they are seen once more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] if one of them does not have the type `T`; all of them stay then.
    pub fn take_flashes<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let taken = {
            let live = self.0.live();
            if live.is_over() { Vec::new() } else { live.seen().flashes.clone() }
        };
        let messages = taken.iter().map(Value::decode).collect::<Result<Vec<T>, _>>()?;
        if !taken.is_empty() {
            let mut live = self.0.live();
            live.check_open()?;
            live.note(Change::TakeFlashes { taken });
        }
        Ok(messages)
    }

    /// Binds a principal to the session, and rotates its secret, so that a token from before the login is
    /// worth nothing after it (OWASP, session fixation).
    ///
    /// A new absolute deadline begins. Another principal than the bound one clears all values first.
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
        live.note(Change::Authenticate(Box::new(Authentication {
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
        if matches!(live.place, Place::Stored(_)) {
            live.note(Change::Rotate { at });
            live.fresh_secret = Some(secret);
        }
        Ok(())
    }

    /// Marks the session for deletion; the commit deletes it, and the response takes the client's token away.
    ///
    /// Until the request ends the session reads as empty, and writes are errors. If the store cannot
    /// delete it, the response is `503`: nobody is told "logged out" who is not.
    pub fn logout(&self) {
        let mut live = self.0.live();
        if live.phase == Phase::Open {
            live.phase = Phase::LoggedOut(Deletion::Pending);
        }
    }

    /// Gives this one session other limits than the manager's, counted from its start or login.
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
    /// It sticks across requests, rotation and further logins of the same principal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misconfigured`] for less than a second or more than 3650 days, and the errors of any
    /// write.
    pub fn remember(&self, duration: Duration) -> Result<()> {
        Expiry::new(duration, duration).check()?;
        if duration < Duration::from_secs(1) {
            return Err(Error::misconfigured("a session cannot be remembered for less than a second"));
        }
        let at = self.0.manager.now();
        let mut live = self.0.live();
        live.check_open()?;
        live.note(Change::Remember { at, lifetime: millis(duration) });
        Ok(())
    }

    /// Whether the request came without a session.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.0.live().was_new
    }

    /// Who is logged in.
    #[must_use]
    pub fn principal(&self) -> Option<String> {
        let live = self.0.live();
        if live.is_over() { None } else { live.seen().login.as_ref().map(|login| login.principal.clone()) }
    }

    /// When the session began. Login and rotation do not change it.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        time(self.0.live().seen().created_at)
    }

    /// When somebody last logged in.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.0.live().seen().authenticated_at.map(time)
    }

    /// When the session ends if this request is its last use.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        let live = self.0.live();
        let State { idle, absolute_deadline, .. } = live.seen();
        time(self.0.manager.now().saturating_add(*idle).min(*absolute_deadline))
    }

    /// The name of this session in listings; `None` before it is stored.
    #[must_use]
    pub fn handle(&self) -> Option<PublicHandle> {
        match &self.0.live().place {
            Place::Stored(stored) => Some(stored.key.public_handle()),
            Place::Nowhere(_) | Place::Overtaken => None,
        }
    }

    /// Stores what was changed so far, now instead of before the response.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Ended`] if the session was ended or rotated by another request: nothing was stored, and
    /// the response is the handler's own. Transient errors leave the changes noted: the next `save`, or the
    /// end of the request, tries again.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the old or the new session; its changes stay noted, and are stored once.
    pub async fn save(&self) -> Result<()> {
        if self.0.live().phase == Phase::Committed {
            return Ok(());
        }
        commit(&self.0).await
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
        commit(&self.0).await
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
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing.
    pub async fn detached(&self) -> Result<Self> {
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

    fn peek(&self, name: &str) -> Option<Value> {
        let live = self.0.live();
        if live.is_over() { None } else { live.seen().values.get(name) }
    }

    fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Value> {
        encode(value, self.0.manager.max_size)
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A handler that panics drops its session while it unwinds, also where a layer catches the panic.
        if std::thread::panicking() {
            self.0.live().panicked = true;
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.0.live();
        f.debug_struct("Session")
            .field("is_new", &live.was_new)
            .field("changed", &live.has_changes())
            .finish_non_exhaustive()
    }
}

fn encode<T: Serialize + ?Sized>(value: &T, limit: usize) -> Result<Value> {
    let value = Value::encode(value)?;
    if value.len() > limit {
        return Err(Error::new(ErrorKind::TooLarge));
    }
    Ok(value)
}

fn checked(name: &str) -> Result<&str> {
    match name.len() {
        0 => Err(Error::with_detail(ErrorKind::Value, "a session key cannot be empty")),
        1..=LONGEST_KEY => Ok(name),
        _ => Err(Error::with_detail(ErrorKind::TooLarge, "a session key is at most 128 bytes long")),
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
    Ok(())
}

fn check_rotatable(live: &Live) -> Result<()> {
    live.check_open()?;
    match live.reach {
        Reach::Request => Ok(()),
        Reach::Detached => Err(Error::new(ErrorKind::Detached)),
    }
}

fn time(unix_millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_millis)
}

const LONGEST_KEY: usize = 128;
