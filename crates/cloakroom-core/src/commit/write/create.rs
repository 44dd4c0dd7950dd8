//! A new session on its way to the store.

use cloakroom_codec::{State, TokenKey, random_identity};

use super::Write;
use crate::commit::index::Entered;
use crate::commit::tries::Tries;
use crate::error::{Error, ErrorKind, Result};
use crate::events::SessionEventKind;
use crate::live::{News, Reach};
use crate::store::{Created, Freshness, Record, StoreKey};

impl Write<'_> {
    pub(super) async fn create(&mut self) -> Result<()> {
        if self.reach == Reach::Detached {
            return Err(Error::new(ErrorKind::Detached));
        }
        let manager = self.manager();
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
            if self.persist_new(&key, &sealed.record).await? == Created::Created {
                manager.emit(SessionEventKind::Created, &key);
                self.settle(handle, key, sealed);
                return Ok(());
            }
            if let Some(entered) = self.entered.take() {
                entered.withdraw().await;
            }
        }
        Err(Error::new(ErrorKind::Other))
    }

    async fn persist_new(&mut self, key: &StoreKey, record: &Record) -> Result<Created> {
        let mut tries = Tries::new(self.manager(), self.ends_at);
        tries.begin();
        match self.manager().store()?.create(key, record).await {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                if error.is_ambiguous() {
                    self.forerunners.push(*key);
                    self.shared.live().forerunners.push(*key);
                }
                self.may_retry(error, &tries)?;
            }
        }
        // Not created again: if it was in place, it may have been revoked since, and would come back.
        let found = self.manager().store()?.load(key, Freshness::Latest).await?;
        if found.is_some_and(|found| found.version == record.version) {
            if self.entered.as_ref().is_some_and(Entered::has_a_seat) {
                // It may have been ended and come back since it was counted.
                self.manager().end(key).await?;
                return Ok(Created::Occupied);
            }
            self.forerunners.retain(|forerunner| forerunner != key);
            self.shared.live().forerunners.retain(|forerunner| forerunner != key);
            return Ok(Created::Created);
        }
        Ok(Created::Occupied)
    }
}

/// How many handles are drawn before a store that always answers `Occupied` is given up.
const HANDLE_TRIES: u32 = 3;
