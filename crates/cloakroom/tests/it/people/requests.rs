//! What other people wait for, while something large goes on beside them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom::{Result, SessionManager};
use cloakroom_testkit::Lateness;
use tokio::task::JoinHandle;

use super::client::{Client, LogBook};

/// The longest that anybody may wait.
pub(super) const BOUND: Duration = Duration::from_millis(100);
/// How often a task wants a turn of the runtime.
const TICK: Duration = Duration::from_millis(2);
/// How long people rest between two requests.
const REST: Duration = Duration::from_millis(3);

/// People who go on with what they do, and a task that wants a turn all the time.
pub(super) struct Others {
    over: Arc<AtomicBool>,
    waits: Arc<Waits>,
    tasks: Vec<JoinHandle<()>>,
}

/// How long everything took that somebody waited for.
struct Waits {
    taken: Mutex<Vec<Wait>>,
    lateness: Lateness,
}

#[derive(Clone, Copy)]
struct Wait {
    what: &'static str,
    /// Without what the machine was late by meanwhile.
    blamed: Duration,
    by_the_clock: Duration,
}

/// The longest of them.
#[derive(Clone, Copy)]
pub(super) struct Figures {
    pub(super) requests: usize,
    pub(super) longest: (&'static str, Duration),
    pub(super) p99: Duration,
    /// For how long the runtime had no turn for anybody.
    pub(super) stall: Duration,
    /// With what the machine was late by.
    pub(super) by_the_clock: Duration,
    /// By how much the machine was late at worst.
    pub(super) machine: Duration,
}

impl Others {
    /// Of each kind three: who reads, and is kept alive by it; who writes; who logs in anew each time.
    pub(super) async fn begin(sessions: &SessionManager) -> Self {
        let waits = Arc::new(Waits { taken: Mutex::default(), lateness: Lateness::watch() });
        let mut others = Self { over: Arc::default(), waits, tasks: Vec::new() };
        for number in 0..3 {
            others.reads(sessions.clone(), logged_in(sessions, &format!("bob {number}")).await);
            others.writes(sessions.clone(), logged_in(sessions, &format!("eve {number}")).await);
            others.logs_in(sessions.clone(), format!("joe {number}"));
        }
        others.ticks();
        others
    }

    /// Forgets what was waited for so far, and says what it was.
    pub(super) fn figures(&self) -> Figures {
        self.waits.figures()
    }

    pub(super) async fn end(self) {
        self.over.store(true, Ordering::Release);
        for task in self.tasks {
            task.await.unwrap();
        }
    }

    fn reads(&mut self, sessions: SessionManager, mut client: Client) {
        let (over, waits) = (Arc::clone(&self.over), Arc::clone(&self.waits));
        self.tasks.push(tokio::spawn(async move {
            while !over.load(Ordering::Acquire) {
                let begin = Instant::now();
                let who = client.request(&sessions, |session| Ok(session.principal())).await;
                waits.note("read", begin);
                assert!(who.unwrap().is_some(), "a session of somebody else is gone");
                tokio::time::sleep(REST).await;
            }
        }));
    }

    fn writes(&mut self, sessions: SessionManager, mut client: Client) {
        let (over, waits) = (Arc::clone(&self.over), Arc::clone(&self.waits));
        self.tasks.push(tokio::spawn(async move {
            for number in 0_u64.. {
                if over.load(Ordering::Acquire) {
                    return;
                }
                let begin = Instant::now();
                let written = client.request(&sessions, |session| session.set("number", &number)).await;
                waits.note("write", begin);
                written.unwrap();
                tokio::time::sleep(REST).await;
            }
        }));
    }

    fn logs_in(&mut self, sessions: SessionManager, who: String) {
        let (over, waits) = (Arc::clone(&self.over), Arc::clone(&self.waits));
        self.tasks.push(tokio::spawn(async move {
            while !over.load(Ordering::Acquire) {
                let begin = Instant::now();
                let answer =
                    Client::default().request(&sessions, |session| session.authenticate(&*who)).await;
                waits.note("login", begin);
                answer.unwrap();
                tokio::time::sleep(REST).await;
            }
        }));
    }

    fn ticks(&mut self) {
        let (over, waits) = (Arc::clone(&self.over), Arc::clone(&self.waits));
        self.tasks.push(tokio::spawn(async move {
            while !over.load(Ordering::Acquire) {
                let due = Instant::now() + TICK;
                tokio::time::sleep_until(due.into()).await;
                waits.note(TURN, due);
            }
        }));
    }
}

impl Waits {
    fn note(&self, what: &'static str, begin: Instant) {
        let end = Instant::now();
        // The machine has the runtime's thread waiting, or one of its threads, with the request in its hands.
        let late = self.lateness.between(begin, end).max(self.lateness.of_one_thread(begin, end));
        let by_the_clock = end - begin;
        let wait = Wait { what, blamed: by_the_clock.saturating_sub(late), by_the_clock };
        self.taken.lock().unwrap().push(wait);
    }

    fn figures(&self) -> Figures {
        let (turns, mut requests): (Vec<Wait>, Vec<Wait>) =
            std::mem::take(&mut *self.taken.lock().unwrap()).into_iter().partition(|wait| wait.what == TURN);
        requests.sort_unstable_by_key(|wait| wait.blamed);
        let longest = |waits: &[Wait]| waits.iter().map(|wait| wait.blamed).max().unwrap_or_default();
        let last = requests.last().expect("there were requests");
        Figures {
            requests: requests.len(),
            longest: (last.what, last.blamed),
            p99: requests[requests.len() * 99 / 100].blamed,
            stall: longest(&turns),
            by_the_clock: turns
                .iter()
                .chain(&requests)
                .map(|wait| wait.by_the_clock)
                .max()
                .unwrap_or_default(),
            machine: self.lateness.worst(),
        }
    }
}

const TURN: &str = "turn";

async fn logged_in(sessions: &SessionManager, who: &str) -> Client {
    let mut client = Client::default();
    client.log_in(sessions, who, &LogBook::default()).await.unwrap();
    client
}

impl Figures {
    /// That nobody waited for longer than may be.
    pub(super) fn check(&self) -> Result<(), String> {
        let (what, longest) = self.longest;
        match () {
            () if longest > BOUND => Err(format!("a {what} took {longest:.1?}")),
            () if self.stall > BOUND => Err(format!("the runtime stood still for {:.1?}", self.stall)),
            () => Ok(()),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, longest: (what, longest), p99, stall, by_the_clock, machine } = self;
        write!(
            f,
            "{requests} requests, the longest {longest:.1?} (a {what}), p99 {p99:.1?}; the runtime stood still for \
             {stall:.1?} at worst; with what the machine was late by, {by_the_clock:.1?}; that was {machine:.1?} at worst"
        )
    }
}
