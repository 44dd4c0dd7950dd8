//! How many sessions a principal may have.

use crate::error::{Error, Result};

/// How many sessions a principal may have at once, and what happens to a login beyond that.
///
/// The limit is exact, over all instances: the sessions that the index lists are loaded, so that only live ones count,
/// and the new one is then admitted by a compare-and-set on the principal's list. Logins of one principal in one process
/// take turns; one in another process is waited for until it is stored or has failed. A login in a session that the
/// principal has already, as for a step-up, is not counted twice. Whoever logs in with a token of a session of his own that
/// was rotated away, because the response was lost, takes its place where there is no other.
///
/// It costs a login one look at the list, one load for each session on it, and one write of the list; one more of each look
/// and write for each further secret of the key ring, a delete for each session that gives way, and all of it again where
/// somebody else was admitted meanwhile. It needs a store with an index of principals.
///
/// What it cannot know:
///
/// - A login whose process dies between its admission and its record, or whose last reply was lost, keeps its place for
///   twice the [deadline](crate::SessionManagerBuilder::with_deadline), and so does a session whose idle time is
///   shorter than that. Where nobody else can give way, a login meanwhile is answered `503`, to be tried again.
/// - What the store loses, as Redis may in a failover, and what cannot be opened with this key ring, does not count.
/// - The deadline must be no shorter than the time that the store takes for a call. A login that finds its place taken so
///   long ago that others may have given it away ends itself.
///
/// ```
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Clock, KeyRing, SessionLimit, SessionManager};
///
/// let store = ModelStore::new(Clock::system());
/// let sessions = SessionManager::builder(store, KeyRing::generate())
///     .with_session_limit(SessionLimit::EvictOldest(5));
/// // This store cannot list sessions, and the application learns it when it starts.
/// assert!(sessions.build().is_err());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionLimit {
    /// As many as there are logins.
    #[default]
    Unlimited,
    /// So many, 1 to 1000; the next login ends the session whose login is the longest ago.
    EvictOldest(usize),
    /// So many, 1 to 1000; the next login is refused with [`ErrorKind::LimitReached`](crate::ErrorKind::LimitReached), which a
    /// handler sees when it calls [`save`](crate::Session::save) after `authenticate`.
    Refuse(usize),
}

impl SessionLimit {
    /// How many there may be.
    pub(crate) const fn most(self) -> Option<usize> {
        match self {
            Self::Unlimited => None,
            Self::EvictOldest(most) | Self::Refuse(most) => Some(most),
        }
    }

    pub(crate) fn check(self) -> Result<()> {
        match self.most() {
            Some(most) if !(1..=MOST).contains(&most) => Err(Error::misconfigured(
                "the limit of sessions is not between 1 and 1000; a login loads each session of its principal, so \
                 leave a larger limit out",
            )),
            _ => Ok(()),
        }
    }
}

const MOST: usize = 1000;
