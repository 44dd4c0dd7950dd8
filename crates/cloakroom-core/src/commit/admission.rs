//! Admits a login where a principal may have only so many sessions.

use std::time::Duration;

use super::index::{Step, left};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::limit::SessionLimit;
use crate::manager::{Inner, List, Sight, principal};
use crate::patience::yield_now;
use crate::principal::{Admitted, PrincipalIndex};
use crate::store::{PrincipalTag, StoreKey};
use crate::turns::Turn;

/// How often the list is looked at at most, whatever the clock says.
const LOOKS: u32 = 4_000;

/// How often a login under way is looked for, before the list is looked at again.
const GLANCES: u32 = 8;

/// A place for a session, taken before its record is written.
pub(super) struct Seat {
    /// Keeps the other logins of the principal in this process waiting, until the record is written.
    _turn: Turn,
    /// When the place was taken, on the monotonic clock, or a little earlier.
    pub(super) at: Duration,
}

/// Admits the session to its principal's lists, and ends others where the limit says so.
///
/// The order matters, because a process may die after each step, and others act meanwhile:
///
/// 1. Each session on the lists is loaded. One without a record may be a login under way, if it was admitted lately: it
///    is waited for, where it matters, and counts as stored if it takes half of the deadline. Else it is dead.
/// 2. Whoever must go is deleted before he leaves the list, so that no live session is ever missing there.
/// 3. The lists are written only if nobody was admitted since they were read; otherwise all begins anew, and whoever
///    was deleted counts for nothing from then on.
pub(super) async fn admit(
    manager: &Inner,
    index: &dyn PrincipalIndex,
    tag: &PrincipalTag,
    step: &Step<'_>,
    most: usize,
) -> Result<Seat> {
    let turn = manager.logins.turns.of(tag).await;
    let mut try_ = Try { manager, index, tag, step, most, ended: Vec::new(), may_be_listed: false };
    match try_.run().await {
        Ok(at) => {
            try_.may_be_listed = false;
            Ok(Seat { _turn: turn, at })
        }
        Err(error) => {
            // Whoever gave way to this login would be taken for one that is under way.
            let mut gone = try_.ended.clone();
            gone.extend(try_.must_be_taken_back().then_some(step.key));
            manager.strike(principal(step.after).unwrap_or_default(), &gone, Duration::ZERO).await;
            Err(error)
        }
    }
}

struct Try<'t> {
    manager: &'t Inner,
    index: &'t dyn PrincipalIndex,
    tag: &'t PrincipalTag,
    step: &'t Step<'t>,
    most: usize,
    /// Those whom this login has ended.
    ended: Vec<StoreKey>,
    /// Some list may have the key by now.
    may_be_listed: bool,
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        self.ended.iter().for_each(|key| self.manager.abandon(*key));
        if self.must_be_taken_back() {
            self.manager.abandon(*self.step.key);
        }
    }
}

impl Try<'_> {
    /// Whether a list may have the key of a session that nobody will write. That of a session which is there already
    /// stays: a login beside this one may have taken its place.
    const fn must_be_taken_back(&self) -> bool {
        self.may_be_listed && self.step.before.is_none()
    }

    /// Says when the place was taken.
    async fn run(&mut self) -> Result<Duration> {
        let impatient_from = self.step.ends_at.saturating_sub(self.manager.deadline / 2);
        for _ in 0..LOOKS {
            let now = self.manager.clock.monotonic();
            if now >= self.step.ends_at {
                break;
            }
            let crowd = self.crowd().await?;
            match self.verdict(&crowd, now < impatient_from) {
                Verdict::Refused => return Err(Error::new(ErrorKind::LimitReached)),
                Verdict::Wait => self.wait_for(crowd.coming.first()).await?,
                Verdict::Evict(evicted) => {
                    for key in evicted {
                        self.check_time()?;
                        if self.manager.end(&key).await? {
                            self.manager.emit(SessionEventKind::Ended(EndReason::Evicted), &key);
                        }
                        self.ended.push(key);
                    }
                    let mut gone = crowd.dead;
                    gone.extend(&self.ended);
                    self.check_time()?;
                    let at = self.manager.clock.monotonic();
                    if self.enter(&crowd.lists, &gone).await? {
                        return Ok(at);
                    }
                }
            }
        }
        Err(Error::new(ErrorKind::Contention))
    }

    fn verdict(&self, crowd: &Crowd, is_patient: bool) -> Verdict {
        let Crowd { own, live, coming, .. } = crowd;
        let surplus = (own.len() + live.len() + coming.len() + 1).saturating_sub(self.most);
        let others = surplus.saturating_sub(own.len());
        let own = own.iter().take(surplus).copied();
        match self.manager.limit {
            _ if others == 0 => Verdict::Evict(own.collect()),
            SessionLimit::Refuse(_) if live.len() >= self.most => Verdict::Refused,
            SessionLimit::Refuse(_) | SessionLimit::Unlimited => Verdict::Wait,
            SessionLimit::EvictOldest(_) if !coming.is_empty() && is_patient => Verdict::Wait,
            SessionLimit::EvictOldest(_) => match live.get(..others) {
                Some(oldest) => Verdict::Evict(own.chain(oldest.iter().map(|session| session.key)).collect()),
                None => Verdict::Wait,
            },
        }
    }

    /// Looks for a login under way a few times, or until its record is there.
    async fn wait_for(&self, coming: Option<&StoreKey>) -> Result<()> {
        let principal = principal(self.step.after).unwrap_or_default();
        for _ in 0..GLANCES {
            yield_now().await;
            self.check_time()?;
            if let Some(key) = coming
                && matches!(self.manager.sight(key, principal).await?, Sight::Live(..))
            {
                break;
            }
        }
        Ok(())
    }

    /// Writes the lists, in an order that all instances agree on, and says whether nobody came between.
    ///
    /// There is one list a secret of the ring. Two instances that do not write with the same secret, because it is being
    /// changed, have one of them in common, and meet there. On the lists of the other secrets the key stays only
    /// until its record is there.
    async fn enter(&mut self, lists: &[List], gone: &[StoreKey]) -> Result<bool> {
        let Step { key, after, .. } = *self.step;
        let mut lists: Vec<&List> = lists.iter().collect();
        lists.sort_unstable_by_key(|list| list.tag);
        for list in lists {
            let left = left(self.manager, after);
            let ttl = if list.tag == *self.tag { left } else { left.min(self.manager.settle_time()) };
            self.may_be_listed = true;
            match self.index.admit(&list.tag, list.version, key, ttl, gone).await {
                Ok(Admitted::Admitted) => {}
                Ok(Admitted::Conflict) => return Ok(false),
                // The next look tells whether it was admitted: its own key does not count.
                Err(error) if error.is_ambiguous() && error.is_transient() => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    async fn crowd(&self) -> Result<Crowd> {
        let (manager, step) = (self.manager, self.step);
        let principal = principal(step.after).unwrap_or_default();
        let lists = manager.lists_of(principal).await?;
        let seen = manager.look_at(&lists, principal, Some(step.key)).await?;
        let mut crowd =
            Crowd { lists, own: Vec::new(), live: Vec::new(), coming: Vec::new(), dead: Vec::new() };
        for seen in seen {
            let key = seen.key;
            let may_come = || {
                seen.age < manager.settle_time()
                    && !self.ended.contains(&key)
                    && !manager.logins.is_abandoned(&key)
            };
            match &seen.sight {
                Sight::Live(..) if step.forerunners.contains(&key) => crowd.own.push(key),
                Sight::Live(fetched) => crowd.live.push(Live {
                    authenticated_at: fetched.state.authenticated_at,
                    created_at: fetched.state.created_at,
                    key,
                }),
                Sight::Gone if may_come() => crowd.coming.push(key),
                Sight::Gone => crowd.dead.push(key),
                Sight::Unknown => {}
            }
        }
        crowd.live.sort_unstable();
        Ok(crowd)
    }

    fn check_time(&self) -> Result<()> {
        if self.manager.clock.monotonic() >= self.step.ends_at {
            return Err(Error::new(ErrorKind::Contention));
        }
        Ok(())
    }
}

/// What is to be done about the others.
enum Verdict {
    /// These must go first, if anybody must.
    Evict(Vec<StoreKey>),
    Refused,
    /// It depends on those whose records may still come.
    Wait,
}

/// The other sessions of a principal.
struct Crowd {
    lists: Vec<List>,
    /// Sessions of this same visitor, from an earlier try or a login whose response was lost: they give way first.
    own: Vec<StoreKey>,
    /// The login that is the longest ago comes first.
    live: Vec<Live>,
    /// Those that were admitted so lately that their records may still come.
    coming: Vec<StoreKey>,
    /// Those that will have no record any more.
    dead: Vec<StoreKey>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Live {
    authenticated_at: Option<u64>,
    created_at: u64,
    key: StoreKey,
}
