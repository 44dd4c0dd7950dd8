//! New sessions whose reply was lost.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::testing::{FailingStore, Failure, ModelStore, Verb};
use cloakroom_core::{
    Clock, Created, Deleted, ErrorKind, Freshness, KeyRing, PrincipalIndex, Record, Replaced, Store,
    StoreError, StoreErrorKind, StoreKey, Touched, Version,
};

use crate::fleet::Fleet;
use crate::world::{Browser, World};

const LOST: Failure = Failure::After(StoreErrorKind::Ambiguous);

/// A store may keep a record that it does not vouch for yet, such as for want of replicas. That it can be read says nothing.
#[tokio::test]
async fn create_counts_when_the_store_vouches_for_it() {
    let world = World::new();
    let mut browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    world.store.fail_next(Verb::Create, LOST);
    world.store.fail_next(Verb::Replace, LOST);
    assert!(session.save().await.unwrap_err().is_transient(), "nobody vouched for it");
    drop(session);
    assert_eq!(browser.take(&visit.commit().await).status, None);
    assert_eq!(world.value(&mut browser, "a").await, Some(1));
}

/// Neither does it that a later commit reads what an earlier one left in doubt.
#[tokio::test]
async fn write_in_doubt_counts_when_the_store_vouches_for_it() {
    for lost_again in [false, true] {
        let world = World::new();
        let mut browser = world.logged_in("ada").await;
        let visit = world.visit(&browser);
        let session = visit.session().await.unwrap();
        session.set("a", &1).unwrap();
        for _ in 0..3 {
            world.store.fail_next(Verb::Replace, LOST);
        }
        assert!(session.save().await.is_err());
        drop(session);
        world.store.reset_calls();
        // The first is answered with a conflict, since the doubtful write is in place.
        world.store.fail_next(Verb::Replace, Failure::After(StoreErrorKind::Ambiguous));
        if lost_again {
            for _ in 0..5 {
                world.store.fail_next(Verb::Replace, LOST);
            }
        }
        let response = browser.take(&visit.commit().await);
        assert_eq!(response.status, lost_again.then_some(503));
        assert!(world.store.calls().replaces >= 3, "one that meets it, and one that confirms it");
        world.store.heal();
        assert_eq!(world.value(&mut browser, "a").await, Some(1));
    }
}

#[tokio::test]
async fn creates_that_are_all_lost_are_no_mystery() {
    let world = World::new();
    let visit = world.visit(&Browser::default());
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    for _ in 0..3 {
        world.store.fail_next(Verb::Create, Failure::Before(StoreErrorKind::Ambiguous));
    }
    world.store.reset_calls();
    let error = session.save().await.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::OutcomeUnknown, true), "{error:?}");
    assert_eq!((world.store.calls().creates, world.store.calls().replaces), (3, 3), "each was looked for");
    drop(session);
    assert_eq!(visit.commit().await.refusal().map(|refusal| refusal.status()), None, "the store is back");
}

/// What became of one handle says nothing of the entry of the next.
#[tokio::test]
async fn entry_of_a_session_that_never_was_is_withdrawn() {
    let fleet = Fleet::new(true);
    let world = fleet.world(&[1], |b| b);
    let visit = world.visit(&Browser::default());
    let session = visit.session().await.unwrap();
    session.authenticate("ada").unwrap();
    world.store.fail_next(Verb::Create, Failure::Before(StoreErrorKind::Ambiguous));
    world.store.fail_next(Verb::Create, Failure::Before(StoreErrorKind::Unavailable));
    assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(fleet.entries(), (2, 0), "two handles, and neither is listed");
}

/// A store whose first create takes long, and fails without effect.
#[derive(Debug)]
struct GivesWay {
    inner: Arc<ModelStore>,
    clock: Clock,
    first: std::sync::Mutex<Option<(Duration, StoreErrorKind)>>,
}

#[async_trait]
impl Store for GivesWay {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        self.inner.load(key, freshness).await
    }
    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        let first = self.first.lock().unwrap().take();
        let Some((takes, kind)) = first else { return self.inner.create(key, record).await };
        self.clock.advance(takes);
        Err(StoreError::new(kind, "gives way"))
    }
    async fn replace(&self, key: &StoreKey, e: Version, record: &Record) -> Result<Replaced, StoreError> {
        self.inner.replace(key, e, record).await
    }
    async fn touch(&self, key: &StoreKey, e: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.inner.touch(key, e, ttl).await
    }
    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.inner.delete(key).await
    }
    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

/// A server that gives way to another late in a commit costs no login, while a silent one keeps nobody for longer.
#[tokio::test]
async fn create_that_broke_off_late_is_looked_for() {
    for (takes, kind, status) in [
        (1500, StoreErrorKind::Ambiguous, None),
        (1999, StoreErrorKind::Ambiguous, None),
        (2000, StoreErrorKind::Ambiguous, Some(503)),
        (1000, StoreErrorKind::Timeout, None),
        (1500, StoreErrorKind::Timeout, Some(503)),
    ] {
        let clock = Clock::manual();
        let model = Arc::new(ModelStore::new(clock.clone()));
        let first = std::sync::Mutex::new(Some((Duration::from_millis(takes), kind)));
        let store = GivesWay { inner: Arc::clone(&model), clock: clock.clone(), first };
        let world =
            World::over(clock, model, FailingStore::new(store), KeyRing::generate(), |builder| builder);
        let mut browser = Browser::default();
        let (_, response) = world.request(&mut browser, |s| s.set("a", &1)).await;
        assert_eq!(response.status, status, "{kind:?} after {takes} ms");
        let stored = world.value(&mut browser, "a").await;
        assert_eq!(stored, status.is_none().then_some(1), "{kind:?} after {takes} ms");
    }
}
