//! Everything that the requests of one application share.

mod builder;
mod listing;
mod lists;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_codec::{KeyRing, Keys, State};

use crate::backend::Backend;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{Events, SessionEventKind};
use crate::expiry::Expiry;
use crate::limit::SessionLimit;
use crate::principal::PrincipalIndex;
use crate::renewal::{OnReuse, Renewal};
use crate::store::{Store, StoreKey};
use crate::transport::Transport;
use crate::turns::{Logins, Turns};
use crate::visit::{Ticket, Visit};

pub use self::builder::SessionManagerBuilder;
pub use self::listing::SessionInfo;
pub(crate) use self::lists::{List, Sight};

/// Everything that the requests of one application share: backend, keys and policies.
///
/// Cheap to clone; a clone is the same manager. An adapter's layer holds one.
///
/// ```
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Clock, KeyRing, SessionManager};
///
/// let sessions = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
/// # let _ = sessions;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SessionManager(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) backend: Backend,
    pub(crate) keys: Keys,
    pub(crate) clock: Clock,
    pub(crate) expiry: Expiry,
    pub(crate) transport: Transport,
    pub(crate) deadline: Duration,
    pub(crate) max_size: usize,
    pub(crate) renewal: Option<Renewal>,
    pub(crate) on_reuse: OnReuse,
    pub(crate) on_ended: OnEnded,
    pub(crate) caches: Caches,
    pub(crate) events: Events,
    pub(crate) limit: SessionLimit,
    pub(crate) logins: Logins,
    /// Of those who write to a session and met another write.
    pub(crate) writers: Turns<StoreKey>,
}

/// What a response becomes when its session ended while the handler ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnEnded {
    /// `409 session ended` takes its place.
    #[default]
    Refuse,
    /// It passes, although what the handler wrote is not stored.
    Pass,
}

/// Whether shared caches may keep responses that depend on an anonymous or known visitor's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caches {
    /// `private`, or `no-store` for a visitor who is known.
    Restricted,
    /// As the handler says, but never together with a token.
    AsTheHandlerSays,
}

impl SessionManager {
    /// A manager with the default policies.
    ///
    /// # Panics
    ///
    /// Two secrets of the ring have the same derived key id, which befalls one pair in four billion;
    /// [`builder`](Self::builder) reports it as an error.
    #[must_use]
    pub fn new(backend: impl Into<Backend>, keys: KeyRing) -> Self {
        SessionManagerBuilder::new(backend.into(), keys).build_default()
    }

    /// A manager whose policies are chosen one by one.
    pub fn builder(backend: impl Into<Backend>, keys: KeyRing) -> SessionManagerBuilder {
        SessionManagerBuilder::new(backend.into(), keys)
    }

    /// The name of the request header that carries tokens, lower case: `cookie`, or the configured one.
    #[must_use]
    pub fn request_header(&self) -> &str {
        self.0.transport.request_header()
    }

    /// Begins a request: finds what may be its token in the values of [`request_header`](Self::request_header).
    ///
    /// Cheap, and without a store call. Whether the token is authentic is seen when somebody asks for the session; a
    /// forged one is an absent one, and costs no store call then.
    #[must_use]
    pub fn visit<'h>(&self, headers: impl IntoIterator<Item = &'h [u8]>) -> Visit {
        let ticket = self.0.ticket(headers);
        Visit::new(Arc::clone(&self.0), ticket)
    }
}

impl Inner {
    /// The store.
    ///
    /// # Errors
    ///
    /// There is none: the clients carry their sessions.
    pub(crate) fn store(&self) -> Result<&dyn Store> {
        self.backend.store().ok_or_else(|| Error::new(ErrorKind::Unsupported))
    }

    /// The index of principals, where the store has one.
    pub(crate) fn principals(&self) -> Option<&dyn PrincipalIndex> {
        self.backend.store()?.principals()
    }

    pub(crate) fn is_client_side(&self) -> bool {
        self.backend.store().is_none()
    }

    /// What the client brought.
    fn ticket<'h>(&self, headers: impl IntoIterator<Item = &'h [u8]>) -> Ticket {
        if self.is_client_side() {
            return Ticket::Carried(self.transport.candidates(headers));
        }
        let brought = self.transport.brought(headers);
        if brought.is_nothing() { Ticket::None } else { Ticket::Brought(brought) }
    }

    /// After this time, a key that was entered and has no record will not get one any more: a commit has its
    /// deadline, and so has the last call that it makes.
    pub(crate) const fn settle_time(&self) -> Duration {
        self.deadline.saturating_mul(2)
    }

    /// Whether this use of a session must be written for the list of its principal's sessions. Most are told by a touch;
    /// but one that lives until its absolute deadline, used or not, is never touched.
    pub(crate) fn is_use_untold(&self, state: &State, now: u64) -> bool {
        if state.login.is_none() || self.principals().is_none() {
            return false;
        }
        let idle = Duration::from_millis(state.idle);
        let lives_to_the_end = self.ttl_at(state, now).is_some_and(|ttl| ttl < idle);
        let told = Duration::from_millis(used_at(state));
        let untold = Duration::from_millis(now).saturating_sub(told);
        (lives_to_the_end || state.lifetime_override.is_some()) && untold > self.expiry.touch_interval(idle)
    }

    /// Notes that the session is in use now.
    pub(crate) fn tell_use(&self, state: &mut State) {
        if state.login.is_some() && self.principals().is_some() {
            state.extensions.insert(USED_AT, self.now().to_be_bytes().to_vec());
        }
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn now(&self) -> u64 {
        millis(self.clock.wall())
    }

    /// How long the store shall keep this state; `None` once its absolute deadline has passed.
    pub(crate) fn ttl(&self, state: &State) -> Option<Duration> {
        self.ttl_at(state, self.now())
    }

    /// The same at that moment, in milliseconds since the Unix epoch.
    pub(crate) fn ttl_at(&self, state: &State, now: u64) -> Option<Duration> {
        let left = state.absolute_deadline.checked_sub(now).filter(|left| *left > 0)?;
        Some(Duration::from_millis(left.min(state.idle)))
    }

    pub(crate) fn store_key(&self, handle: &cloakroom_codec::Handle) -> StoreKey {
        StoreKey::from_bytes(self.keys.store_key(handle))
    }

    pub(crate) fn emit(&self, kind: SessionEventKind, key: &StoreKey) {
        self.events.emit(kind, Some(key));
    }
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManager")
            .field("backend", &self.0.backend)
            .field("expiry", &self.0.expiry)
            .finish_non_exhaustive()
    }
}

/// When the session was last written; zero where nobody noted it.
pub(crate) fn used_at(state: &State) -> u64 {
    let bytes = state.extensions.get(USED_AT).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u64::from_be_bytes).unwrap_or_default()
}

/// The extension of a state that says when it was last written, in milliseconds since the Unix epoch: 8 bytes, big-endian.
const USED_AT: u16 = 1;

/// Who is logged in.
pub(crate) fn principal(state: &State) -> Option<&str> {
    state.login.as_ref().map(|login| login.principal.as_str())
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
