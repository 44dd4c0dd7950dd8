//! Keeps the index of principals in step with the records.

use std::time::Duration;

use cloakroom_codec::State;

use crate::error::Result;
use crate::events::SessionEventKind;
use crate::manager::Inner;
use crate::store::{PrincipalTag, StoreKey};

/// Before the record, so that the index never misses a live session. `before` is `None` for a new record.
pub(super) async fn enter(
    manager: &Inner,
    key: &StoreKey,
    before: Option<&State>,
    after: &State,
) -> Result<()> {
    let (Some(index), Some(tag)) = (manager.principals(), tag_of(manager, after)) else {
        return Ok(());
    };
    let is_known = before.is_some_and(|before| {
        principal(before) == principal(after) && after.absolute_deadline <= before.absolute_deadline
    });
    if is_known {
        return Ok(());
    }
    let left = after.absolute_deadline.saturating_sub(manager.now());
    Ok(index.enter(&tag, key, Duration::from_millis(left)).await?)
}

/// After the record: an entry that stays is harmless.
pub(super) async fn leave(manager: &Inner, key: &StoreKey, before: &State, after: &State) {
    if principal(before) == principal(after) {
        return;
    }
    if let (Some(index), Some(tag)) = (manager.principals(), tag_of(manager, before))
        && index.remove(&tag, &[*key], Duration::ZERO).await.is_err()
    {
        manager.emit(SessionEventKind::UpkeepFailed, key);
    }
}

/// The tag of a state's principal under the key that writes; `None` where the store has no use for it.
pub(super) fn tag_of(manager: &Inner, state: &State) -> Option<PrincipalTag> {
    manager.principals()?;
    let tags = manager.keys.principal_tags(principal(state)?);
    tags.first().map(|tag| PrincipalTag::from_bytes(*tag))
}

fn principal(state: &State) -> Option<&str> {
    state.login.as_ref().map(|login| login.principal.as_str())
}
