use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{advance, pause, sleep_until, timeout};

use super::*;

/// Polls once.
async fn begin<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| {
        Poll::Ready(match Pin::new(&mut *future).poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

const TIME: Duration = Duration::from_secs(2);

#[tokio::test]
async fn verb_that_nobody_goes_on_with_is_taken_away_after_its_deadline() {
    pause();
    let others = UnderWay::default();
    let (held, mut hold) = oneshot::channel::<()>();
    let work = Box::pin(async move {
        let _held = held;
        pending::<()>().await;
    });
    let mut parked = Detaching::new(work, Instant::now() + TIME, &others, Handle::current());
    assert_eq!(begin(&mut parked).await, None);
    // What it holds is waited for: not before its deadline, and no longer than it takes after that.
    let start = Instant::now();
    let given_up = others.meanwhile(timeout(TIME * 2, &mut hold)).await;
    assert!(matches!(given_up, Ok(Err(_))), "it is held still");
    assert!((TIME..TIME + AGAIN + GRACE).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(begin(&mut parked).await, Some(End::TakenAway));
    assert!(others.places().taken.is_empty());
}

#[tokio::test]
async fn who_waits_for_a_verb_that_is_taken_away_is_woken() {
    pause();
    let others = UnderWay::default();
    let verb = Detaching::new(Box::pin(pending::<()>()), Instant::now() + TIME, &others, Handle::current());
    let start = Instant::now();
    // Nothing but the taking away wakes it, or else the end of the wait.
    let (ended, ()) = tokio::join!(timeout(TIME * 4, verb), async {
        advance(TIME + GRACE).await;
        others.take_away();
    });
    assert_eq!(ended, Ok(End::TakenAway));
    assert!(start.elapsed() < TIME * 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn verb_that_is_gone_on_with_is_left_alone() {
    pause();
    let others = UnderWay::default();
    let deadline = Instant::now() + TIME;
    // It wants something itself, when it is late.
    let work = Box::pin(async move {
        let inner = UnderWay::default();
        inner.meanwhile(sleep_until(deadline + TIME)).await;
        7
    });
    let mut verb = Detaching::new(work, deadline, &others, Handle::current());
    assert_eq!(begin(&mut verb).await, None);
    advance(TIME + GRACE).await;
    let guard = verb.verb.as_ref().expect("it").work.lock();
    others.take_away();
    assert_eq!(others.places().taken.len(), 1, "somebody goes on with it");
    drop(guard);
    assert_eq!(verb.await, End::Answered(7));
    assert!(others.places().taken.is_empty());
}

#[tokio::test]
async fn verb_that_is_dropped_goes_on_if_it_was_begun() {
    let others = UnderWay::default();
    let done = Arc::new(AtomicU32::new(0));
    for is_begun in [false, true] {
        let (go, wait) = oneshot::channel::<()>();
        let count = Arc::clone(&done);
        let work = Box::pin(async move {
            let _ = wait.await;
            count.fetch_add(1, Ordering::Relaxed);
        });
        let mut verb = Detaching::new(work, Instant::now() + TIME, &others, Handle::current());
        if is_begun {
            assert_eq!(begin(&mut verb).await, None);
        }
        drop(verb);
        assert_eq!(others.places().taken.len(), usize::from(is_begun));
        let _ = go.send(());
    }
    let end = async {
        while done.load(Ordering::Relaxed) == 0 || !others.places().taken.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIME * 10, end).await.expect("an end");
    assert_eq!(done.load(Ordering::Relaxed), 1);
}

/// As in a worker where a handler computes for long.
#[tokio::test]
async fn verb_that_is_dropped_where_nobody_goes_on_with_it_is_taken_away_as_well() {
    pause();
    let (others, elsewhere) =
        (UnderWay::default(), Builder::new_current_thread().build().expect("a runtime"));
    let (held, mut hold) = oneshot::channel::<()>();
    let work = Box::pin(async move {
        let _held = held;
        pending::<()>().await;
    });
    let mut verb = Detaching::new(work, Instant::now() + TIME, &others, elsewhere.handle().clone());
    assert_eq!(begin(&mut verb).await, None);
    drop(verb);
    let start = Instant::now();
    let given_up = others.meanwhile(timeout(TIME * 2, &mut hold)).await;
    assert!(matches!(given_up, Ok(Err(_))), "it is held still");
    assert!((TIME..TIME + AGAIN + GRACE).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert!(others.places().taken.is_empty());
    elsewhere.shutdown_background();
}

/// What a verb over the pool of an application holds spawns a task when it is dropped.
#[test]
fn verb_that_outlives_its_runtime_ends_inside_of_it() {
    struct Held(Arc<AtomicU32>);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.fetch_add(if Handle::try_current().is_ok() { 1 } else { 100 }, Ordering::Relaxed);
        }
    }
    let (others, ended) = (UnderWay::default(), Arc::new(AtomicU32::new(0)));
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let held = Held(Arc::clone(&ended));
    let work = Box::pin(async move {
        let _held = held;
        pending::<()>().await;
    });
    let mut verb = Detaching::new(work, std::time::Instant::now().into(), &others, runtime.handle().clone());
    assert_eq!(runtime.block_on(begin(&mut verb)), None);
    drop(runtime);
    drop(verb);
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    assert!(others.places().taken.is_empty());
}

#[tokio::test]
async fn panic_of_the_work_is_its_end() {
    let others = UnderWay::default();
    let work = Box::pin(async {
        tokio::task::yield_now().await;
        assert!(std::hint::black_box(false), "on purpose");
    });
    let verb = Detaching::new(work, Instant::now() + TIME, &others, Handle::current());
    assert_eq!(verb.await, End::Panicked);
    assert!(others.places().taken.is_empty());
}
