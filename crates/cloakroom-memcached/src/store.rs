//! Sessions in Memcached.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{
    Created, Deleted, Error, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreKey,
    Touched, Version,
};

use crate::connect::MemcachedStoreBuilder;
use crate::errand::Errand;
use crate::error::{self, Doubt};
use crate::facts::Facts;
use crate::item_size::ItemSize;
use crate::lifetime::Lifetime;
use crate::node::Node;
use crate::prefix::Prefix;
use crate::request::{Found, Request, Written};
use crate::servers::Servers;
use crate::stored::{self, Stored};

/// Keeps sessions in one or many Memcached servers.
///
/// Each record is one item on one server, which follows from its key: see the crate's page for how, for what lies in
/// an item, and for what can be lost. A clone is the same store.
///
/// # Lost replies
///
/// A request whose connection broke is sent once more, except a `create`: somebody may have ended the session since, and
/// it would come back, so that it is only looked for. A verb finds its own write by the version, and answers as if
/// nothing had happened; a `delete` whose reply was lost answers `Deleted`. Where somebody else's record is found
/// instead, `create` and `replace` answer [`Ambiguous`](cloakroom_core::StoreErrorKind::Ambiguous): theirs may have
/// been there for a moment.
///
/// # Cancel safety
///
/// A verb that is dropped leaves the old or the new record. Its connection is closed, so that its reply goes to nobody.
///
/// ```no_run
/// use cloakroom_memcached::MemcachedStore;
///
/// # async fn connect() -> Result<(), cloakroom_core::Error> {
/// let store = MemcachedStore::connect("memcache://10.0.0.1,10.0.0.2?prefix=shop").await?;
/// # Ok::<(), cloakroom_core::Error>(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemcachedStore {
    servers: Arc<Servers<Arc<Node>>>,
    prefix: Prefix,
    timeout: Duration,
    max_item_size: ItemSize,
}

impl MemcachedStore {
    /// Connects to the servers that `url` names, and waits until each has answered.
    ///
    /// The form of `url` is `memcache://host[:port][,host[:port]…]`, with 11211 as the port that need not be written.
    /// Parameters after `?`:
    ///
    /// | name | meaning | default |
    /// |---|---|---|
    /// | `prefix` | what the keys begin with: 1 to 40 of `A-Z a-z 0-9 _ . -` | `cloakroom` |
    /// | `timeout` | the deadline of a verb, `10ms` to `60s` | `2s` |
    /// | `connect_timeout` | how long a verb waits for a connection, `10ms` to `60s` | `1s` |
    /// | `max_connections` | to each server, 1 to 1024 | `32` |
    /// | `max_item_size` | as the server's `-I`: `2k` to `128m`; 1 KiB of it is not payload | `1m` |
    ///
    /// The names of the servers, ports included, decide which keys lie where: all instances of a service write them
    /// in the same way, in any order. A warning event tells when a server takes smaller items than `max_item_size`.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a URL that is wrong and for a server that cannot be used, in a sentence that says what to
    /// do. `Unavailable` or `Timeout` when a server is not there; to start before all servers do, see
    /// [`connect_lazy`](Self::connect_lazy).
    ///
    /// # Cancel safety
    ///
    /// Of a call that is dropped, a connection may remain, for `connect_timeout` at most.
    ///
    /// ```no_run
    /// use cloakroom_memcached::MemcachedStore;
    ///
    /// # async fn connect() -> Result<(), cloakroom_core::Error> {
    /// let store = MemcachedStore::connect("memcache://cache-1,cache-2,cache-3:11212?timeout=500ms").await?;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect().await
    }

    /// Takes `url` as [`connect`](Self::connect) does, without a word to the servers: the first verb dials.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a URL that is wrong. A server that cannot be used shows when the first verb fails.
    ///
    /// ```
    /// use cloakroom_memcached::MemcachedStore;
    ///
    /// let store = MemcachedStore::connect_lazy("memcache://127.0.0.1")?;
    /// assert!(MemcachedStore::connect_lazy("memcache://127.0.0.1?tiemout=1s").is_err());
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn connect_lazy(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect_lazy()
    }

    /// A store that is still being set up; what is set here wins over what the URL says.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_memcached::MemcachedStore;
    ///
    /// let store = MemcachedStore::builder("memcache://127.0.0.1")
    ///     .with_prefix("shop")
    ///     .with_timeout(Duration::from_millis(500))
    ///     .connect_lazy()?;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn builder(url: &str) -> MemcachedStoreBuilder {
        MemcachedStoreBuilder::new(url)
    }

    /// What the keys of this store begin with.
    ///
    /// ```
    /// use cloakroom_memcached::MemcachedStore;
    ///
    /// let store = MemcachedStore::connect_lazy("memcache://127.0.0.1?prefix=shop")?;
    /// assert_eq!(store.prefix(), "shop");
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.prefix.as_str()
    }

    pub(crate) fn new(
        servers: Servers<Arc<Node>>,
        prefix: Prefix,
        timeout: Duration,
        max_item_size: ItemSize,
    ) -> Self {
        Self { servers: Arc::new(servers), prefix, timeout, max_item_size }
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.servers.iter()
    }

    /// A verb on a key: the item's name, the server that keeps it, and the deadline.
    fn begin(&self, key: &StoreKey) -> Result<Verb<'_>, StoreError> {
        let node = self.servers.keeper(key, |node| node.seed());
        Ok(Verb { node, name: self.prefix.name(key), errand: Errand::new(self.timeout)? })
    }

    /// What is known of the server that a payload goes to, if the payload fits into an item.
    async fn admit(&self, verb: &Verb<'_>, payload: &[u8], lifetime: Lifetime) -> Result<Facts, StoreError> {
        // A server that refuses an item removes the one that was there. So it is never asked to.
        if payload.len() > self.max_item_size.payload() {
            return Err(error::too_large());
        }
        let facts = verb.node.facts(lifetime, &verb.errand).await?;
        if payload.len() > facts.item_size().payload() { Err(error::too_large()) } else { Ok(facts) }
    }
}

/// A verb on its way.
struct Verb<'a> {
    node: &'a Arc<Node>,
    name: String,
    errand: Errand,
}

impl Verb<'_> {
    async fn look(&mut self) -> Result<Option<Found>, StoreError> {
        let reply = self.node.ask(Request::look(&self.name)?, &mut self.errand).await?;
        reply.found().map_err(|error| self.errand.looked(error))
    }

    async fn add(&mut self, item: &Item, facts: &mut Facts) -> Result<Written, StoreError> {
        let expiry = facts.expiry(item.lifetime);
        let request = |choice| Request::add(&self.name, item.value.clone(), expiry, choice);
        self.node.write(item.version, facts, &mut self.errand, request).await
    }

    async fn swap(&mut self, cas: NonZeroU64, item: &Item, facts: &mut Facts) -> Result<Written, StoreError> {
        let expiry = facts.expiry(item.lifetime);
        let request = |choice| Request::swap(&self.name, cas, item.value.clone(), expiry, choice);
        self.node.write(item.version, facts, &mut self.errand, request).await
    }

    /// The answer where somebody else's record is in place.
    fn taken<T>(&self, answer: T) -> Result<T, StoreError> {
        match self.errand.doubt() {
            Doubt::None => Ok(answer),
            Doubt::EarlierTry => Err(error::ambiguous()),
        }
    }
}

/// What is to be put in place.
struct Item {
    version: Version,
    lifetime: Lifetime,
    value: Vec<u8>,
}

impl Item {
    fn new(version: Version, lifetime: Lifetime, payload: &[u8]) -> Self {
        Self { version, lifetime, value: stored::value(version, lifetime, payload) }
    }
}

#[async_trait]
impl Store for MemcachedStore {
    async fn load(&self, key: &StoreKey, _freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let Some(found) = self.begin(key)?.look().await? else { return Ok(None) };
        match stored::parse(found.value) {
            Some(Stored { version, lifetime, payload }) => {
                Ok(Some(Record::new(payload, version, lifetime.left(found.ticks))))
            }
            None => Err(error::corrupt("the value under the key has no header")),
        }
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        let mut verb = self.begin(key)?;
        let lifetime = Lifetime::of(record.ttl);
        let mut facts = self.admit(&verb, &record.payload, lifetime).await?;
        let item = Item::new(record.version, lifetime, &record.payload);
        loop {
            match verb.add(&item, &mut facts).await {
                Ok(Written::Stored(_)) => return Ok(Created::Created),
                Ok(_) => {}
                // Not sent again: whoever ended the session in between would see it come back.
                Err(_) if verb.errand.doubt() == Doubt::EarlierTry => {}
                Err(error) => return Err(error),
            }
            match verb.look().await?.map(|found| stored::parse(found.value)) {
                Some(Some(found)) if found.version == record.version => return Ok(Created::Created),
                Some(_) => return verb.taken(Created::Occupied),
                // It went between the two requests, or was never there.
                None if verb.errand.doubt() == Doubt::EarlierTry => return Err(error::ambiguous()),
                None => {}
            }
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let mut verb = self.begin(key)?;
        let lifetime = Lifetime::of(record.ttl);
        let mut facts = self.admit(&verb, &record.payload, lifetime).await?;
        let item = Item::new(record.version, lifetime, &record.payload);
        // A server that takes its numbers from us compares the versions themselves. It would not see that the
        // own version is in place already, if that is the expected one.
        let at_once = facts.chooses && expected != record.version;
        let mut cas = NonZeroU64::new(expected.get()).filter(|_| at_once);
        loop {
            if let Some(cas) = cas {
                match verb.swap(cas, &item, &mut facts).await? {
                    Written::Stored(_) => return Ok(Replaced::Replaced),
                    Written::Absent => return Ok(Replaced::Missing),
                    Written::Exists | Written::ChoiceRefused => {}
                }
            }
            let Some(found) = verb.look().await? else { return Ok(Replaced::Missing) };
            match stored::parse(found.value).map(|stored| stored.version) {
                Some(version) if version == record.version => return Ok(Replaced::Replaced),
                Some(version) if version == expected => cas = Some(found.cas),
                _ => return verb.taken(Replaced::Conflict),
            }
        }
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        let mut verb = self.begin(key)?;
        let lifetime = Lifetime::of(ttl);
        loop {
            let Some(found) = verb.look().await? else { return Ok(Touched::Missing) };
            let stored = match stored::parse(found.value) {
                Some(stored) if stored.version == expected => stored,
                _ => return Ok(Touched::Conflict),
            };
            if stored.lifetime.left(found.ticks) >= lifetime.duration() {
                return Ok(Touched::Touched);
            }
            let expiry = verb.node.facts(lifetime, &verb.errand).await?.expiry(lifetime);
            let value = stored::value(stored.version, lifetime, &stored.payload);
            // The number must be a new one: it is all that tells this touch to another one, which may ask for less.
            let swap = Request::swap(&verb.name, found.cas, value, expiry, None)?;
            match verb.node.ask(swap, &mut verb.errand).await?.written()? {
                Written::Stored(_) => return Ok(Touched::Touched),
                Written::Absent => return Ok(Touched::Missing),
                // Somebody wrote between the two requests, and perhaps it was a touch.
                Written::Exists | Written::ChoiceRefused => {}
            }
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        let mut verb = self.begin(key)?;
        let reply = verb.node.ask(Request::delete(&verb.name)?, &mut verb.errand).await?;
        match (reply.deleted()?, verb.errand.doubt()) {
            (false, Doubt::None) => Ok(Deleted::Missing),
            (true, _) | (false, Doubt::EarlierTry) => Ok(Deleted::Deleted),
        }
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

impl fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStore")
            .field("prefix", &self.prefix())
            .field("timeout", &self.timeout)
            .field("servers", &self.servers().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
