//! What one request knows of its session, from the load to the commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloakroom_codec::{Handle, Secret, State, TokenKey};

use crate::carried::Carried;
use crate::change::{Change, differs};
use crate::error::{Error, ErrorKind, Result};
use crate::form;
use crate::manager::Inner;
use crate::store::{StoreKey, Version};

/// A session as all its handles share it.
pub(crate) struct Shared {
    pub(crate) manager: Arc<Inner>,
    /// One commit at a time.
    pub(crate) turn: futures_util::lock::Mutex<()>,
    live: Mutex<Live>,
    /// A handler panicked while it held the session.
    panicked: AtomicBool,
}

impl Shared {
    pub(crate) fn new(manager: Arc<Inner>, live: Live) -> Self {
        let turn = futures_util::lock::Mutex::new(());
        Self { manager, turn, live: Mutex::new(live), panicked: AtomicBool::new(false) }
    }

    pub(crate) fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Acquire)
    }

    /// Takes no lock: this runs while a thread unwinds.
    pub(crate) fn note_panic(&self) {
        self.panicked.store(true, Ordering::Release);
    }

    /// Never held across an await, nor while a closure of the application runs.
    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one request knows of its session.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Live {
    pub(crate) place: Place,
    /// As it was loaded or last committed.
    pub(crate) base: Arc<State>,
    /// With the changes of this request; `None` while there are none.
    pub(crate) draft: Option<Arc<State>>,
    pub(crate) changes: Vec<Change>,
    /// The secret that a rotation in this request has drawn.
    pub(crate) fresh_secret: Option<Arc<Secret>>,
    /// The last write whose answer is not known, and how many changes it held.
    pub(crate) attempt: Option<(Version, usize)>,
    /// The draft is not `base` with all `changes` any more: the next commit replays them first.
    pub(crate) must_replay: bool,
    pub(crate) phase: Phase,
    pub(crate) reach: Reach,
    pub(crate) news: News,
    /// Whether there was a session when the request came.
    pub(crate) was_new: bool,
    /// Whether the response holds a token of a form, which nobody but this login may see.
    pub(crate) has_form: bool,
    /// Somebody would have ended it when the response had begun.
    pub(crate) logout_refused: bool,
    /// Sessions that this client had or may have had, and has no token of any more: one that a login of its own rotated
    /// away, one whose creation was never answered.
    pub(crate) forerunners: Vec<StoreKey>,
}

/// Where the session lies.
pub(crate) enum Place {
    /// Nowhere: an anonymous visitor for whom nothing was written.
    Nowhere(Origin),
    /// Under a key of the store.
    Stored(Stored),
    /// With its client.
    Carried(Carried),
    /// The session was rotated less than a minute ago, and this request came with the old token.
    Overtaken,
}

/// Why a session lies nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The request brought no authentic token.
    NoToken,
    /// The request brought an authentic token of a session that there is not, or not any more.
    DeadToken,
}

/// A session that has a record.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) handle: Handle,
    /// The secret that the client should hold; unknown if it was renewed under a key that has left the ring.
    pub(crate) secret: Option<Secret>,
    pub(crate) key: StoreKey,
    pub(crate) version: Version,
    /// What was left to live, when the record was read or written.
    pub(crate) ttl: Duration,
    /// When that was, on the monotonic clock.
    pub(crate) read_at: Duration,
    pub(crate) presented: Presented,
    pub(crate) token_key: TokenKey,
    /// Which key the record is sealed under.
    pub(crate) record_key: TokenKey,
}

/// Which secret the request came with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented {
    /// The newest.
    Current,
    /// The one before the last renewal, in its grace.
    Predecessor,
}

/// What may still be done with the session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// `logout()` was called, or the login is outdated.
    LoggedOut(Deletion),
    /// The response has begun.
    Committed,
    /// The session ended under this request, which was told.
    Ended,
}

/// How far the end of a session has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    Pending,
    /// Pending, unless another request logs in anew before it.
    Outdated,
    Done,
}

/// What a handle may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Belongs to a request: may create, rotate and send cookies.
    Request,
    /// Outlives its request: may only change what there is.
    Detached,
}

/// What the client must learn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    None,
    /// The token of the session as it is now.
    Token,
    /// That there is no session any more.
    Removal,
}

impl Live {
    pub(crate) fn nowhere(origin: Origin, base: impl Into<Arc<State>>) -> Self {
        Self::at(Place::Nowhere(origin), base)
    }

    pub(crate) fn at(place: Place, base: impl Into<Arc<State>>) -> Self {
        let was_new = !matches!(place, Place::Stored(_) | Place::Carried(_));
        Self {
            place,
            base: base.into(),
            draft: None,
            changes: Vec::new(),
            fresh_secret: None,
            attempt: None,
            must_replay: false,
            logout_refused: false,
            phase: Phase::Open,
            reach: Reach::Request,
            news: News::None,
            was_new,
            has_form: false,
            forerunners: Vec::new(),
        }
    }

    /// The state as the handler sees it.
    pub(crate) fn seen(&self) -> &State {
        self.draft.as_ref().unwrap_or(&self.base)
    }

    /// Whether the session is over for its readers.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::LoggedOut(_))
    }

    /// Refuses a write that comes too late.
    pub(crate) fn check_open(&self) -> Result<()> {
        match self.phase {
            Phase::Open => Ok(()),
            Phase::LoggedOut(_) => Err(Error::new(ErrorKind::LoggedOut)),
            Phase::Committed => Err(Error::new(ErrorKind::Committed)),
            Phase::Ended => Err(Error::new(ErrorKind::Ended)),
        }
    }

    /// The state to write to.
    pub(crate) fn draft(&mut self) -> &mut State {
        Arc::make_mut(self.draft.get_or_insert_with(|| Arc::clone(&self.base)))
    }

    /// Does a change and notes it.
    pub(crate) fn note(&mut self, change: Change) {
        change.apply(self.draft());
        self.changes.push(change);
    }

    /// Forgets the secret of a rotation that is stored or given up, unless another one came after it.
    pub(crate) fn forget_secret(&mut self, secret: &Arc<Secret>) {
        self.fresh_secret.take_if(|fresh| Arc::ptr_eq(fresh, secret));
    }

    /// Whether a commit would store anything that the handler asked for.
    pub(crate) fn has_changes(&self) -> bool {
        self.fresh_secret.is_some()
            || self.must_replay
            // The store may hold what was since taken back.
            || self.attempt.is_some()
            || self.draft.as_ref().is_some_and(|draft| differs(draft, &self.base))
    }
}

/// Whether a state is worth a record.
pub(crate) fn has_content(state: &State) -> bool {
    state.login.is_some()
        || !state.values.is_empty()
        || !state.flashes.is_empty()
        // A form was written for a visitor.
        || form::id(state).is_some()
}
