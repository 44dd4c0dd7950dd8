//! Commits that are dropped half-way, at every point where they wait.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::testing::{FailingStore, ModelStore};
use cloakroom_core::{
    Clock, Created, Deleted, Freshness, KeyRing, PrincipalIndex, Record, Replaced, Session, Store,
    StoreError, StoreKey, Touched, Version,
};

use crate::world::{Browser, World};

/// A store that waits once before and once after each verb.
#[derive(Debug)]
pub(crate) struct Waiting(pub(crate) Arc<ModelStore>);

async fn wait() {
    tokio::task::yield_now().await;
}

#[async_trait]
impl Store for Waiting {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        wait().await;
        let answer = self.0.load(key, freshness).await;
        wait().await;
        answer
    }
    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        wait().await;
        let answer = self.0.create(key, record).await;
        wait().await;
        answer
    }
    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        wait().await;
        let answer = self.0.replace(key, expected, record).await;
        wait().await;
        answer
    }
    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        wait().await;
        let answer = self.0.touch(key, expected, ttl).await;
        wait().await;
        answer
    }
    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        wait().await;
        let answer = self.0.delete(key).await;
        wait().await;
        answer
    }
    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

/// A store whose next keys are all taken.
#[derive(Clone, Debug)]
pub(crate) struct Crowded {
    inner: Arc<ModelStore>,
    occupied: Arc<AtomicU32>,
    tried: Arc<Mutex<HashSet<StoreKey>>>,
}

impl Crowded {
    pub(crate) fn new(inner: Arc<ModelStore>, occupied: u32) -> Self {
        Self { inner, occupied: Arc::new(AtomicU32::new(occupied)), tried: Arc::default() }
    }

    pub(crate) fn crowd(&self, occupied: u32) {
        self.occupied.store(occupied, Ordering::SeqCst);
    }

    pub(crate) fn keys_tried(&self) -> usize {
        self.tried.lock().unwrap().len()
    }
}

#[async_trait]
impl Store for Crowded {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        self.inner.load(key, freshness).await
    }
    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.tried.lock().unwrap().insert(*key);
        let left = self.occupied.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if left.is_ok() { Ok(Created::Occupied) } else { self.inner.create(key, record).await }
    }
    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        self.inner.replace(key, expected, record).await
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

pub(crate) fn waiting_world() -> World {
    let clock = Clock::manual();
    let model = Arc::new(ModelStore::new(clock.clone()));
    let store = FailingStore::new(Waiting(Arc::clone(&model)));
    World::over(clock, model, store, KeyRing::generate(), |builder| builder)
}

/// Polls a future so often, then drops it; says whether it came to its end before.
pub(crate) async fn cut_short<F: Future>(polls: usize, future: F) -> bool {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

#[tokio::test]
async fn dropped_save_leaves_old_or_new_and_is_stored_once() {
    for rival in [Rival::None, Rival::First] {
        let mut finished_at = None;
        let mut untold = 0;
        for polls in 0..20 {
            let world = waiting_world();
            let mut browser = world.logged_in("ada").await;
            let visit = world.visit(&browser);
            let session = visit.session().await.unwrap();
            if rival == Rival::First {
                // The save meets a conflict and goes round again.
                world.request(&mut browser.clone(), |s| s.set("other", &1)).await;
            }
            session.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).unwrap();
            session.set("a", &1).unwrap();
            let finished = cut_short(polls, session.save()).await;
            let look = |s: &Session| Ok((s.get::<i64>("n")?, s.get::<i64>("a")?));
            let half = world.request(&mut browser.clone(), look).await.0;
            assert!(matches!(half, (None, None) | (Some(1), Some(1))), "after {polls} polls: {half:?}");
            // What comes after the drop is stored once, together with what was cut short.
            session.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).unwrap();
            drop(session);
            let response = browser.take(&visit.commit().await);
            let n = world.value(&mut browser, "n").await;
            match response.status {
                None => assert_eq!(n, Some(2), "after {polls} polls"),
                // Between the drop and the next try the rival's write hides whether ours came first.
                Some(503) if rival == Rival::First => {
                    untold += 1;
                    assert_eq!(n, half.0, "after {polls} polls: told, and nothing more was stored");
                }
                other => panic!("after {polls} polls: {other:?}"),
            }
            if finished && finished_at.is_none() {
                finished_at = Some(polls);
            }
        }
        let least = if rival == Rival::First { 6 } else { 2 };
        assert!(finished_at.is_some_and(|polls| polls > least), "every wait was cut: {finished_at:?}");
        assert!(untold < 4, "only the polls of the first try");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rival {
    None,
    First,
}

#[tokio::test]
async fn dropped_commit_leaves_old_or_new() {
    type Handler = fn(&Session);
    let handlers: [(&str, Handler); 4] = [
        ("write", |s| s.set("a", &1).unwrap()),
        ("rotate", |s| s.rotate().unwrap()),
        ("login", |s| s.authenticate("eve").unwrap()),
        ("logout", Session::logout),
    ];
    for (name, handler) in handlers {
        for polls in 0..8 {
            let world = waiting_world();
            let browser = world.logged_in("ada").await;
            let visit = world.visit(&browser);
            handler(&visit.session().await.unwrap());
            cut_short(polls, visit.commit()).await;
            let records = world.model.dump();
            assert!(records.len() <= 1, "{name} after {polls} polls");
            for (_, record) in &records {
                assert!(!record.ttl.is_zero());
            }
            let seen = world.principal(&mut browser.clone()).await;
            let expected: &[Option<&str>] = match name {
                "write" => &[Some("ada")],
                // Rotated away, or not yet.
                _ => &[Some("ada"), None],
            };
            assert!(expected.contains(&seen.as_deref()), "{name} after {polls} polls: {seen:?}");
        }
    }
}

#[tokio::test]
async fn client_learns_the_secret_of_a_rotation_that_was_cut_short() {
    type Handler = fn(&Session);
    let handlers: [Handler; 2] = [|s| s.rotate().unwrap(), |s| s.authenticate("ada").unwrap()];
    for handler in handlers {
        for polls in 0..8 {
            let world = waiting_world();
            let mut browser = world.logged_in("ada").await;
            let old = browser.clone();
            let visit = world.visit(&browser);
            let session = visit.session().await.unwrap();
            handler(&session);
            cut_short(polls, session.save()).await;
            session.set("a", &1).unwrap();
            drop(session);
            let response = browser.take(&visit.commit().await);
            assert_eq!(response.status, None, "after {polls} polls");
            assert_eq!(world.principal(&mut browser).await.as_deref(), Some("ada"), "after {polls} polls");
            assert_eq!(world.value(&mut browser, "a").await, Some(1), "after {polls} polls");
            assert_eq!(world.principal(&mut old.clone()).await, None, "after {polls} polls");
        }
    }
}

#[tokio::test]
async fn dropped_load_is_begun_again() {
    let world = waiting_world();
    let browser = world.logged_in("ada").await;
    for polls in 0..4 {
        let visit = world.visit(&browser);
        cut_short(polls, visit.session()).await;
        assert_eq!(visit.session().await.unwrap().principal().as_deref(), Some("ada"));
    }
    let visit = world.visit(&browser);
    cut_short(1, visit.session()).await;
    let response = browser.clone().take(&visit.commit().await);
    assert_eq!(
        (response.status, response.header("cache-control")),
        (None, Some("no-store")),
        "it was asked for"
    );
}

#[tokio::test]
async fn save_of_one_handle_waits_for_that_of_another() {
    let world = waiting_world();
    let mut browser = Browser::default();
    let visit = world.visit(&browser);
    let session = visit.session().await.unwrap();
    session.set("a", &1).unwrap();
    let other = session.clone();
    let (one, two, ()) = futures_util::join!(session.save(), other.save(), async {
        wait().await;
        other.set("b", &2).unwrap();
        other.update("n", |n: Option<i64>| n.unwrap_or(0) + 1).unwrap();
    });
    one.unwrap();
    two.unwrap();
    browser.take(&visit.commit().await);
    assert_eq!(world.model.dump().len(), 1, "one session, not two");
    assert_eq!(world.request(&mut browser, |s| Ok(s.keys())).await.0, ["a", "b", "n"]);
    assert_eq!(world.value(&mut browser, "n").await, Some(1));
}
