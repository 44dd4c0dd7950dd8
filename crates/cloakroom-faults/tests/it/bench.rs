//! What all runs share: a server, two nodes with clients, one history, and the verdict at the end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cloakroom::{Freshness, Store as _};
use cloakroom_faults::{
    Clients, End, Event, Figures, History, Moment, Proxy, Recorded, Rules, Verdict, Workload, check,
    fresh_key,
};
use tokio::time::{sleep, timeout};

use crate::backend::connect;
use crate::doctor;
use crate::late::Late;
use crate::servers::{Backend, Server};

/// How long after the return of a backend the first answer may take.
pub(crate) const RECOVERY: Duration = Duration::from_secs(2);
/// The deadline of a verb in runs that wait for it.
pub(crate) const DEADLINE: Duration = Duration::from_millis(300);

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effort {
    /// Seconds: a part of the suite.
    Bounded,
    /// Minutes: a run of its own.
    Long,
}

impl Effort {
    /// How many rounds instead of one.
    pub(crate) fn rounds(self) -> u32 {
        match self {
            Self::Bounded => 1,
            Self::Long if std::env::var_os("CLOAKROOM_FAULTS_LONG").is_some_and(|value| value == "1") => 20,
            Self::Long => 5,
        }
    }
}

/// A server of our own, and a history of two nodes that use it.
pub(crate) struct Bench {
    pub(crate) backend: Backend,
    pub(crate) server: Box<dyn Server>,
    pub(crate) history: History,
    pub(crate) deadline: Duration,
    /// What the machine is late by is not the store's fault.
    late: Late,
}

impl Bench {
    pub(crate) fn new(backend: Backend, deadline: Duration) -> Self {
        Self::over(backend, tokio::task::block_in_place(backend.start), deadline)
    }

    /// The same with a server that is there.
    pub(crate) fn over(backend: Backend, server: Box<dyn Server>, deadline: Duration) -> Self {
        Self { backend, server, history: History::new(), deadline, late: Late::watch() }
    }

    /// Two nodes at the server itself.
    pub(crate) async fn nodes(&self) -> [Recorded; 2] {
        let url = self.server.url();
        [self.node(&url).await, self.node(&url).await]
    }

    /// Two nodes behind a proxy.
    pub(crate) async fn nodes_behind(&self, proxy: &Proxy) -> [Recorded; 2] {
        let url = self.server.url_at(proxy.address());
        [self.node(&url).await, self.node(&url).await]
    }

    pub(crate) async fn node(&self, url: &str) -> Recorded {
        Recorded::new(connect(url, self.deadline).await, &self.history, self.deadline)
    }

    pub(crate) async fn proxy(&self) -> Proxy {
        let address: SocketAddr = self.server.address();
        Proxy::before(address).await.expect("a proxy")
    }

    /// Waits for a moment in which calls are under way: in it something will strike.
    pub(crate) async fn busy_moment(&self) -> Moment {
        loop {
            match self.history.busy() {
                Some(moment) => return moment,
                None => tokio::task::yield_now().await,
            }
        }
    }

    /// Does something to the server that takes a while.
    pub(crate) fn harm(&mut self, harm: impl FnOnce(&mut dyn Server)) -> Moment {
        let moment = self.history.now();
        tokio::task::block_in_place(|| harm(&mut *self.server));
        moment
    }

    /// How long the machine held up everything in this part of the history.
    pub(crate) fn late(&self, from: Duration, to: Duration) -> Duration {
        self.late.between(from, to)
    }

    /// Whether the machine stood still for so much of a call that nobody can be blamed for its end.
    pub(crate) fn excuses(&self, event: &Event) -> bool {
        self.late.excuses(event, self.deadline)
    }

    /// The history so far, without what the machine was late by when a call missed its deadline.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.late.forgives(self.history.events())
    }

    /// Wants that nobody was answered while the server was away, and that somebody noticed: he had an error, or had to
    /// wait.
    pub(crate) fn wants_noticed(&self, away: Moment, back: Moment) {
        let mut noticed = false;
        for event in self.history.events() {
            let Some(ended) = event.ended.filter(|ended| *ended > away && event.invoked < back) else {
                continue;
            };
            let answered = matches!(event.end, End::Answered(_));
            let meanwhile = event.invoked > away && ended < back;
            assert!(!(answered && meanwhile), "it was answered though the server was away: {event:?}");
            noticed |= !answered || ended > back;
        }
        assert!(noticed, "nobody noticed that the server was away");
    }

    /// Ends the clients, prints what happened, and wants a clean history and a quick recovery.
    pub(crate) async fn close(
        &self,
        what: &str,
        rules: Rules,
        clients: Clients,
        [struck, over]: [Moment; 2],
    ) -> Figures {
        let store = self.node(&self.server.url()).await;
        clients.end(&store).await.expect("no client panicked");
        let events = self.events();
        let figures = Figures::of(&events, struck, over);
        let verdict = check(&events, &rules);
        let recovery = figures.recovery.expect("no call succeeds after the return");
        let late = self.late(over.at, over.at + recovery);
        println!("{}, {what}: {figures}\n  history: {verdict}", self.backend.name);
        println!(
            "  the machine was late by {:.1?} at worst, and by {late:.1?} while it recovered",
            self.late.worst()
        );
        wants_clean(&verdict);
        doctor::objects(&events, &rules);
        assert!(recovery <= RECOVERY + late, "{recovery:?}");
        figures
    }
}

pub(crate) fn wants_clean(verdict: &Verdict) {
    assert!(verdict.is_clean(), "{verdict}");
}

/// The clients of the runs in which something happens to the server.
pub(crate) fn workload() -> Workload {
    Workload::new().with_pace(Duration::from_millis(1))
}

/// Waits until a store answers again, and a little longer; how long the first took.
pub(crate) async fn until_it_works(store: &Recorded) -> Duration {
    let start = Instant::now();
    let key = fresh_key().expect("randomness");
    timeout(Duration::from_secs(20), async {
        while store.load(&key, Freshness::Latest).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("no call succeeds any more");
    let time = start.elapsed();
    sleep(Duration::from_millis(300)).await;
    time
}

/// Runs a test on a runtime with two threads, for ten minutes at most.
pub(crate) fn run(test: impl Future<Output = ()>) {
    run_for(Effort::Bounded, test);
}

/// Runs a test for as long as its effort may take.
pub(crate) fn run_for(effort: Effort, test: impl Future<Output = ()>) {
    let limit = match effort {
        Effort::Bounded => Duration::from_secs(600),
        Effort::Long => Duration::from_secs(11 * 3600),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let ended = runtime.block_on(async { timeout(limit, test).await.is_ok() });
    runtime.shutdown_background();
    assert!(ended, "the run came to no end");
}
