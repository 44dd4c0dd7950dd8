//! Sessions in Redis or Valkey.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{
    Created, Deleted, Error, Freshness, PrincipalIndex, PrincipalTag, Record, Replaced, Store, StoreError,
    StoreKey, Touched, Version,
};
use redis::{ServerErrorKind, Value};

use crate::connect::RedisStoreBuilder;
use crate::errand::Errand;
use crate::error::{self, Doubt};
use crate::fleet::Fleet;
use crate::form;
use crate::prefix::Prefix;
use crate::quorum::Quorum;
use crate::request::{Packed, Replies, Request};
use crate::script::{Atomic, REPLACE, STAMP, TOUCH};
use crate::stored;
use crate::word::Word;

/// Keeps sessions in Redis or Valkey: one server, the primary that sentinels name, or a cluster.
///
/// All verbs share one connection a server, which is dialled anew when it fails; writes that wait for replicas have
/// their own. Each verb is one round trip and ends
/// within its deadline, all tries together. A clone is the same store.
///
/// Each record is one string under `{prefix}:{public handle}`: the version in 8 bytes, big-endian, then the
/// payload. It always has a time to live, of at most ten years. The sessions of a principal are listed in a sorted set
/// of their own, under `{prefix}:of:{tag}`.
///
/// # Lost replies
///
/// A verb whose connection broke is asked once more, except a `create`: somebody may have ended the session since, and
/// it would come back, so that it is only looked for. A verb finds its own write by the version, and answers as
/// if nothing had happened; a `delete` whose reply was lost answers `Deleted`. Where somebody else's record
/// is found instead, `create` and `replace` answer
/// [`Ambiguous`](cloakroom_core::StoreErrorKind::Ambiguous): theirs may have been there for a moment.
///
/// With `wait`, a write that too few replicas acknowledged answers `Ambiguous` too. It is in place at the primary;
/// the same call again finds it there, and waits again.
///
/// # Cancel safety
///
/// A verb that is dropped leaves the old or the new record. Its reply, when it comes, goes to nobody.
///
/// ```no_run
/// use cloakroom_redis::RedisStore;
///
/// # async fn connect() -> Result<(), cloakroom_core::Error> {
/// let store = RedisStore::connect("redis://:password@127.0.0.1:6379/0?prefix=shop").await?;
/// # Ok::<(), cloakroom_core::Error>(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    fleet: Fleet,
    prefix: Prefix,
    timeout: Duration,
    quorum: Option<Quorum>,
}

impl RedisStore {
    /// Connects to what `url` names, and waits until it answers: the server, the primary, or all primaries.
    ///
    /// The forms of `url` are
    ///
    /// - `redis://[[user]:password@]host[:port][/database]`, `rediss://…` over TLS,
    /// - `redis+unix:///path/to/socket`,
    /// - `redis+sentinel://[[user]:password@]host[:port],…/service[/database]`, `rediss+sentinel://…` over TLS: the
    ///   sentinels of a service; user and password are those of its servers,
    /// - `redis+cluster://[[user]:password@]host[:port],…`, `rediss+cluster://…` over TLS: some nodes of a cluster.
    ///
    /// User and password are percent-encoded. Parameters after `?`:
    ///
    /// | name | meaning | default |
    /// |---|---|---|
    /// | `prefix` | what the keys begin with: 1 to 40 of `A-Z a-z 0-9 _ . -` | `cloakroom` |
    /// | `timeout` | the deadline of a verb, `10ms` to `60s` | `2s` |
    /// | `connect_timeout` | the deadline of a connection, `10ms` to `60s` | `1s` |
    /// | `wait` | how many replicas must have a write other than a `touch`, 0 to 255 | `0` |
    /// | `wait_timeout` | how long they are waited for, `10ms` to `60s`, less than `timeout` | `500ms` |
    /// | `sentinel_user`, `sentinel_pass` | `redis+sentinel` only: how the sentinels are greeted | |
    /// | `ca` | `rediss` only: the file of the authorities to trust instead of the system's | |
    /// | `db`, `user`, `pass` | `redis+unix` only | `0` |
    ///
    /// Warning events tell when a server would evict sessions, or has fewer replicas than `wait` asks for.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a URL, a password or a certificate that is wrong, in a sentence that says what to
    /// do and shows no password. `Unavailable` or `Timeout` when a server is not there; to start before
    /// the server does, see [`connect_lazy`](Self::connect_lazy).
    ///
    /// # Cancel safety
    ///
    /// Of a call that is dropped, a connection under way remains, until it is made or its deadline passes.
    ///
    /// ```no_run
    /// use cloakroom_redis::RedisStore;
    ///
    /// # async fn connect() -> Result<(), cloakroom_core::Error> {
    /// let store = RedisStore::connect("rediss://shop:s3cret@redis.internal/2?timeout=500ms").await?;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect().await
    }

    /// Takes `url` as [`connect`](Self::connect) does, without a word to the server: the first verb dials.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a URL that is wrong. A wrong password shows when the first verb fails.
    ///
    /// ```
    /// use cloakroom_redis::RedisStore;
    ///
    /// let store = RedisStore::connect_lazy("redis://127.0.0.1")?;
    /// assert!(RedisStore::connect_lazy("redis://127.0.0.1?tiemout=1s").is_err());
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn connect_lazy(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect_lazy()
    }

    /// A store that is still being set up; what is set here wins over what the URL says.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_redis::RedisStore;
    ///
    /// let store = RedisStore::builder("redis://127.0.0.1")
    ///     .with_prefix("shop")
    ///     .with_timeout(Duration::from_millis(500))
    ///     .connect_lazy()?;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn builder(url: &str) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url)
    }

    /// What the keys of this store begin with.
    ///
    /// ```
    /// use cloakroom_redis::RedisStore;
    ///
    /// let store = RedisStore::connect_lazy("redis://127.0.0.1?prefix=shop")?;
    /// assert_eq!(store.prefix(), "shop");
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.prefix.as_str()
    }

    pub(crate) const fn new(fleet: Fleet, prefix: Prefix, timeout: Duration, quorum: Option<Quorum>) -> Self {
        Self { fleet, prefix, timeout, quorum }
    }

    pub(crate) const fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    pub(crate) const fn quorum(&self) -> Option<Quorum> {
        self.quorum
    }

    pub(crate) fn index_name(&self, tag: &PrincipalTag) -> String {
        self.prefix.index(tag)
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Calls a script on this key, behind which replicas may be waited for.
    pub(crate) async fn call(
        &self,
        script: &Atomic,
        name: &str,
        arguments: &[Word<'_>],
        quorum: Option<Quorum>,
        errand: &mut Errand,
    ) -> Result<(Verdict, Option<Value>), StoreError> {
        let request = |call: [Word<'_>; 2]| {
            let words = call.into_iter().chain(["1".into(), name.into()]).chain(arguments.iter().copied());
            Request::new(Packed::one(is_verdict, words), quorum)
        };
        let mut replies = self.fleet.ask(name, &request(script.by_digest()), errand).await?;
        if replies.values.iter().any(is_unknown_script) {
            replies = self.fleet.ask(name, &request(script.by_text()), errand).await?;
        }
        let Replies { values, waited } = replies;
        match errand.replies(values)? {
            [Value::BulkString(word)] => match Verdict::read(&word) {
                Some(verdict) => Ok((verdict, waited)),
                None => Err(errand.nonsense()),
            },
            _ => Err(errand.nonsense()),
        }
    }

    /// Makes sure that a write that was found in place is where it has to be. The wait behind a mere look
    /// proves nothing: it takes a write of this connection, which lies behind all earlier ones.
    pub(crate) async fn settle(
        &self,
        name: &str,
        ttl: Duration,
        errand: &mut Errand,
    ) -> Result<(), StoreError> {
        let Some(quorum) = self.quorum else { return Ok(()) };
        let arguments = [stored::millis(ttl).into()];
        let (_, waited) = self.call(&STAMP, name, &arguments, Some(quorum), errand).await?;
        quorum.judge(waited)
    }

    /// Whether the write that was just made is where it has to be.
    pub(crate) fn judge(&self, waited: Option<Value>) -> Result<(), StoreError> {
        match self.quorum {
            Some(quorum) => quorum.judge(waited),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn load(&self, key: &StoreKey, _freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let name = self.prefix.name(key);
        let questions = Packed::one(form::bytes_or_nil, ["GET", &name].map(Into::into))
            .and(form::time_left, ["PTTL", &name].map(Into::into));
        let request = Request::new(questions, None);
        let mut errand = Errand::read(self.timeout)?;
        let replies = self.fleet.ask(&name, &request, &mut errand).await?;
        let [value, left] = errand.replies(replies.values)?;
        let value = match value {
            Value::Nil => return Ok(None),
            Value::BulkString(value) => value,
            _ => return Err(errand.nonsense()),
        };
        match left {
            // Gone between the two commands.
            Value::Int(-2) => Ok(None),
            Value::Int(left) => match stored::record(value, left) {
                Some(record) => Ok(Some(record)),
                None => Err(error::corrupt("the value under the key has no version")),
            },
            _ => Err(errand.nonsense()),
        }
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        if !stored::fits(record) {
            return Err(error::too_large());
        }
        let name = self.prefix.name(key);
        let mut errand = Errand::creation(self.timeout)?;
        let (head, payload) = stored::value(record);
        let value = Word::Joined(&head, payload);
        let set: [Word<'_>; 3] = ["SET".into(), name.as_str().into(), value];
        let condition = ["NX".into(), "PX".into(), stored::millis(record.ttl).into()];
        let set = Packed::one(form::ok_or_nil, set.into_iter().chain(condition));
        let request = Request::new(set, self.quorum);
        match self.fleet.ask(&name, &request, &mut errand).await {
            Ok(Replies { values, waited }) => match errand.replies(values)? {
                [Value::Okay] => return self.judge(waited).map(|()| Created::Created),
                [Value::Nil] => {}
                _ => return Err(errand.nonsense()),
            },
            // Not sent again: whoever ended the session in between would see it come back.
            Err(_) if errand.doubt() == Doubt::EarlierTry => {}
            Err(error) => return Err(error),
        }
        errand.only_looks();
        let look = Packed::one(form::bytes, ["GETRANGE", &name, "0", stored::VERSION_END].map(Into::into));
        let replies = self.fleet.ask(&name, &Request::new(look, None), &mut errand).await?;
        match (errand.replies(replies.values)?, errand.doubt()) {
            ([Value::BulkString(found)], _) if found == record.version.to_be_bytes() => {
                errand.found_own();
                self.settle(&name, record.ttl, &mut errand).await.map(|()| Created::Created)
            }
            ([Value::BulkString(_)], Doubt::None) => Ok(Created::Occupied),
            ([Value::BulkString(_)], Doubt::EarlierTry) => Err(error::ambiguous()),
            _ => Err(errand.nonsense()),
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        if !stored::fits(record) {
            return Err(error::too_large());
        }
        let name = self.prefix.name(key);
        let (expected, (head, payload)) = (expected.to_be_bytes(), stored::value(record));
        let value = Word::Joined(&head, payload);
        let arguments = [(&expected).into(), value, stored::millis(record.ttl).into()];
        let mut errand = Errand::write(self.timeout)?;
        let (verdict, waited) = self.call(&REPLACE, &name, &arguments, self.quorum, &mut errand).await?;
        match (verdict, errand.doubt()) {
            (Verdict::Done, _) => self.judge(waited).map(|()| Replaced::Replaced),
            (Verdict::Own, _) => {
                errand.found_own();
                self.settle(&name, record.ttl, &mut errand).await.map(|()| Replaced::Replaced)
            }
            (Verdict::Missing, _) => Ok(Replaced::Missing),
            (Verdict::Conflict, Doubt::None) => Ok(Replaced::Conflict),
            (Verdict::Conflict, Doubt::EarlierTry) => Err(error::ambiguous()),
        }
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        let name = self.prefix.name(key);
        let expected = expected.to_be_bytes();
        let arguments = [(&expected).into(), stored::millis(ttl).into()];
        let mut errand = Errand::write(self.timeout)?;
        match self.call(&TOUCH, &name, &arguments, None, &mut errand).await?.0 {
            Verdict::Done | Verdict::Own => Ok(Touched::Touched),
            Verdict::Missing => Ok(Touched::Missing),
            Verdict::Conflict => Ok(Touched::Conflict),
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        let name = self.prefix.name(key);
        let mut errand = Errand::write(self.timeout)?;
        let delete = Packed::one(form::one_or_none, ["DEL", &name].map(Into::into));
        let request = Request::new(delete, self.quorum);
        let Replies { values, waited } = self.fleet.ask(&name, &request, &mut errand).await?;
        match (errand.replies(values)?, errand.doubt()) {
            ([Value::Int(0)], doubt) => {
                // It may be gone here and still be there where another primary comes from.
                errand.found_own();
                self.settle(&name, Duration::MAX, &mut errand).await?;
                Ok(if doubt == Doubt::None { Deleted::Missing } else { Deleted::Deleted })
            }
            ([Value::Int(_)], _) => self.judge(waited).map(|()| Deleted::Deleted),
            _ => Err(errand.nonsense()),
        }
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix())
            .field("timeout", &self.timeout)
            .field("wait", &self.quorum)
            .field("servers", &self.fleet)
            .finish()
    }
}

/// What a script found.
pub(crate) enum Verdict {
    Done,
    /// Done already, by an earlier try.
    Own,
    Conflict,
    Missing,
}

impl Verdict {
    fn read(word: &[u8]) -> Option<Self> {
        match word {
            b"done" => Some(Self::Done),
            b"own" => Some(Self::Own),
            b"conflict" => Some(Self::Conflict),
            b"missing" => Some(Self::Missing),
            _ => None,
        }
    }
}

fn is_verdict(reply: &Value) -> bool {
    matches!(reply, Value::BulkString(word) if Verdict::read(word).is_some())
}

fn is_unknown_script(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}
