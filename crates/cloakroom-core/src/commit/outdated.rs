//! Ends a session whose login is outdated, but not one that another request logged in anew meanwhile.

use std::time::Duration;

use cloakroom_codec::{Purpose, SecretHash, State};

use super::tries::Tries;
use super::{close, deadline, delete};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{EndReason, SessionEventKind};
use crate::live::{News, Place, Shared, Stored};
use crate::store::{Record, Replaced, Version};
use crate::store_error::StoreErrorKind;

/// A delete knows no version: it would end the other request's login as well. So the record is first
/// replaced by one that no token opens, which that login then meets, or is met by.
pub(super) async fn end_outdated(shared: &Shared, stored: Option<Stored>) -> Result<()> {
    let manager = &shared.manager;
    let Some(mut stored) = stored else {
        let is_carried = matches!(shared.live().place, Place::Carried(_));
        if is_carried {
            manager.events.emit(SessionEventKind::Ended(EndReason::CredentialsChanged), None);
        }
        // Where clients carry their sessions, there is nothing else to end.
        close(shared, if is_carried { News::Removal } else { News::None });
        return Ok(());
    };
    let ends_at = deadline(shared);
    loop {
        let retired = retire(shared, &stored, ends_at).await?;
        match retired {
            Retired::Done => break,
            Retired::Missing => {
                close(shared, News::None);
                return Ok(());
            }
            Retired::Conflict | Retired::NoRoom => {}
        }
        check_time(shared, ends_at, ErrorKind::Contention)?;
        let latest = manager.read(&stored.key).await?;
        check_time(shared, ends_at, ErrorKind::Contention)?;
        let (generation, attempt) = {
            let live = shared.live();
            (live.base.generation, live.attempt.map(|(version, _)| version))
        };
        match latest {
            // Retired already, by an earlier try or a check beside this one.
            Some(fetched) if fetched.state.secret_hash.matches(&nobodys()) => break,
            Some(fetched) if fetched.state.generation == generation || Some(fetched.version) == attempt => {
                if retired == Retired::NoRoom {
                    break;
                }
                stored.version = fetched.version;
            }
            Some(_) => {
                close(shared, News::None);
                manager.events.emit(SessionEventKind::WriteRefused, None);
                return Err(Error::new(ErrorKind::Ended));
            }
            None => {
                close(shared, News::None);
                return Ok(());
            }
        }
    }
    check_time(shared, ends_at, ErrorKind::Timeout)?;
    delete(shared, &stored.key, EndReason::CredentialsChanged, ends_at).await
}

/// Refuses to begin another store call after the deadline.
fn check_time(shared: &Shared, ends_at: Duration, otherwise: ErrorKind) -> Result<()> {
    if shared.manager.clock.monotonic() >= ends_at { Err(Error::new(otherwise)) } else { Ok(()) }
}

/// What became of a record that was to be retired.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Retired {
    Done,
    Conflict,
    Missing,
    /// A store that is full still deletes.
    NoRoom,
}

/// Replaces the record by one of nobody's, which goes by itself if the delete never comes.
async fn retire(shared: &Shared, stored: &Stored, ends_at: Duration) -> Result<Retired> {
    let manager = &shared.manager;
    let state = {
        let base = &shared.live().base;
        let mut state = State::new(base.created_at, base.absolute_deadline, base.idle, nobodys());
        state.revision = base.revision.wrapping_add(1);
        state.generation = base.generation.wrapping_add(1);
        state
    };
    let payload = manager.keys.seal(Purpose::Record, stored.key.as_bytes(), &state.encode()?)?;
    let record = Record::new(payload, Version::random()?, RETIRED_TTL);
    let mut tries = Tries::new(manager, ends_at);
    loop {
        tries.begin();
        match manager.store()?.replace(&stored.key, stored.version, &record).await {
            Ok(Replaced::Replaced) => return Ok(Retired::Done),
            Ok(Replaced::Conflict) => return Ok(Retired::Conflict),
            Ok(Replaced::Missing) => return Ok(Retired::Missing),
            Err(error) if tries.another_after(&error) => {}
            Err(error) if error.kind() == StoreErrorKind::Full => return Ok(Retired::NoRoom),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The hash of no secret that anybody has.
const fn nobodys() -> SecretHash {
    SecretHash::from_bytes([0; 32])
}

/// How long a retired record lives without its delete.
const RETIRED_TTL: Duration = Duration::from_secs(60);
