//! One request: from its headers to its session, loaded once and only if somebody asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_lock::OnceCell;
use cloakroom_codec::{Flags, Handle, Purpose, Secret, SecretHash, State, Token, TokenKey};

use crate::cache::CacheRule;
use crate::commit::commit;
use crate::cookie::CookieLifetime;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, RejectReason, SessionEventKind};
use crate::live::{Deletion, Live, News, Origin, Phase, Place, Presented, Shared, Stored};
use crate::manager::{Caches, Inner, OnEnded, principal};
use crate::renewal::{OnReuse, may_tell};
use crate::reply::{Reply, TokenHeader};
use crate::session::Session;
use crate::store::{Freshness, Record, StoreKey};
use crate::store_error::StoreErrorKind;

/// One request's way to its session. A clone is the same visit.
///
/// Adapters keep it in the request's extensions; handlers meet it as an extractor.
///
/// ```
/// # use cloakroom_core::testing::ModelStore;
/// # use cloakroom_core::{Clock, KeyRing, SessionManager};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let sessions = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
/// let visit = sessions.visit([b"theme=dark".as_slice()]);
/// let session = visit.session().await?;
/// session.set("visits", &1)?;
/// let reply = visit.commit().await;
/// assert!(reply.refusal().is_none());
/// # Ok::<(), cloakroom_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Visit(Arc<Shelf>);

struct Shelf {
    manager: Arc<Inner>,
    ticket: Ticket,
    found: OnceCell<Result<Found>>,
    /// Somebody asked for the session, even if the load was dropped.
    asked: AtomicBool,
}

/// The session, and which generation of it the request found.
struct Found {
    session: Session,
    generation: u64,
}

/// What a client brings of its session.
pub(crate) enum Ticket {
    None,
    /// An authentic token.
    Token(Token),
    /// What may be the session itself; nobody has looked at it yet.
    Carried(Vec<Vec<u8>>),
}

impl Visit {
    pub(crate) fn new(manager: Arc<Inner>, ticket: Ticket) -> Self {
        Self(Arc::new(Shelf { manager, ticket, found: OnceCell::new(), asked: AtomicBool::new(false) }))
    }

    /// The session of this request. The first call loads it, later ones share what it found.
    ///
    /// A visitor without a session gets an empty one, which costs nothing until something is written.
    ///
    /// # Errors
    ///
    /// The store could not tell whether there is a session. That is no logout: the client's cookie is left
    /// alone.
    ///
    /// # Cancel safety
    ///
    /// A dropped call loads nothing; the next one begins again.
    pub async fn session(&self) -> Result<Session> {
        self.0.asked.store(true, Ordering::Relaxed);
        match self.0.found.get_or_init(|| self.load()).await {
            Ok(found) => Ok(found.session.clone()),
            Err(error) => Err(error.clone()),
        }
    }

    /// Whether [`commit`](Self::commit) has something to tell the store.
    ///
    /// An adapter then runs it in a task of its own, so that a client's disconnect cannot cut it short.
    #[must_use]
    pub fn needs_store(&self) -> bool {
        match self.0.found.get() {
            Some(Ok(found)) => crate::commit::needs_store(found.session.shared()),
            _ => false,
        }
    }

    /// Stores what the handler changed, and says what the response must carry. Call it once, before the
    /// first byte of the response.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the old or the new session. The client then does not learn a new token.
    pub async fn commit(&self) -> Reply {
        let manager = &self.0.manager;
        match self.0.found.get() {
            None if self.0.asked.load(Ordering::Relaxed) => reply(manager, None, CacheRule::NoStore),
            None => Reply::untouched(manager.events.clone()),
            Some(Err(_)) => reply(manager, None, CacheRule::NoStore),
            Some(Ok(found)) => {
                let mut reply = close(found.session.shared()).await;
                // Also with a refusal: what an earlier `save` stored is news that the client must not miss.
                reply.token = self.news(found);
                reply
            }
        }
    }

    /// What the response must carry where [`commit`](Self::commit) did not end, because code of the
    /// application panicked in it: an error, and the token of what an earlier `save` stored.
    ///
    /// ```
    /// # use cloakroom_core::testing::ModelStore;
    /// # use cloakroom_core::{Clock, KeyRing, SessionManager};
    /// let sessions = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
    /// let reply = sessions.visit([]).failed();
    /// assert_eq!(reply.refusal().map(|error| error.status()), Some(500));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn failed(&self) -> Reply {
        let manager = &self.0.manager;
        let mut reply = reply(manager, Some(Error::new(ErrorKind::Other)), CacheRule::NoStore);
        if let Some(Ok(found)) = self.0.found.get() {
            reply.token = self.news(found);
        }
        reply
    }

    /// What the client must learn.
    fn news(&self, found: &Found) -> Option<TokenHeader> {
        let manager = &self.0.manager;
        let live = found.session.shared().live();
        if let (News::Token, Place::Stored(stored), Ticket::Token(token)) =
            (live.news, &live.place, &self.0.ticket)
        {
            // A secret that this request has drawn is known to nobody yet.
            let is_drawn = stored.handle != token.handle || live.base.generation != found.generation;
            let brought = manager.keys.secret_hash(&token.handle, &token.secret);
            if !is_drawn && !may_tell(manager, &brought, stored, &live.base) {
                return None;
            }
        }
        news(manager, &live)
    }

    async fn load(&self) -> Result<Found> {
        let manager = &self.0.manager;
        let live = match &self.0.ticket {
            Ticket::None => Live::nowhere(Origin::NoToken, manager.empty_state()),
            Ticket::Carried(candidates) => manager.open_carried(candidates),
            Ticket::Token(token) => match manager.find(token).await {
                Ok(live) => live,
                Err(error) => {
                    log_failure("load", &error);
                    return Err(error);
                }
            },
        };
        let generation = live.base.generation;
        Ok(Found { session: Session::new(Arc::new(Shared::new(Arc::clone(manager), live))), generation })
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("looked_at", &self.0.found.is_initialized()).finish_non_exhaustive()
    }
}

impl Inner {
    /// The state of a visitor for whom nothing was written.
    pub(crate) fn empty_state(&self) -> State {
        let now = self.now();
        let absolute = now.saturating_add(crate::manager::millis(self.expiry.absolute()));
        State::new(now, absolute, crate::manager::millis(self.expiry.idle()), SecretHash::from_bytes([0; 32]))
    }

    /// Finds the session that an authentic token names.
    async fn find(&self, token: &Token) -> Result<Live> {
        let key = self.store_key(&token.handle);
        let Some((record, state)) = self.read(&key).await? else {
            self.emit(SessionEventKind::TokenRejected(RejectReason::Unknown), &key);
            return Ok(self.dead());
        };
        match self.judge(token, &state) {
            Verdict::Good(presented, secret) => {
                let stored = Stored {
                    handle: token.handle,
                    secret,
                    key,
                    record_key: self.record_key(&record),
                    version: record.version,
                    ttl: record.ttl,
                    read_at: self.clock.monotonic(),
                    presented,
                    token_key: token.key,
                };
                Ok(Live::at(Place::Stored(stored), state))
            }
            Verdict::Overtaken => {
                self.emit(SessionEventKind::TokenRejected(RejectReason::Stale), &key);
                Ok(self.stale(Place::Overtaken, key))
            }
            Verdict::Stale => {
                self.emit(SessionEventKind::TokenRejected(RejectReason::Stale), &key);
                Ok(self.stale(Place::Nowhere(Origin::DeadToken), key))
            }
            Verdict::Reused => {
                self.emit(SessionEventKind::TokenRejected(RejectReason::Reused), &key);
                if self.on_reuse == OnReuse::End && self.end(&key).await? {
                    self.emit(SessionEventKind::Ended(EndReason::TokenReuse), &key);
                    if let Some(principal) = principal(&state) {
                        self.strike(principal, &[key], self.settle_time()).await;
                    }
                }
                Ok(self.stale(Place::Nowhere(Origin::DeadToken), key))
            }
        }
    }

    /// Reads a live session; `None` if there is none, or nothing that can be opened.
    pub(crate) async fn read(&self, key: &StoreKey) -> Result<Option<(Record, State)>> {
        match self.look(key).await? {
            Look::Live(record, state) => Ok(Some((record, *state))),
            Look::Nothing | Look::Over | Look::Unopenable => Ok(None),
        }
    }

    /// Reads what lies under a key.
    pub(crate) async fn look(&self, key: &StoreKey) -> Result<Look> {
        let record = match self.store()?.load(key, Freshness::Latest).await {
            Ok(Some(record)) if !record.payload.is_empty() => record,
            Ok(_) => return Ok(Look::Nothing),
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                self.emit(SessionEventKind::Unopenable, key);
                return Ok(Look::Unopenable);
            }
            Err(error) => return Err(error.into()),
        };
        let Ok(state) = self.open(key, &record.payload) else {
            self.emit(SessionEventKind::Unopenable, key);
            return Ok(Look::Unopenable);
        };
        if self.now() >= state.absolute_deadline {
            self.emit(SessionEventKind::Ended(EndReason::Absolute), key);
            return Ok(Look::Over);
        }
        Ok(Look::Live(record, Box::new(state)))
    }

    pub(crate) fn record_key(&self, record: &Record) -> TokenKey {
        if self.keys.is_current(&record.payload) { TokenKey::Writing } else { TokenKey::Old }
    }

    fn open(&self, key: &StoreKey, payload: &[u8]) -> Result<State, cloakroom_codec::Error> {
        State::decode(self.keys.open(Purpose::Record, key.as_bytes(), payload)?)
    }

    fn judge(&self, token: &Token, state: &State) -> Verdict {
        let hash = self.keys.secret_hash(&token.handle, &token.secret);
        if hash.matches(&state.secret_hash) {
            return Verdict::Good(Presented::Current, Some(token.secret.clone()));
        }
        let now = self.now();
        if let Some(predecessor) = &state.predecessor
            && hash.matches(&predecessor.hash)
        {
            if predecessor.grace_ends.is_some_and(|ends| now >= ends) {
                return Verdict::Reused;
            }
            let newest = self.keys.renew_matching(&token.handle, &token.secret, &state.secret_hash);
            return Verdict::Good(Presented::Predecessor, newest);
        }
        match state.rotated_at {
            Some(at) if now.saturating_sub(at) < OVERTAKEN_MILLIS => Verdict::Overtaken,
            _ => Verdict::Stale,
        }
    }

    /// A visitor who held a secret of the session under this key once.
    fn stale(&self, place: Place, key: StoreKey) -> Live {
        let mut live = Live::at(place, self.empty_state());
        live.forerunners.push(key);
        live
    }

    fn dead(&self) -> Live {
        Live::nowhere(Origin::DeadToken, self.empty_state())
    }

    /// Loads the session again for a handle that outlives its request.
    pub(crate) async fn find_again(
        &self,
        handle: Handle,
        secret: Option<Secret>,
        generation: u64,
        token_key: TokenKey,
    ) -> Result<Live> {
        let key = self.store_key(&handle);
        match self.read(&key).await? {
            Some((record, state)) if state.generation == generation => {
                let stored = Stored {
                    handle,
                    secret,
                    key,
                    record_key: self.record_key(&record),
                    version: record.version,
                    ttl: record.ttl,
                    read_at: self.clock.monotonic(),
                    presented: Presented::Current,
                    token_key,
                };
                Ok(Live::at(Place::Stored(stored), state))
            }
            _ => Err(Error::new(ErrorKind::Ended)),
        }
    }
}

/// What lies under a key.
pub(crate) enum Look {
    Live(Record, Box<State>),
    Nothing,
    /// A session whose absolute deadline has passed, by the clock of this process.
    Over,
    /// A record that cannot be read here: perhaps by another instance.
    Unopenable,
}

/// What an authentic token is worth.
enum Verdict {
    Good(Presented, Option<Secret>),
    /// Rotated away just now, perhaps by a request of the same page.
    Overtaken,
    /// Rotated away.
    Stale,
    /// Renewed away, and its grace is over.
    Reused,
}

/// The end of a request: the last commit, and what the client must learn.
async fn close(shared: &Shared) -> Reply {
    let manager = &shared.manager;
    {
        let mut live = shared.live();
        if live.phase == Phase::Open {
            live.phase = Phase::Committed;
        }
    }
    // Nobody is told "logged out" who is not.
    let may_pass = manager.on_ended == OnEnded::Pass && !matches!(shared.live().phase, Phase::LoggedOut(_));
    let mut refusal = None;
    if shared.has_panicked() {
        manager.events.emit(SessionEventKind::HandlerPanicked, None);
    } else if let Err(error) = commit(shared).await {
        if !matches!(error.kind(), ErrorKind::Ended | ErrorKind::LimitReached) {
            log_failure("commit", &error);
        }
        refusal = (error.kind() != ErrorKind::Ended || !may_pass).then_some(error);
    }
    let live = shared.live();
    let known = live.seen().login.is_some() || live.base.login.is_some();
    let cache = match manager.caches {
        _ if refusal.is_some() || live.news != News::None || live.has_form => CacheRule::NoStore,
        Caches::AsTheHandlerSays => CacheRule::Free,
        Caches::Restricted if known || matches!(live.phase, Phase::LoggedOut(Deletion::Done)) => {
            CacheRule::NoStore
        }
        Caches::Restricted => CacheRule::Private,
    };
    reply(manager, refusal, cache)
}

fn reply(manager: &Inner, refusal: Option<Error>, cache: CacheRule) -> Reply {
    Reply {
        events: manager.events.clone(),
        refusal,
        token: None,
        cache,
        vary: Some(manager.transport.request_header().to_owned()),
    }
}

fn news(manager: &Inner, live: &Live) -> Option<TokenHeader> {
    match (live.news, &live.place) {
        (News::Removal, _) => Some(manager.transport.remove()),
        (News::Token, Place::Carried(carried)) => carried.anew.clone(),
        (News::Token, Place::Stored(Stored { handle, secret: Some(secret), .. })) => {
            let token = manager.keys.write_token(manager.transport.token_name(), handle, secret);
            let left = live.base.absolute_deadline.saturating_sub(manager.now());
            let left = std::time::Duration::from_millis(left);
            Some(manager.transport.issue(&token, left, lifetime(&live.base)))
        }
        _ => None,
    }
}

/// Whether this one session asked for a persistent cookie.
pub(crate) fn lifetime(state: &State) -> CookieLifetime {
    if state.flags.contains(Flags::PERSISTENT_COOKIE) {
        CookieLifetime::Persistent
    } else {
        CookieLifetime::BrowserSession
    }
}

fn log_failure(what: &'static str, error: &Error) {
    let first = std::error::Error::source(error);
    let causes: Vec<String> =
        std::iter::successors(first, |error| error.source()).map(ToString::to_string).collect();
    tracing::error!(target: "cloakroom", %error, cause = causes.join(": "), "the {what} of a session failed");
}

/// For how long a write with a token that was just rotated away is refused instead of starting anew.
const OVERTAKEN_MILLIS: u64 = 60_000;
