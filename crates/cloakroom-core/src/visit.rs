//! One request: from its headers to its session, loaded once and only if somebody asks.

pub(crate) mod find;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cloakroom_codec::{Flags, State, Token};
use futures_util::lock::Mutex;

use crate::cache::CacheRule;
use crate::commit::{Occasion, commit, commit_at_once};
use crate::cookie::CookieLifetime;
use crate::error::{Error, ErrorKind, Result};
use crate::events::SessionEventKind;
use crate::live::{Deletion, Live, News, Origin, Phase, Place, Shared, Stored};
use crate::manager::{Caches, Inner, OnEnded};
use crate::renewal::may_tell;
use crate::reply::{Reply, TokenHeader};
use crate::session::Session;
use crate::transport::Brought;

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
    /// `None` where the response went out before anybody had a session. Who writes this first decides which it is.
    found: OnceLock<Option<Result<Found>>>,
    /// What somebody found who asked when the response was out.
    late: OnceLock<Box<Result<Found>>>,
    /// One load at a time. Neither this nor the turn of a commit takes memory while nobody waits.
    turn: Mutex<()>,
    /// Somebody asked for the session, even if the load was dropped.
    asked: AtomicBool,
}

/// The session, and which generation of it the request found.
struct Found {
    session: Session,
    /// The authentic token that the request brought.
    token: Option<Token>,
    generation: u64,
}

/// What a client brings of its session.
pub(crate) enum Ticket {
    None,
    /// What may be a token; nobody has looked at it yet.
    Brought(Brought),
    /// What may be the session itself; nobody has looked at it yet.
    Carried(Vec<Vec<u8>>),
}

impl Visit {
    pub(crate) fn new(manager: Arc<Inner>, ticket: Ticket) -> Self {
        Self(Arc::new(Shelf {
            manager,
            ticket,
            found: OnceLock::new(),
            late: OnceLock::new(),
            turn: Mutex::new(()),
            asked: AtomicBool::new(false),
        }))
    }

    /// The session of this request. The first call loads it, later ones share what it found.
    ///
    /// A visitor without a session gets an empty one, which costs nothing until something is written. Who asks for the first
    /// time when the response has gone out gets a session to read: what is written to it is
    /// [`Committed`](ErrorKind::Committed), as with one that was asked for earlier. The head of that response says nothing
    /// of a session, and caches may keep what it shows: ask before you answer.
    ///
    /// # Errors
    ///
    /// The store could not tell whether there is a session. That is no logout: the client's cookie is left
    /// alone.
    ///
    /// # Cancel safety
    ///
    /// A dropped call loads nothing; the next one begins again. Calls at the same time queue behind the one that loads: one
    /// that is neither polled nor dropped, beside a `select!` that went on without it, may hold up the others for ever.
    pub async fn session(&self) -> Result<Session> {
        self.0.asked.store(true, Ordering::Relaxed);
        match self.looked_up() {
            Some(session) => session,
            None => self.load_once().await,
        }
    }

    async fn load_once(&self) -> Result<Session> {
        let _turn = self.0.turn.lock().await;
        if let Some(session) = self.looked_up() {
            return session;
        }
        let loaded = self.load().await;
        let session = handle(&loaded);
        if let Err(Some(late)) = self.0.found.set(Some(loaded)) {
            if let Ok(session) = &session {
                seal_off(session.shared());
            }
            let _ = self.0.late.set(Box::new(late));
        }
        session
    }

    /// What a load before this one found.
    fn looked_up(&self) -> Option<Result<Session>> {
        match self.0.found.get()? {
            Some(found) => Some(handle(found)),
            None => self.0.late.get().map(|late| handle(late)),
        }
    }

    /// Stores what the handler changed, and says what the response must carry. Call it once, before the
    /// first byte of the response.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the old or the new session. The client then does not learn a new token. Drop it or let it end:
    /// while it is neither polled nor dropped, commits of other requests that write to this session may wait for it.
    pub async fn commit(&self) -> Reply {
        let found = match self.found() {
            Ok(found) => found,
            Err(reply) => return reply,
        };
        let shared = found.session.shared();
        seal_off(shared);
        let may_pass = may_pass(shared);
        let committed = match given_up(shared) {
            Some(committed) => committed,
            None => commit(shared, Occasion::Response).await,
        };
        self.reply(found, may_pass, committed)
    }

    /// As [`commit`](Self::commit), where nobody has to be waited for; `None` where the store must be called or another
    /// commit is under way, and [`commit`](Self::commit) has to follow. Either way, what is written from now on is an error.
    ///
    /// An adapter sees to it that a client's disconnect cannot cut that short.
    ///
    /// ```
    /// # use cloakroom_core::testing::ModelStore;
    /// # use cloakroom_core::{Clock, KeyRing, SessionManager};
    /// let sessions = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
    /// let reply = sessions.visit([]).commit_at_once();
    /// assert!(reply.is_some_and(|reply| reply.is_untouched()), "nobody asked for the session");
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn commit_at_once(&self) -> Option<Reply> {
        let found = match self.found() {
            Ok(found) => found,
            Err(reply) => return Some(reply),
        };
        let shared = found.session.shared();
        seal_off(shared);
        let may_pass = may_pass(shared);
        let committed = given_up(shared).or_else(|| commit_at_once(shared))?;
        Some(self.reply(found, may_pass, committed))
    }

    /// The session that somebody asked for; else what there is to say. Who has none by now gets one to read only.
    fn found(&self) -> std::result::Result<&Found, Reply> {
        let manager = &self.0.manager;
        match self.0.found.get_or_init(|| None) {
            None if self.0.asked.load(Ordering::Relaxed) => Err(reply(manager, None, CacheRule::NoStore)),
            None => Err(Reply::untouched(manager.events.clone())),
            Some(Err(_)) => Err(reply(manager, None, CacheRule::NoStore)),
            Some(Ok(found)) => Ok(found),
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
        if let Some(Some(Ok(found))) = self.0.found.get() {
            reply.token = self.news(found);
        }
        reply
    }

    fn reply(&self, found: &Found, may_pass: bool, committed: Result<()>) -> Reply {
        let mut reply = close(found.session.shared(), may_pass, committed);
        // Also with a refusal: what an earlier `save` stored is news that the client must not miss.
        reply.token = self.news(found);
        reply
    }

    /// What the client must learn.
    fn news(&self, found: &Found) -> Option<TokenHeader> {
        let manager = &self.0.manager;
        let live = found.session.shared().live();
        if let (News::Token, Place::Stored(stored), Some(token)) = (live.news, &live.place, &found.token) {
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
        let mut token = None;
        let live = match &self.0.ticket {
            Ticket::None => Live::nowhere(Origin::NoToken, manager.empty_state()),
            Ticket::Carried(candidates) => manager.open_carried(candidates),
            Ticket::Brought(brought) => match manager.token(brought) {
                None => Live::nowhere(Origin::NoToken, manager.empty_state()),
                Some(authentic) => match manager.find(&authentic).await {
                    Ok(live) => {
                        token = Some(authentic);
                        live
                    }
                    Err(error) => {
                        log_failure("load", &error);
                        return Err(error);
                    }
                },
            },
        };
        let generation = live.base.generation;
        let session = Session::new(Arc::new(Shared::new(Arc::clone(manager), live)));
        Ok(Found { session, token, generation })
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("looked_at", &self.looked_up().is_some()).finish_non_exhaustive()
    }
}

/// A handle on what was found.
fn handle(found: &Result<Found>) -> Result<Session> {
    match found {
        Ok(found) => Ok(found.session.clone()),
        Err(error) => Err(error.clone()),
    }
}

/// Ends the session's open phase: from now on, a handle that is left over can write no more.
fn seal_off(shared: &Shared) {
    let mut live = shared.live();
    if live.phase == Phase::Open {
        live.phase = Phase::Committed;
    }
}

/// A handler that panicked stores nothing.
fn given_up(shared: &Shared) -> Option<Result<()>> {
    shared.has_panicked().then(|| {
        shared.manager.events.emit(SessionEventKind::HandlerPanicked, None);
        Ok(())
    })
}

/// The end of a request: what became of the last commit, and what caches may do with the response.
fn close(shared: &Shared, may_pass: bool, committed: Result<()>) -> Reply {
    let manager = &shared.manager;
    let mut refusal = None;
    if let Err(error) = committed {
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

/// Whether a response passes although its session ended under it. Nobody is told "logged out" who is not.
fn may_pass(shared: &Shared) -> bool {
    shared.manager.on_ended == OnEnded::Pass && !matches!(shared.live().phase, Phase::LoggedOut(_))
}

fn reply(manager: &Inner, refusal: Option<Error>, cache: CacheRule) -> Reply {
    Reply {
        events: manager.events.clone(),
        refusal,
        token: None,
        cache,
        vary: Some(manager.transport.vary()),
    }
}

fn news(manager: &Inner, live: &Live) -> Option<TokenHeader> {
    match (live.news, &live.place) {
        (News::Removal, _) => Some(manager.transport.remove()),
        (News::Token, Place::Carried(carried)) => carried.anew.clone(),
        (News::Token, Place::Stored(Stored { handle, secret: Some(secret), .. })) => {
            let token = manager.keys.write_token(manager.transport.token_name(), handle, secret);
            let left = live.base.absolute_deadline.saturating_sub(manager.now());
            let left = Duration::from_millis(left);
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
