//! Stores that are wrong, for the check to find.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom::{
    Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreKey, Touched,
    Version, async_trait,
};

/// A store that is wrong in one way.
#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) store: Arc<dyn Store>,
    pub(super) fault: Fault,
}

#[derive(Debug)]
pub(super) enum Fault {
    /// A load hands out the reply of the one before.
    OneLate(Mutex<Option<Record>>),
    /// Two keys are taken for one.
    MixesKeys,
}

impl Faulty {
    fn key(&self, key: &StoreKey) -> StoreKey {
        let mut bytes = *key.as_bytes();
        if matches!(self.fault, Fault::MixesKeys) {
            bytes[1..].iter_mut().for_each(|byte| *byte &= !1);
        }
        StoreKey::from_bytes(bytes)
    }
}

#[async_trait]
impl Store for Faulty {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let found = self.store.load(&self.key(key), freshness).await?;
        match &self.fault {
            Fault::OneLate(last) => Ok(std::mem::replace(&mut *last.lock().unwrap(), found)),
            Fault::MixesKeys => Ok(found),
        }
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.store.create(&self.key(key), record).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        self.store.replace(&self.key(key), expected, record).await
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.store.touch(&self.key(key), expected, ttl).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.store.delete(&self.key(key)).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}
