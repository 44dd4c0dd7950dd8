//! From a URL to a store.

use std::fmt;
use std::time::Duration;

use cloakroom_core::Error;

use crate::errand::Errand;
use crate::error::at_start;
use crate::item_size::ItemSize;
use crate::lifetime::Lifetime;
use crate::node::Node;
use crate::pool::{MaxConnections, Pool};
use crate::prefix::Prefix;
use crate::store::MemcachedStore;
use crate::target;

/// The shortest and the longest deadline.
const DEADLINES: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

/// A store that is still being set up, from [`MemcachedStore::builder`].
///
/// What is set here wins over what the URL says. `Debug` shows nothing of the URL.
///
/// ```
/// use cloakroom_memcached::MemcachedStore;
///
/// let builder = MemcachedStore::builder("memcache://cache.internal").with_prefix("shop");
/// assert!(!format!("{builder:?}").contains("cache.internal"));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[must_use = "a builder does nothing until `connect` or `connect_lazy`"]
pub struct MemcachedStoreBuilder {
    url: String,
    prefix: Option<String>,
    timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    max_connections: Option<usize>,
    max_item_size: Option<usize>,
}

impl MemcachedStoreBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            prefix: None,
            timeout: None,
            connect_timeout: None,
            max_connections: None,
            max_item_size: None,
        }
    }

    /// Sets what the keys begin with: 1 to 40 characters of `A-Z a-z 0-9 _ . -`; by default `cloakroom`.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Sets the deadline of a verb, all its requests and tries together: 10 ms to 60 s; by default 2 s.
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how long a verb waits for a free connection, and for a new one: 10 ms to 60 s each; by default 1 s.
    pub const fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Sets how many connections there are to each server at most: 1 to 1024; by default 32. Each carries one
    /// request at a time; what finds none waits.
    pub const fn with_max_connections(mut self, number: usize) -> Self {
        self.max_connections = Some(number);
        self
    }

    /// Sets the size of the largest item in bytes, as the servers' `-I`: 2 KiB to 128 MiB; by default 1 MiB. A
    /// payload may have 1024 bytes less. Where a server takes less than that, its own limit holds.
    pub const fn with_max_item_size(mut self, bytes: usize) -> Self {
        self.max_item_size = Some(bytes);
        self
    }

    /// Connects, and waits until each server has answered; see [`MemcachedStore::connect`].
    ///
    /// # Errors
    ///
    /// As [`MemcachedStore::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`MemcachedStore::connect`].
    pub async fn connect(self) -> Result<MemcachedStore, Error> {
        let (store, max_item_size, connect_timeout) = self.open()?;
        for node in store.servers() {
            let errand = Errand::new(connect_timeout).map_err(at_start)?;
            let facts = match node.facts(Lifetime::of(Duration::MAX), &errand).await {
                Ok(facts) => facts,
                Err(error) => {
                    tracing::warn!(target: "cloakroom::memcached", server = ?node, "this server fails the start");
                    return Err(at_start(error));
                }
            };
            if facts.item_size() < max_item_size {
                tracing::warn!(
                    target: "cloakroom::memcached",
                    server = ?node,
                    bytes = facts.item_size().bytes(),
                    "the server takes smaller items than `max_item_size`; give it a larger `-I`"
                );
            }
        }
        Ok(store)
    }

    /// Takes the URL without a word to the servers; see [`MemcachedStore::connect_lazy`].
    ///
    /// # Errors
    ///
    /// As [`MemcachedStore::connect_lazy`].
    pub fn connect_lazy(self) -> Result<MemcachedStore, Error> {
        Ok(self.open()?.0)
    }

    fn open(self) -> Result<(MemcachedStore, ItemSize, Duration), Error> {
        let target = target::parse(&self.url)?;
        let prefix = match self.prefix {
            Some(prefix) => prefix.parse::<Prefix>()?,
            None => target.prefix,
        };
        let timeout = checked(self.timeout.unwrap_or(target.timeout))?;
        let connect_timeout = checked(self.connect_timeout.unwrap_or(target.connect_timeout))?;
        let max_connections = match self.max_connections {
            Some(number) => MaxConnections::new(number)?,
            None => target.max_connections,
        };
        let max_item_size = match self.max_item_size {
            Some(bytes) => ItemSize::new(bytes)?,
            None => target.max_item_size,
        };
        let node = |server| Node::new(Pool::new(server, max_connections, connect_timeout));
        let store = MemcachedStore::new(target.servers.map(node), prefix, timeout, max_item_size);
        Ok((store, max_item_size, connect_timeout))
    }
}

impl fmt::Debug for MemcachedStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStoreBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_connections", &self.max_connections)
            .field("max_item_size", &self.max_item_size)
            .finish_non_exhaustive()
    }
}

fn checked(deadline: Duration) -> Result<Duration, Error> {
    if DEADLINES.contains(&deadline) {
        Ok(deadline)
    } else {
        Err(Error::misconfigured("a timeout of the Memcached store must be between 10ms and 60s"))
    }
}

#[cfg(test)]
mod tests;
