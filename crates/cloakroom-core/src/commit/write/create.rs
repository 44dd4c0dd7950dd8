//! A new session on its way to the store.

use cloakroom_codec::{State, TokenKey, random_identity};

use super::Write;
use crate::commit::index::Entered;
use crate::commit::tries::Tries;
use crate::error::{Error, ErrorKind, Result};
use crate::events::SessionEventKind;
use crate::live::{News, Reach};
use crate::store::{Created, Record, Replaced, StoreKey};
use crate::store_error::StoreError;

impl Write<'_> {
    pub(super) async fn create(&mut self) -> Result<()> {
        if self.reach == Reach::Detached {
            return Err(Error::new(ErrorKind::Detached));
        }
        let manager = self.manager();
        let mut lost = None;
        for _ in 0..HANDLE_TRIES {
            let (handle, drawn) = random_identity()?;
            let secret = self.fresh_secret.as_deref().cloned().unwrap_or(drawn);
            let key = manager.store_key(&handle);
            let mut state = State::clone(&self.draft);
            state.secret_hash = manager.keys.secret_hash(&handle, &secret);
            state.predecessor = None;
            let mut sealed = self.seal(&key, state, Some(secret), News::Token, false)?;
            self.enter(&key, None, &sealed.state, TokenKey::Writing).await?;
            self.begin(&mut sealed)?;
            match self.persist_new(&key, &sealed.record).await? {
                Persisted::InPlace => {
                    manager.emit(SessionEventKind::Created, &key);
                    self.settle(handle, key, sealed);
                    return Ok(());
                }
                Persisted::Occupied => {}
                Persisted::Lost(error) => lost = Some(error),
            }
            if let Some(entered) = self.entered.take() {
                entered.withdraw().await;
            }
            // Of the next handle nothing was sent yet.
            self.unsure = false;
        }
        Err(lost.map_or_else(|| Error::new(ErrorKind::Other), Error::from))
    }

    async fn persist_new(&mut self, key: &StoreKey, record: &Record) -> Result<Persisted> {
        let mut tries = Tries::new(self.manager(), self.ends_at);
        tries.begin();
        let lost = match self.manager().store()?.create(key, record).await {
            Ok(Created::Created) => return Ok(Persisted::InPlace),
            Ok(Created::Occupied) => return Ok(Persisted::Occupied),
            Err(error) => error,
        };
        self.unsure |= lost.is_ambiguous();
        if lost.is_ambiguous() {
            self.forerunners.push(*key);
            self.shared.live().forerunners.push(*key);
        }
        if !(self.is_asked_for() && tries.look_after(&lost)) {
            return Err(lost.into());
        }
        // Not created again: if it was in place, it may have been revoked since, and would come back. Put in its own
        // place, it is there as surely as any write.
        if self.manager().store()?.replace(key, record.version, record).await? != Replaced::Replaced {
            return Ok(Persisted::Lost(lost));
        }
        if self.entered.as_ref().is_some_and(Entered::has_a_seat) {
            // It may have been ended and come back since it was counted.
            self.manager().end(key).await?;
            return Ok(Persisted::Lost(lost));
        }
        self.forerunners.retain(|forerunner| forerunner != key);
        self.shared.live().forerunners.retain(|forerunner| forerunner != key);
        Ok(Persisted::InPlace)
    }
}

/// What became of a record under a new handle.
enum Persisted {
    InPlace,
    /// Another record has the key.
    Occupied,
    /// The reply was lost, and the record is not in place.
    Lost(StoreError),
}

/// How many handles are drawn before a store that always answers `Occupied` is given up.
const HANDLE_TRIES: u32 = 3;
