//! Chooses the policies of a manager, and refuses those that contradict each other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_codec::KeyRing;

use crate::backend::Backend;
use crate::carried;
use crate::clock::Clock;
use crate::cookie::CookiePolicy;
use crate::error::{Error, Result};
use crate::events::{Events, SessionEvents};
use crate::expiry::Expiry;
use crate::limit::SessionLimit;
use crate::manager::{Caches, Inner, OnEnded, SessionManager};
use crate::renewal::{OnReuse, Renewal};
use crate::transport::Transport;
use crate::turns::{Logins, Turns};

/// Chooses the policies of a [`SessionManager`].
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Clock, CookiePolicy, Expiry, KeyRing, SessionManager};
///
/// let sessions = SessionManager::builder(ModelStore::new(Clock::system()), KeyRing::generate())
///     .with_cookie(CookiePolicy::new("__Host-id"))
///     .with_expiry(Expiry::new(Duration::from_secs(900), Duration::from_secs(8 * 3600)))
///     .build()?;
/// # let _ = sessions;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[must_use]
pub struct SessionManagerBuilder {
    backend: Backend,
    keys: KeyRing,
    namespace: Option<String>,
    clock: Clock,
    expiry: Expiry,
    transport: Transport,
    deadline: Duration,
    max_size: Option<usize>,
    renewal: Option<Renewal>,
    on_reuse: OnReuse,
    on_ended: OnEnded,
    caches: Caches,
    events: Events,
    limit: SessionLimit,
    index: Index,
}

/// Whether the application must be able to list the sessions of a principal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Index {
    IfThereIsOne,
    Required,
}

impl SessionManagerBuilder {
    pub(crate) fn new(backend: Backend, keys: KeyRing) -> Self {
        Self {
            backend,
            keys,
            namespace: None,
            clock: Clock::system(),
            expiry: Expiry::default(),
            transport: Transport::Cookie(CookiePolicy::default()),
            deadline: Duration::from_secs(2),
            max_size: None,
            renewal: None,
            on_reuse: OnReuse::End,
            on_ended: OnEnded::Refuse,
            caches: Caches::Restricted,
            events: Events::default(),
            limit: SessionLimit::Unlimited,
            index: Index::IfThereIsOne,
        }
    }

    /// Keeps the sessions of this application apart from others with the same store or secrets.
    ///
    /// The default is the name of the cookie. Instances of one application must agree on it.
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Says how long sessions live.
    pub fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// Carries tokens in a cookie with these attributes; so it is by default.
    pub fn with_cookie(mut self, policy: CookiePolicy) -> Self {
        self.transport = Transport::Cookie(policy);
        self
    }

    /// Carries tokens in a header instead of a cookie, for clients that are no browsers.
    ///
    /// A response hands a token out, and takes it away with an empty value, in a header of the same name.
    /// `Vary` names it. Scripts of another origin can read it only if the application's CORS rules list it
    /// in `Access-Control-Expose-Headers`, and send it only with `Access-Control-Allow-Headers`.
    pub fn with_header(mut self, name: impl Into<String>) -> Self {
        self.transport = Transport::Header(name.into().to_ascii_lowercase().into());
        self
    }

    /// The time after which a commit begins no further attempt: 2 s by default. The store ends each attempt,
    /// and each load, by a deadline of its own.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The largest encoded session, 64 KiB by default, at most 1 MiB; a larger one is not stored.
    ///
    /// Client-side sessions: 2 KiB by default, at most what fits into a `Set-Cookie` line of 4093 bytes.
    pub fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// Renews secrets from time to time; by default only logins and `rotate()` change them.
    pub fn with_renewal(mut self, renewal: Renewal) -> Self {
        self.renewal = Some(renewal);
        self
    }

    /// Says what the return of a renewed-away secret does.
    pub fn with_on_reuse(mut self, on_reuse: OnReuse) -> Self {
        self.on_reuse = on_reuse;
        self
    }

    /// Says what a response becomes whose session ended meanwhile.
    pub fn with_on_ended(mut self, on_ended: OnEnded) -> Self {
        self.on_ended = on_ended;
        self
    }

    /// Hears what happens to sessions.
    pub fn with_events(mut self, events: impl SessionEvents) -> Self {
        self.events = Events::new(events);
        self
    }

    /// Says how many sessions a principal may have, and what happens to a login beyond that.
    ///
    /// ```
    /// # use cloakroom_core::{Backend, KeyRing, Result, SessionLimit, SessionManager};
    /// fn build(backend: Backend, keys: KeyRing) -> Result<SessionManager> {
    ///     SessionManager::builder(backend, keys).with_session_limit(SessionLimit::Refuse(3)).build()
    /// }
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn with_session_limit(mut self, limit: SessionLimit) -> Self {
        self.limit = limit;
        self
    }

    /// Builds only over a store that can list the sessions of a principal, so that an application that lists and
    /// revokes learns when it starts that it cannot, and not at the first call.
    ///
    /// ```
    /// use cloakroom_core::{Backend, KeyRing, SessionManager};
    ///
    /// let carried = SessionManager::builder(Backend::client_side(), KeyRing::generate()).with_required_index();
    /// assert!(carried.build().is_err(), "nobody can list what clients carry");
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn with_required_index(mut self) -> Self {
        self.index = Index::Required;
        self
    }

    /// Reads the time from this clock, for tests.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Leaves `Cache-Control` to the handlers, except with a token in the response.
    ///
    /// A shared cache that ignores `Vary` can then show one visitor's page to another.
    pub fn danger_shared_cache(mut self) -> Self {
        self.caches = Caches::AsTheHandlerSays;
        self
    }

    /// Builds the manager.
    ///
    /// # Errors
    ///
    /// Policies that contradict each other, with a sentence that says what to do.
    pub fn build(self) -> Result<SessionManager> {
        self.transport.check()?;
        self.expiry.check()?;
        if let Some(renewal) = &self.renewal {
            renewal.check()?;
            if self.backend.store().is_none() {
                return Err(Error::misconfigured(
                    "client-side sessions have no secret to renew, and no copy of one is ever worth less: leave \
                     `with_renewal` out, or use a store",
                ));
            }
        }
        if self.deadline < Duration::from_millis(1) {
            return Err(Error::misconfigured(
                "the deadline of loads and commits is zero; give them some time, such as 2 s",
            ));
        }
        self.check_index()?;
        self.check_size()?;
        self.bind()
    }

    fn check_index(&self) -> Result<()> {
        self.limit.check()?;
        let is_asked_for = self.index == Index::Required || self.limit != SessionLimit::Unlimited;
        if is_asked_for && self.backend.store().is_none_or(|store| store.principals().is_none()) {
            return Err(Error::misconfigured(
                "a limit of sessions, or an index, was asked for, and this store cannot find the sessions of a \
                 principal; memory, Redis, PostgreSQL, MySQL and SQLite can",
            ));
        }
        Ok(())
    }

    fn check_size(&self) -> Result<()> {
        let max_size = self.max_size();
        if !(SMALLEST_MAX_SIZE..=LARGEST_MAX_SIZE).contains(&max_size) {
            return Err(Error::misconfigured(
                "the largest session must be between 512 bytes and 1 MiB; keep large things in a database \
                 and their key in the session",
            ));
        }
        let largest = carried::largest(&self.transport);
        if self.backend.store().is_none() && max_size > largest {
            return Err(Error::misconfigured(format!(
                "client-side sessions of {max_size} bytes do not fit into a cookie of this name, domain and path; \
                 at most {largest} do: say so by `with_max_size`, or use a store"
            )));
        }
        Ok(())
    }

    fn max_size(&self) -> usize {
        self.max_size.unwrap_or(match self.backend.store() {
            Some(_) => DEFAULT_MAX_SIZE,
            None => carried::DEFAULT_MAX_SIZE,
        })
    }

    /// The defaults contradict nothing.
    pub(crate) fn build_default(self) -> SessionManager {
        match self.bind() {
            Ok(manager) => manager,
            Err(error) => {
                unreachable!("the default policies are refused: {error}")
            }
        }
    }

    fn bind(self) -> Result<SessionManager> {
        let namespace = self.namespace.as_deref().unwrap_or_else(|| self.transport.token_name());
        let keys = self.keys.bind(namespace)?;
        let max_size = self.max_size();
        Ok(SessionManager(Arc::new(Inner {
            backend: self.backend,
            keys,
            clock: self.clock,
            expiry: self.expiry,
            transport: self.transport,
            deadline: self.deadline,
            max_size,
            renewal: self.renewal,
            on_reuse: self.on_reuse,
            on_ended: self.on_ended,
            caches: self.caches,
            events: self.events,
            limit: self.limit,
            logins: Logins::default(),
            writers: Turns::default(),
        })))
    }
}

impl fmt::Debug for SessionManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManagerBuilder")
            .field("backend", &self.backend)
            .field("expiry", &self.expiry)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

const DEFAULT_MAX_SIZE: usize = 64 * 1024;
const SMALLEST_MAX_SIZE: usize = 512;
const LARGEST_MAX_SIZE: usize = 1024 * 1024;
