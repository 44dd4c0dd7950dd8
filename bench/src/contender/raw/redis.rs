//! One multiplexed connection to Redis that reconnects.

use anyhow::{Result, ensure};
use redis::aio::ConnectionManager;
use redis::{AsyncCommands as _, ExistenceCheck, SetExpiry, SetOptions};

use super::{Client, Loaded, SECONDS};

#[derive(Clone)]
pub(super) struct Redis(ConnectionManager);

impl Redis {
    pub(super) async fn connect(url: &str) -> Result<Self> {
        Ok(Self(ConnectionManager::new(redis::Client::open(url)?).await?))
    }
}

impl Client for Redis {
    async fn load(&self, key: &[u8; 32]) -> Result<Option<Loaded>> {
        let bytes: Option<Vec<u8>> = self.0.clone().get(key).await?;
        Ok(bytes.map(|bytes| Loaded { bytes, version: 0 }))
    }

    async fn replace(&self, key: &[u8; 32], _old: u64, bytes: Vec<u8>) -> Result<()> {
        Ok(self.0.clone().set_ex(key, bytes, u64::from(SECONDS)).await?)
    }

    async fn create(&self, key: &[u8; 32], bytes: Vec<u8>) -> Result<()> {
        let expiry = SetExpiry::EX(u64::from(SECONDS));
        let options = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(expiry);
        let done: Option<String> = self.0.clone().set_options(key, bytes, options).await?;
        ensure!(done.is_some(), "the key is new");
        Ok(())
    }
}
