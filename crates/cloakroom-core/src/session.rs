//! What a handler holds.

mod credentials;
mod csrf;
mod lifecycle;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloakroom_codec::{Pair, State, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::Change;
use crate::error::{Error, ErrorKind, Result};
use crate::key::SessionKey;
use crate::live::{Phase, Place, Shared};
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
/// [`logout`](Self::logout), or after [`verify_fingerprint`](Self::verify_fingerprint) ended it.
///
/// A handler that panics while it holds its session stores nothing, even if a layer inside the session's
/// catches the panic. One that gave its session away before it panicked cannot be told from one that
/// ended well, if such a layer makes a response of it.
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
        let pair = Pair::encode(name, value)?;
        if pair.value_len() > self.0.manager.max_size {
            return Err(Error::new(ErrorKind::TooLarge));
        }
        let mut live = self.0.live();
        live.check_open()?;
        if live.seen().values.get(name) != Some(pair.value()) {
            live.note(Change::Set(pair));
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
    /// decisions that rest on it. It guards the other changes of this request; alone it asks nothing.
    pub fn require_unchanged(&self, key: impl AsRef<str>) {
        let mut live = self.0.live();
        if live.phase != Phase::Open {
            return;
        }
        let seen = live.seen().values.get(key.as_ref());
        live.changes.push(Change::Unchanged { key: key.as_ref().into(), seen });
    }

    /// Leaves a message for a later request, most often the one after a redirect.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set).
    pub fn flash<T: Serialize + ?Sized>(&self, message: &T) -> Result<()> {
        // A number of its own tells it from an equal message of another request.
        let number = u64::from_be_bytes(cloakroom_codec::random_array()?);
        let message = self.encode(&(number, message))?;
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
        loop {
            let taken = {
                let live = self.0.live();
                if live.is_over() { Vec::new() } else { live.seen().flashes.clone() }
            };
            if taken.is_empty() {
                return Ok(Vec::new());
            }
            let messages = taken
                .iter()
                .map(|message| message.decode::<(u64, T)>().map(|(_, message)| message))
                .collect::<Result<Vec<T>, _>>()?;
            let mut live = self.0.live();
            live.check_open()?;
            // Another handle of this request may have been quicker.
            if live.seen().flashes == taken {
                live.note(Change::TakeFlashes { taken });
                return Ok(messages);
            }
        }
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

    /// When somebody last logged in; `None` if nobody is.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        let live = self.0.live();
        if live.is_over() { None } else { live.seen().authenticated_at.map(time) }
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
            Place::Nowhere(_) | Place::Overtaken | Place::Carried(_) => None,
        }
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
            self.0.note_panic();
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

fn time(unix_millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_millis)
}

const LONGEST_KEY: usize = 128;
