//! A lost reply, and behind it the write of another.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::testing::{FailingStore, Failure, ModelStore, Verb};
use cloakroom_core::{
    Clock, Created, Deleted, ErrorKind, Freshness, KeyRing, PrincipalIndex, Record, Replaced, Store,
    StoreError, StoreErrorKind, StoreKey, Touched, Version,
};

use crate::cancellation::cut_short;
use crate::concurrency::parked;
use crate::world::World;

/// A store whose first replace loses its reply, and lets another writer in before the next try.
#[derive(Debug)]
struct Interrupted {
    inner: Arc<ModelStore>,
    rival: std::sync::Mutex<Option<Rival>>,
}

#[derive(Clone, Copy, Debug)]
enum Rival {
    /// Our write reached the store before the rival's.
    AfterOurs,
    /// Our write never reached the store.
    InsteadOfOurs,
}

#[async_trait]
impl Store for Interrupted {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        tokio::task::yield_now().await;
        self.inner.load(key, freshness).await
    }
    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.inner.create(key, record).await
    }
    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let rival = self.rival.lock().unwrap().take();
        let Some(rival) = rival else { return self.inner.replace(key, expected, record).await };
        if matches!(rival, Rival::AfterOurs) {
            let _ = self.inner.replace(key, expected, record).await?;
        }
        // The rival stores what it had loaded, under a version of its own.
        let mut theirs = self.inner.load(key, Freshness::Latest).await?.unwrap();
        theirs.version = Version::random().unwrap();
        self.inner.plant(*key, theirs);
        Err(StoreError::new(StoreErrorKind::Ambiguous, "interrupted"))
    }
    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.inner.touch(key, expected, ttl).await
    }
    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.inner.delete(key).await
    }
    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

fn interrupted_world() -> (World, Arc<Interrupted>) {
    let clock = Clock::manual();
    let model = Arc::new(ModelStore::new(clock.clone()));
    let store = Arc::new(Interrupted { inner: Arc::clone(&model), rival: std::sync::Mutex::new(None) });
    let failing = FailingStore::new(Arc::clone(&store));
    (World::over(clock, model, failing, KeyRing::generate(), |builder| builder), store)
}

/// Whoever goes on, after the call was dropped or the look at the other write failed, knows of both.
#[tokio::test]
async fn conflict_behind_a_lost_reply_is_not_forgotten() {
    for (rival, polls) in
        [Rival::AfterOurs, Rival::InsteadOfOurs].into_iter().flat_map(|r| (1..6).map(move |p| (r, p)))
    {
        let (world, store) = interrupted_world();
        let mut browser = world.logged_in("ada").await;
        let (visit, session) = parked(&world, &browser).await;
        session.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).unwrap();
        *store.rival.lock().unwrap() = Some(rival);
        let ended = cut_short(polls, session.save()).await;
        let refusal = visit.commit().await.refusal().map(|error| error.kind());
        let n = world.value(&mut browser, "n").await;
        let told = ended || refusal == Some(ErrorKind::OutcomeUnknown);
        assert!(n == Some(1) || n.is_none() && told, "{rival:?}, {polls}: {n:?}, {refusal:?}");
    }
}

#[tokio::test]
async fn what_can_be_repeated_stays_noted_behind_a_lost_reply() {
    let cases = [
        (Rival::AfterOurs, Verb::Load),
        (Rival::InsteadOfOurs, Verb::Load),
        (Rival::InsteadOfOurs, Verb::Replace),
    ];
    for (rival, verb) in cases {
        let (world, store) = interrupted_world();
        let mut browser = world.logged_in("ada").await;
        let (visit, session) = parked(&world, &browser).await;
        session.set("a", &1).unwrap();
        *store.rival.lock().unwrap() = Some(rival);
        let failure = Failure::Before(StoreErrorKind::Unavailable);
        if verb == Verb::Load {
            world.store.fail_next(verb, failure);
        }
        let mut save = Box::pin(session.save());
        if verb == Verb::Replace {
            assert!(futures_util::poll!(&mut save).is_pending(), "it looks at the other write");
            world.store.fail_always(failure);
        }
        assert_eq!(save.await.unwrap_err().kind(), ErrorKind::Unavailable, "{rival:?}, {verb:?}");
        world.store.heal();
        assert!(visit.commit().await.refusal().is_none());
        assert_eq!(world.value(&mut browser, "a").await, Some(1), "{rival:?}, {verb:?}");
    }
}

#[tokio::test]
async fn unknown_outcome_replays_what_can_be_repeated_and_says_so_of_the_rest() {
    for rival in [Rival::AfterOurs, Rival::InsteadOfOurs] {
        let (world, store) = interrupted_world();
        let mut browser = world.logged_in("ada").await;

        *store.rival.lock().unwrap() = Some(rival);
        let (_, response) =
            world.request(&mut browser, |s| s.set("a", &1).and_then(|()| s.remove("b"))).await;
        assert_eq!(response.status, None, "{rival:?}");
        assert_eq!(world.value(&mut browser, "a").await, Some(1));

        *store.rival.lock().unwrap() = Some(rival);
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).unwrap();
        let reply = visit.commit().await;
        assert_eq!(reply.refusal().unwrap().kind(), ErrorKind::OutcomeUnknown, "{rival:?}");
        assert_eq!(reply.refusal().unwrap().status(), 503);
        let n = world.value(&mut browser, "n").await;
        assert!(n.is_none_or(|n| n == 1), "never twice: {n:?}");
    }
}
