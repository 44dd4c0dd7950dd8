//! Admits a login where a principal may have only so many sessions.

use std::time::Duration;

use super::index::Step;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::limit::SessionLimit;
use crate::manager::{Inner, List, Sight, principal};
use crate::patience::yield_now;
use crate::principal::{Admitted, PrincipalIndex};
use crate::store::{PrincipalTag, StoreKey};
use crate::turns::Turn;

/// Keeps the other logins of the principal in this process waiting, until the record is written.
pub(super) type Seat<'m> = Turn<'m, ()>;

/// How often the list is looked at at most, whatever the clock says.
const LOOKS: u32 = 20_000;

/// Admits the session to its principal's list, and ends others where the limit says so.
///
/// The order matters, because a process may die after each step, and others act meanwhile:
///
/// 1. Each session on the list is loaded. One without a record may be a login under way, if it was admitted lately: it
///    is waited for, where it matters, and counts as stored if it takes half of the deadline. Else it is dead.
/// 2. Whoever must go is deleted before he leaves the list, so that no live session is ever missing there.
/// 3. The list is written only if nobody was admitted since it was read; otherwise all begins anew. Whoever was
///    deleted in vain would have been deleted by the login that came first.
pub(super) async fn admit<'m>(
    manager: &'m Inner,
    index: &dyn PrincipalIndex,
    tag: &PrincipalTag,
    step: &Step<'_>,
    ttl: Duration,
    most: usize,
) -> Result<Seat<'m>> {
    let seat = manager.turns.of(tag).await;
    let impatient_from = step.ends_at.saturating_sub(manager.deadline / 2);
    for _ in 0..LOOKS {
        let now = manager.clock.monotonic();
        if now >= step.ends_at {
            break;
        }
        let crowd = Crowd::of(manager, step).await?;
        let surplus = (crowd.live.len() + crowd.coming + 1).saturating_sub(most);
        let evicted = match manager.limit {
            _ if surplus == 0 => Some(&[][..]),
            SessionLimit::Refuse(_) if crowd.live.len() >= most => {
                return Err(Error::new(ErrorKind::LimitReached));
            }
            SessionLimit::Refuse(_) | SessionLimit::Unlimited => None,
            SessionLimit::EvictOldest(_) if crowd.coming > 0 && now < impatient_from => None,
            SessionLimit::EvictOldest(_) => crowd.live.get(..surplus),
        };
        let Some(evicted) = evicted else {
            yield_now().await;
            continue;
        };
        let mut gone = crowd.dead;
        for key in crowd.own.iter().chain(evicted.iter().map(|session| &session.key)) {
            if manager.end(key).await? {
                manager.emit(SessionEventKind::Ended(EndReason::Evicted), key);
            }
            gone.push(*key);
        }
        if enter(index, tag, &crowd.lists, step.key, ttl, manager.settle_time(), &gone).await? {
            return Ok(seat);
        }
    }
    Err(Error::new(ErrorKind::Contention))
}

/// Writes the principal's lists, in an order that all instances agree on, and says whether nobody came between.
///
/// There is one list a secret of the ring. Two instances that do not write with the same secret, because it is being
/// changed, have one of them in common, and meet there. On the lists of the other secrets the key stays only
/// until its record is there.
async fn enter(
    index: &dyn PrincipalIndex,
    tag: &PrincipalTag,
    lists: &[List],
    key: &StoreKey,
    ttl: Duration,
    settle_time: Duration,
    gone: &[StoreKey],
) -> Result<bool> {
    let mut lists: Vec<&List> = lists.iter().collect();
    lists.sort_unstable_by_key(|list| list.tag);
    for list in lists {
        let ttl = if list.tag == *tag { ttl } else { ttl.min(settle_time) };
        if index.admit(&list.tag, list.version, key, ttl, gone).await? == Admitted::Conflict {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The other sessions of a principal.
struct Crowd {
    lists: Vec<List>,
    /// Sessions of this same visitor, from an earlier try or a login whose response was lost: the new one takes their
    /// place.
    own: Vec<StoreKey>,
    /// The login that is the longest ago comes first.
    live: Vec<Live>,
    /// How many were admitted so lately that their records may still come.
    coming: usize,
    /// Those that will have no record any more.
    dead: Vec<StoreKey>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Live {
    authenticated_at: Option<u64>,
    created_at: u64,
    key: StoreKey,
}

impl Crowd {
    async fn of(manager: &Inner, step: &Step<'_>) -> Result<Self> {
        let principal = principal(step.after).unwrap_or_default();
        let lists = manager.lists_of(principal).await?;
        let (mut live, mut coming, mut dead, mut own) = (Vec::new(), 0, Vec::new(), Vec::new());
        for seen in manager.look_at(&lists, principal, Some(step.key)).await? {
            match seen.sight {
                Sight::Live(..) | Sight::Gone if step.forerunners.contains(&seen.key) => own.push(seen.key),
                Sight::Live(_, state) => live.push(Live {
                    authenticated_at: state.authenticated_at,
                    created_at: state.created_at,
                    key: seen.key,
                }),
                Sight::Gone if seen.age < manager.settle_time() => coming += 1,
                Sight::Gone => dead.push(seen.key),
                Sight::Unknown => {}
            }
        }
        live.sort_unstable();
        Ok(Self { lists, own, live, coming, dead })
    }
}
