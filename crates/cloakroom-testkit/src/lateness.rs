//! How late the machine is: what a test with times of its own must not blame on the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep_until;

/// How often the task wants to run.
const TICK: Duration = Duration::from_millis(5);
/// By how much a timer is late on a machine that has nothing else to do.
const USUAL: Duration = Duration::from_millis(3);

/// A task that wants to run every few milliseconds, and notes when it could not.
///
/// It ends when it is dropped.
#[derive(Debug)]
pub struct Lateness {
    ticks: Arc<Mutex<Ticks>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Ticks {
    /// When it wanted to run, and when it did.
    late: Vec<(Instant, Instant)>,
    /// When it wants to run next.
    due: Instant,
}

impl Lateness {
    /// Begins to watch, in the runtime that calls.
    #[must_use]
    pub fn watch() -> Self {
        let ticks = Arc::new(Mutex::new(Ticks { late: Vec::new(), due: Instant::now() + TICK }));
        let shared = Arc::clone(&ticks);
        let task = tokio::spawn(async move {
            loop {
                let due = lock(&shared).due;
                sleep_until(due.into()).await;
                let mut ticks = lock(&shared);
                let now = Instant::now();
                if now > due + USUAL {
                    ticks.late.push((due + USUAL, now));
                }
                ticks.due = now + TICK;
            }
        });
        Self { ticks, task }
    }

    /// For how much of this time nothing ran that should have.
    #[must_use]
    pub fn between(&self, from: Instant, to: Instant) -> Duration {
        let ticks = lock(&self.ticks);
        let under_way = (ticks.due + USUAL, Instant::now());
        let both = |&(due, ran): &(Instant, Instant)| ran.min(to).saturating_duration_since(due.max(from));
        ticks.late.iter().chain([&under_way]).map(both).sum()
    }

    /// The same until now.
    #[must_use]
    pub fn since(&self, from: Instant) -> Duration {
        self.between(from, Instant::now())
    }

    /// The longest time for which nothing ran that should have.
    #[must_use]
    pub fn worst(&self) -> Duration {
        let ticks = lock(&self.ticks);
        ticks.late.iter().map(|(due, ran)| ran.saturating_duration_since(*due)).max().unwrap_or_default()
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(ticks: &Mutex<Ticks>) -> MutexGuard<'_, Ticks> {
    ticks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Lateness;

    /// Only what lies between the two moments counts.
    #[tokio::test]
    async fn time_in_which_nothing_runs_is_noted() {
        let lateness = Lateness::watch();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let before = Instant::now();
        // Nothing else can run on this thread.
        std::thread::sleep(Duration::from_millis(200));
        let after = Instant::now();
        let noted = lateness.between(before, after);
        assert!(noted > Duration::from_millis(150) && noted <= after - before, "{noted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(lateness.between(before, after) >= noted);
        assert!(lateness.worst() >= noted, "{:?}", lateness.worst());
        assert!(lateness.since(before) >= noted);
        let half = before + Duration::from_millis(100);
        assert!(lateness.between(before, half) <= Duration::from_millis(100));
        assert_eq!(lateness.between(after, after), Duration::ZERO);
    }
}
