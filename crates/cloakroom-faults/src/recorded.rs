//! A store whose every verb is written down.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{
    Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreErrorKind,
    StoreKey, Touched, Version,
};
use tokio::time::{Instant, sleep, timeout};

use crate::history::{Act, Answer, End, History, Written};

/// How long after its deadline a verb is waited for before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store whose every verb is written down. A clone writes into the same history.
#[derive(Clone)]
pub struct Recorded {
    store: Arc<dyn Store>,
    history: History,
    deadline: Duration,
}

impl Recorded {
    /// Writes the verbs of `store`, each of which has this deadline, into `history`.
    pub fn new(store: Arc<dyn Store>, history: &History, deadline: Duration) -> Self {
        Self { store, history: history.clone(), deadline }
    }

    /// The history.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// How long a verb may take.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    async fn run<T>(
        &self,
        key: &StoreKey,
        act: Act,
        call: impl Future<Output = Result<T, StoreError>> + Send,
        answer: impl FnOnce(&T) -> Answer + Send,
    ) -> Result<T, StoreError> {
        let number = self.history.begin(*key, act);
        tokio::pin!(call);
        let (result, overrun) = tokio::select! {
            biased;
            result = &mut call => (Some(result), Duration::ZERO),
            () = sleep(self.deadline) => {
                // From the ring of the timer on, so that the slowness of the machine stays out.
                let rung = Instant::now();
                (timeout(PATIENCE, call).await.ok(), rung.elapsed())
            }
        };
        let end = match &result {
            Some(Ok(value)) => End::Answered(answer(value)),
            Some(Err(error)) if error.is_ambiguous() => End::Unknown(error.kind()),
            Some(Err(error)) => End::Refused(error.kind()),
            None => End::Hung,
        };
        self.history.end(number, end, overrun);
        result.unwrap_or_else(|| Err(StoreError::new(StoreErrorKind::Timeout, "recorded")))
    }
}

fn written(record: &Record) -> Written {
    let mut hasher = DefaultHasher::new();
    hasher.write(&record.payload);
    Written { version: record.version, digest: hasher.finish(), ttl: record.ttl }
}

#[async_trait]
impl Store for Recorded {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let call = self.store.load(key, freshness);
        self.run(key, Act::Load, call, |found| match found {
            Some(record) => Answer::Found(written(record)),
            None => Answer::Absent,
        })
        .await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        let call = self.store.create(key, record);
        self.run(key, Act::Create(written(record)), call, |created| match created {
            Created::Created => Answer::Created,
            Created::Occupied => Answer::Occupied,
        })
        .await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let call = self.store.replace(key, expected, record);
        let act = Act::Replace { expected, record: written(record) };
        self.run(key, act, call, |replaced| match replaced {
            Replaced::Replaced => Answer::Replaced,
            Replaced::Conflict => Answer::Conflict,
            Replaced::Missing => Answer::Missing,
        })
        .await
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        let call = self.store.touch(key, expected, ttl);
        self.run(key, Act::Touch { expected, ttl }, call, |touched| match touched {
            Touched::Touched => Answer::Touched,
            Touched::Conflict => Answer::Conflict,
            Touched::Missing => Answer::Missing,
        })
        .await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        let call = self.store.delete(key);
        self.run(key, Act::Delete, call, |deleted| match deleted {
            Deleted::Deleted => Answer::Deleted,
            Deleted::Missing => Answer::Missing,
        })
        .await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        self.store.principals()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("store", &self.store).finish_non_exhaustive()
    }
}
