//! What happens to sessions, told to the application.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::store::{PublicHandle, StoreKey};

/// Hears what happens to sessions.
///
/// Called in the task of the request, so it must be quick and must not block: count, log, or hand over to a
/// channel. A hook that panics changes nothing for the request.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use cloakroom_core::{SessionEvent, SessionEventKind, SessionEvents};
///
/// #[derive(Default)]
/// struct Logins(AtomicU64);
///
/// impl SessionEvents for Logins {
///     fn on_event(&self, event: &SessionEvent) {
///         if matches!(event.kind(), SessionEventKind::Authenticated) {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub trait SessionEvents: Send + Sync + 'static {
    /// Something happened.
    fn on_event(&self, event: &SessionEvent);
}

/// Something that happened to a session.
///
/// It holds no id, secret, value or principal; only the public handle can be asked for.
#[derive(Clone)]
pub struct SessionEvent {
    kind: SessionEventKind,
    key: Option<StoreKey>,
}

impl SessionEvent {
    /// What happened.
    #[must_use]
    pub const fn kind(&self) -> SessionEventKind {
        self.kind
    }

    /// The session's name in listings; `None` where no session is known, as for a forged token.
    #[must_use]
    pub fn handle(&self) -> Option<PublicHandle> {
        self.key.as_ref().map(StoreKey::public_handle)
    }
}

impl fmt::Debug for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEvent").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEventKind {
    /// A session was stored for the first time.
    Created,
    /// A principal was bound to a session, and its secret rotated.
    Authenticated,
    /// The secret was rotated.
    Rotated,
    /// The secret was renewed, and the old one goes on for its grace.
    Renewed,
    /// A session ended.
    Ended(EndReason),
    /// A request brought a token that was not taken.
    TokenRejected(RejectReason),
    /// A change met another request's change, and was stored on top of it after this many more attempts.
    ConflictReplayed(u32),
    /// A change met a session that was ended or rotated meanwhile; nothing was stored.
    WriteRefused,
    /// A stored record could not be opened: an unknown key, another format, or somebody's tampering.
    Unopenable,
    /// A touch, a renewal or the removal of read flash messages could not be stored; the response passed.
    UpkeepFailed,
    /// The handler had allowed shared caches to keep a response that carries or depends on a session; it
    /// was made stricter.
    CacheRestricted,
    /// A handler panicked; what it had changed was not stored.
    HandlerPanicked,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// `logout()` or `end()`.
    Logout,
    /// Revoked through the manager.
    Revoked,
    /// A login of the same principal took its place, because there may be no more: `SessionLimit::EvictOldest`.
    Evicted,
    /// The account's credentials are not those of its login any more.
    CredentialsChanged,
    /// Nobody used it for its idle time. Only client-side sessions tell: a store forgets in silence.
    Idle,
    /// Its absolute deadline passed.
    Absolute,
    /// A secret came back after its renewal's grace: two parties hold the session.
    TokenReuse,
}

/// Why a token was not taken. A token is looked at when somebody asks for the session: where nobody does, it costs no MAC, and
/// whatever is wrong with it is told to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// Not of our format, not authentic, or under a key that is not in the ring.
    Forged,
    /// Two different authentic tokens came with one request.
    Ambiguous,
    /// Authentic, but there is no such session: logged out, expired or evicted.
    Unknown,
    /// Authentic, but its secret was rotated away.
    Stale,
    /// Authentic, but its secret was renewed away and the grace is over.
    Reused,
}

/// Tells `tracing` and the application's hook.
#[derive(Clone, Default)]
pub(crate) struct Events(Option<Arc<dyn SessionEvents>>);

impl Events {
    pub(crate) fn new(hook: impl SessionEvents) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) fn emit(&self, kind: SessionEventKind, key: Option<&StoreKey>) {
        match kind {
            SessionEventKind::Unopenable
            | SessionEventKind::UpkeepFailed
            | SessionEventKind::CacheRestricted
            | SessionEventKind::HandlerPanicked
            | SessionEventKind::Ended(EndReason::TokenReuse)
            | SessionEventKind::TokenRejected(RejectReason::Ambiguous | RejectReason::Reused) => {
                tracing::warn!(target: "cloakroom", event = ?kind);
            }
            _ => tracing::debug!(target: "cloakroom", event = ?kind),
        }
        if let Some(hook) = &self.0 {
            let event = SessionEvent { kind, key: key.copied() };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| hook.on_event(&event))) {
                // What it panicked with may panic when it is dropped.
                std::mem::forget(panic);
                tracing::error!(target: "cloakroom", "a session event hook panicked");
            }
        }
    }
}
