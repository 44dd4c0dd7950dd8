//! The index of sessions by principal: one sorted set each.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{
    Admitted, Entries, IndexVersion, PrincipalIndex, PrincipalTag, StoreError, StoreKey, Version,
};
use redis::Value;

use crate::errand::Errand;
use crate::error;
use crate::form;
use crate::list;
use crate::request::{Packed, Request};
use crate::script::{ENTER, REMOVE};
use crate::store::{RedisStore, Verdict};
use crate::stored;
use crate::word::Word;

/// How many keys one script removes, so that it never keeps others waiting for long.
const AT_ONCE: usize = 500;

/// Each verb is one request, on one key of its own; a [`remove`](PrincipalIndex::remove) is one for each 500 keys.
///
/// # Lost replies
///
/// A verb whose connection broke is asked once more, and does again what it may have done. An
/// [`admit`](PrincipalIndex::admit) knows its own version. Where somebody else was admitted since, it
/// answers `Conflict`, though its first try may have taken effect: the caller reads the list again, and finds its key there.
///
/// With `wait`, `enter`, `admit` and `remove` wait as writes do.
#[async_trait]
impl PrincipalIndex for RedisStore {
    async fn enter(&self, tag: &PrincipalTag, key: &StoreKey, ttl: Duration) -> Result<(), StoreError> {
        self.enter_if(tag, None, key, ttl, &[]).await.map(drop)
    }

    async fn entries(&self, tag: &PrincipalTag) -> Result<Entries, StoreError> {
        let name = self.index_name(tag);
        // The time comes first: nothing is listed that is older than it says.
        let questions = Packed::one(form::time, ["TIME".into()])
            .and(form::scores, ["ZRANGE", &name, "0", "-1", "WITHSCORES"].map(Into::into));
        let request = Request::new(questions, None);
        let mut errand = Errand::read(self.timeout())?;
        let replies = self.fleet().ask(&name, &request, &mut errand).await?;
        let [Value::Array(time), Value::Array(members)] = errand.replies(replies.values)? else {
            return Err(errand.nonsense());
        };
        let now = list::time(&time).ok_or_else(|| errand.nonsense())?;
        list::read(now, members).ok_or_else(|| error::corrupt("what lies under the name of an index is none"))
    }

    async fn admit(
        &self,
        tag: &PrincipalTag,
        expected: IndexVersion,
        key: &StoreKey,
        ttl: Duration,
        evict: &[StoreKey],
    ) -> Result<Admitted, StoreError> {
        self.enter_if(tag, Some(expected), key, ttl, evict).await
    }

    async fn remove(&self, tag: &PrincipalTag, keys: &[StoreKey], age: Duration) -> Result<(), StoreError> {
        let name = self.index_name(tag);
        let mut errand = Errand::write(self.timeout())?;
        for keys in keys.chunks(AT_ONCE) {
            let mut arguments: Vec<Word<'_>> = vec![list::micros(age).into()];
            arguments.extend(keys.iter().map(|key| Word::from(key.as_bytes())));
            let (verdict, waited) = self.call(&REMOVE, &name, &arguments, self.quorum(), &mut errand).await?;
            match verdict {
                Verdict::Done => self.judge(waited)?,
                // They may be gone here and still be there where another primary comes from.
                Verdict::Missing => self.settle(&name, Duration::MAX, &mut errand).await?,
                Verdict::Own | Verdict::Conflict => return Err(errand.nonsense()),
            }
        }
        Ok(())
    }
}

impl RedisStore {
    /// Enters a key, if the list has the version that is expected, or if none is.
    async fn enter_if(
        &self,
        tag: &PrincipalTag,
        expected: Option<IndexVersion>,
        key: &StoreKey,
        ttl: Duration,
        evict: &[StoreKey],
    ) -> Result<Admitted, StoreError> {
        let name = self.index_name(tag);
        let version = version()?;
        let wanted = expected.map(|version| version.get().to_string()).unwrap_or_default();
        let mut arguments: Vec<Word<'_>> =
            vec![key.as_bytes().into(), stored::millis(ttl).into(), version.into(), wanted.as_str().into()];
        arguments.extend(evict.iter().map(|key| Word::from(key.as_bytes())));
        let mut errand = Errand::write(self.timeout())?;
        let (verdict, waited) = self.call(&ENTER, &name, &arguments, self.quorum(), &mut errand).await?;
        match verdict {
            Verdict::Done => self.judge(waited).map(|()| Admitted::Admitted),
            Verdict::Conflict if expected.is_some() => Ok(Admitted::Conflict),
            Verdict::Conflict | Verdict::Own | Verdict::Missing => Err(errand.nonsense()),
        }
    }
}

/// A version that no other list has: random, not zero, and small enough for a score.
fn version() -> Result<u64, StoreError> {
    let random = Version::random().map_err(|_| error::no_randomness())?;
    Ok((random.get() >> 12).max(1))
}
