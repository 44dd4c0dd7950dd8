//! What the index of principals learns of a session before its record is written.

use std::sync::Arc;

use cloakroom_codec::{State, TokenKey};

use super::{Sealed, Write};
use crate::commit::index::{self, Entered, Step};
use crate::error::{Error, ErrorKind, Result};
use crate::store::StoreKey;

impl Write<'_> {
    /// Lets the index know of the session, before its record is written.
    pub(super) async fn enter(
        &mut self,
        key: &StoreKey,
        before: Option<Arc<State>>,
        after: &State,
        record_key: TokenKey,
    ) -> Result<()> {
        if self.entered.as_ref().is_some_and(Entered::has_a_seat) {
            return Ok(());
        }
        let is_resealed = record_key == TokenKey::Old;
        let step = Step {
            key,
            before: before.as_deref(),
            after,
            is_resealed,
            forerunners: &self.forerunners,
            ends_at: self.ends_at,
        };
        self.entered = index::enter(self.manager(), step).await?;
        Ok(())
    }

    /// Right before the record is sent, which may be some time after it was sealed.
    pub(super) fn begin(&mut self, sealed: &mut Sealed) -> Result<()> {
        if let Some(entered) = &mut self.entered {
            entered.begin()?;
            sealed.record.ttl =
                self.manager().ttl(&sealed.state).ok_or_else(|| Error::new(ErrorKind::Ended))?;
        }
        Ok(())
    }
}
