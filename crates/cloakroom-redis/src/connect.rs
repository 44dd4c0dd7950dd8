//! From a URL to a store.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use cloakroom_core::Error;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, TlsCertificates,
};

use crate::errand::Errand;
use crate::error::at_start;
use crate::eviction;
use crate::link::Link;
use crate::prefix::Prefix;
use crate::store::RedisStore;
use crate::target::{self, Place, Target};

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
    tls_root: Option<Vec<u8>>,
}

impl RedisStoreBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), prefix: None, timeout: None, connect_timeout: None, tls_root: None }
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

    /// Sets the deadline of a connection, greeting included: 10 ms to 60 s; by default 1 s.
    pub const fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
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
        let (store, link, connect_timeout) = self.open()?;
        let mut greeting = redis::pipe();
        greeting.cmd("PING").add_command(eviction::question());
        let mut errand = Errand::read(connect_timeout);
        let mut replies = link.ask(&greeting, &mut errand).await.map_err(at_start)?;
        let memory = replies.pop().unwrap_or_default();
        let [_pong] = errand.replies(replies).map_err(at_start)?;
        eviction::warn(memory);
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

    fn open(self) -> Result<(RedisStore, Link, Duration), Error> {
        let target = target::parse(&self.url)?;
        let prefix = match self.prefix {
            Some(prefix) => prefix.parse::<Prefix>()?,
            None => target.prefix.clone(),
        };
        let timeout = checked(self.timeout.unwrap_or(target.timeout))?;
        let connect_timeout = checked(self.connect_timeout.unwrap_or(target.connect_timeout))?;
        let client = client(target, self.tls_root, timeout)?;
        let link = Link::new(client, connect_timeout);
        Ok((RedisStore::new(link.clone(), prefix, timeout), link, connect_timeout))
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
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

fn client(target: Target, tls_root: Option<Vec<u8>>, timeout: Duration) -> Result<Client, Error> {
    let mut greeting = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        // It would take one more right, and a line in the server's log of refusals where that is missing.
        .set_skip_set_lib_name()
        .set_db(i64::from(target.database));
    if let Some(user) = target.user {
        greeting = greeting.set_username(user);
    }
    if let Some(password) = target.password {
        greeting = greeting.set_password(password);
    }
    let tls = matches!(target.place, Place::Tls { .. });
    if tls_root.is_some() && !tls {
        return Err(Error::misconfigured("authorities for TLS need a Redis URL that begins with rediss://"));
    }
    let root = match (tls_root, target.ca) {
        (Some(pem), _) => Some(pem),
        (None, Some(path)) => Some(read(&path)?),
        (None, None) => None,
    };
    if root.as_deref().is_some_and(|pem| !holds_a_certificate(pem)) {
        return Err(Error::misconfigured("the authorities for TLS to Redis hold no certificate in PEM"));
    }
    let address = match target.place {
        Place::Tcp { host, port } => ConnectionAddr::Tcp(host, port),
        Place::Tls { host, port } => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        Place::Unix { path } => ConnectionAddr::Unix(path),
    };
    let info = address
        .into_connection_info()
        .map_err(unusable)?
        .set_redis_settings(greeting)
        .set_tcp_settings(tcp_settings(timeout));
    if !tls {
        return Client::open(info).map_err(unusable);
    }
    provide_cryptography();
    Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: root }).map_err(unusable)
}

/// No waiting for more to send; and a peer that acknowledges nothing is given up.
fn tcp_settings(timeout: Duration) -> TcpSettings {
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(timeout.max(Duration::from_secs(1)));
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    let _ = timeout;
    settings
}

/// The client library takes the provider of the process, and panics where there is none.
fn provide_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error says that somebody else was faster, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| {
        Error::misconfigured(format!("the file that `ca` names in the Redis URL cannot be read: {error}"))
    })
}

fn holds_a_certificate(pem: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    pem.windows(BEGIN.len()).any(|window| window == BEGIN)
}

fn unusable(error: redis::RedisError) -> Error {
    Error::misconfigured(format!("the Redis URL cannot be used: {}", error.category()))
}

#[cfg(test)]
mod tests;
