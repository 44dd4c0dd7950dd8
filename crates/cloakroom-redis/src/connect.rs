//! From a URL to a store.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use cloakroom_core::{Error, StoreError};
use futures_util::future::try_join_all;
use tokio_rustls::TlsConnector;

use crate::errand::Errand;
use crate::error::at_start;
use crate::eviction;
use crate::fleet::Fleet;
use crate::form;
use crate::greeting::Greeting;
use crate::node::Node;
use crate::prefix::Prefix;
use crate::quorum::Quorum;
use crate::request::{Packed, Proof, Request};
use crate::store::RedisStore;
use crate::{target, tls};

/// The shortest and the longest deadline.
const DEADLINES: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

/// A store that is still being set up, from [`RedisStore::builder`].
///
/// What is set here wins over what the URL says. `Debug` shows nothing of the URL.
///
/// ```
/// use cloakroom_redis::RedisStore;
///
/// let builder = RedisStore::builder("redis://:secret@127.0.0.1").with_prefix("shop");
/// assert!(!format!("{builder:?}").contains("secret"));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[must_use = "a builder does nothing until `connect` or `connect_lazy`"]
pub struct RedisStoreBuilder {
    url: String,
    prefix: Option<String>,
    timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    wait: Option<u8>,
    wait_timeout: Option<Duration>,
    tls_root: Option<Vec<u8>>,
}

impl RedisStoreBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            prefix: None,
            timeout: None,
            connect_timeout: None,
            wait: None,
            wait_timeout: None,
            tls_root: None,
        }
    }

    /// Sets what the keys begin with: 1 to 40 characters of `A-Z a-z 0-9 _ . -`; by default `cloakroom`.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Sets the deadline of a verb, all its tries together: 10 ms to 60 s; by default 2 s.
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the deadline of a connection, greeting included: 10 ms to 60 s; by default 1 s. Under Sentinel, asking the
    /// sentinels, reaching the primary and asking what it is have as long each.
    pub const fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Sets how many replicas must have a write other than a `touch` before it counts: 0 to 255; by
    /// default 0. What that costs and what it proves stands in the documentation of the crate.
    pub const fn with_wait(mut self, replicas: u8) -> Self {
        self.wait = Some(replicas);
        self
    }

    /// Sets how long replicas are waited for: 10 ms to 60 s, and less than the deadline of a verb; by default
    /// 500 ms.
    pub const fn with_wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = Some(timeout);
        self
    }

    /// Sets the authorities that the server's certificate is checked against, in PEM, instead of the
    /// system's.
    pub fn with_tls_root(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls_root = Some(pem.into());
        self
    }

    /// Connects, and waits until the server answers; see [`RedisStore::connect`].
    ///
    /// # Errors
    ///
    /// As [`RedisStore::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`RedisStore::connect`].
    pub async fn connect(self) -> Result<RedisStore, Error> {
        let (store, connect_timeout) = self.open()?;
        let errand = Errand::read(connect_timeout).map_err(at_start)?;
        let primaries = store.fleet().primaries(&errand).await.map_err(at_start)?;
        let greetings = primaries.iter().map(|node| greet(node, store.quorum(), connect_timeout));
        try_join_all(greetings).await.map_err(at_start)?;
        Ok(store)
    }

    /// Takes the URL without a word to the server; see [`RedisStore::connect_lazy`].
    ///
    /// # Errors
    ///
    /// As [`RedisStore::connect_lazy`].
    pub fn connect_lazy(self) -> Result<RedisStore, Error> {
        Ok(self.open()?.0)
    }

    fn open(self) -> Result<(RedisStore, Duration), Error> {
        let target = target::parse(&self.url)?;
        let prefix = match self.prefix {
            Some(prefix) => prefix.parse::<Prefix>()?,
            None => target.prefix,
        };
        let timeout = checked(self.timeout.unwrap_or(target.timeout))?;
        let connect_timeout = checked(self.connect_timeout.unwrap_or(target.connect_timeout))?;
        let patience = checked(self.wait_timeout.unwrap_or(target.wait_timeout))?;
        let quorum = Quorum::new(self.wait.unwrap_or(target.wait), patience);
        if quorum.is_some() && patience >= timeout {
            return Err(Error::misconfigured(
                "`wait_timeout` of the Redis store must be less than `timeout`",
            ));
        }
        let tls = target.servers.are_reached_by_tls();
        let greeting = Greeting {
            user: target.user,
            password: target.password,
            database: target.database,
            tls: connector(self.tls_root, target.ca.as_deref(), tls)?,
            timeout,
            proof: Proof::Echo,
        };
        let sentinels = Greeting {
            user: target.sentinel_user,
            password: target.sentinel_password,
            database: 0,
            // They know none.
            proof: Proof::Form,
            ..greeting.clone()
        };
        let fleet = Fleet::new(target.servers, greeting, &sentinels, connect_timeout)?;
        Ok((RedisStore::new(fleet, prefix, timeout, quorum), connect_timeout))
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("wait", &self.wait)
            .field("wait_timeout", &self.wait_timeout)
            .finish_non_exhaustive()
    }
}

fn checked(deadline: Duration) -> Result<Duration, Error> {
    if DEADLINES.contains(&deadline) {
        Ok(deadline)
    } else {
        Err(Error::misconfigured("a timeout of the Redis store must be between 10ms and 60s"))
    }
}

/// Waits until this server answers, and tells what is wrong with it.
async fn greet(node: &Node, quorum: Option<Quorum>, timeout: Duration) -> Result<(), StoreError> {
    let ping = Packed::one(form::pong, ["PING".into()]);
    let questions = match quorum {
        Some(_) => ping.and(form::count, Quorum::question()),
        None => ping,
    };
    let request = Request::new(questions.and(form::text, eviction::question()), None);
    let mut errand = Errand::read(timeout)?;
    let mut replies = node.ask(&request, &mut errand).await?;
    let memory = replies.values.pop().unwrap_or_default();
    if let Some(quorum) = quorum {
        quorum.check(replies.values.pop().unwrap_or_default())?;
    }
    let [_pong] = errand.replies(replies.values)?;
    eviction::warn(memory);
    Ok(())
}

/// How certificates of servers are checked, where servers are reached by TLS.
fn connector(set: Option<Vec<u8>>, file: Option<&Path>, tls: bool) -> Result<Option<TlsConnector>, Error> {
    if set.is_some() && !tls {
        return Err(Error::misconfigured("authorities for TLS need a Redis URL that begins with rediss"));
    }
    let root = match (set, file) {
        (Some(pem), _) => Some(pem),
        (None, Some(path)) => Some(read(path)?),
        (None, None) => None,
    };
    if tls { tls::connector(root.as_deref()).map(Some) } else { Ok(None) }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| {
        Error::misconfigured(format!("the file that `ca` names in the Redis URL cannot be read: {error}"))
    })
}

#[cfg(test)]
mod tests;
