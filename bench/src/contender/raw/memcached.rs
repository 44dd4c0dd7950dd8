//! A pool of connections to Memcached, as many as Cloakroom's.

use anyhow::{Context as _, Result, ensure};
use memcache::exp::{AsyncMetaClient, Meta, MetaClientBuilder, SetMode};

use super::{Client, Loaded, SECONDS};

const CONNECTIONS: usize = 32;

#[derive(Clone)]
pub(super) struct Memcached(AsyncMetaClient);

impl Memcached {
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let address = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
        let pool = MetaClientBuilder::new().max_idle(CONNECTIONS).max_connections(Some(CONNECTIONS));
        Ok(Self(pool.connect_async(address).await?))
    }
}

impl Client for Memcached {
    async fn load(&self, key: &[u8; 32]) -> Result<Option<Loaded>> {
        let meta = Meta::NONE.cas().ttl();
        let found = self.0.get(name(key)).meta(meta).send().await?;
        let Some(bytes) = found.value else { return Ok(None) };
        Ok(Some(Loaded { bytes, version: found.item.cas.context("it was asked for")? }))
    }

    async fn replace(&self, key: &[u8; 32], old: u64, bytes: Vec<u8>) -> Result<()> {
        self.0.set(name(key), bytes).compare_cas(old).ttl_raw(SECONDS).send().await?;
        Ok(())
    }

    async fn create(&self, key: &[u8; 32], bytes: Vec<u8>) -> Result<()> {
        let set = self.0.set(name(key), bytes).mode(SetMode::Add).ttl_raw(SECONDS);
        ensure!(set.send().await?.applied(), "the key is new");
        Ok(())
    }
}

/// Keys are text here: the first half of the digits, which differ.
fn name(key: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    key[..24].iter().fold(String::with_capacity(48), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
