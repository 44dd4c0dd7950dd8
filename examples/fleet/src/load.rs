//! Visitors who are logged in, and read and add without a pause.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::book::{Book, Deed, Doubt};
use crate::visitor::Visitor;
use crate::{Error, Figures, Fleet, Result};

/// How long a tab does nothing between two requests.
const PAUSE: Duration = Duration::from_millis(4);
/// How long something may take that the visitors are waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(2);
/// Every so many visitors, one only reads.
const READERS: usize = 4;

/// How many requests of one visitor are under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tabs {
    /// One after the other.
    One,
    /// Two beside each other, which change one session at the same time.
    Two,
}

/// Visitors at work; they go when it is dropped.
#[derive(Debug)]
#[must_use = "what the visitors saw is told at the end"]
pub struct Load {
    shared: Arc<Shared>,
    visitors: Vec<Visitor>,
    tabs: JoinSet<()>,
    instances: [SocketAddr; 3],
}

#[derive(Debug)]
struct Shared {
    is_over: AtomicBool,
    is_doubt_allowed: AtomicBool,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    book: Mutex<Book>,
}

impl Load {
    /// Logs so many visitors in, and lets them go on until [`close`](Self::close). Every fourth only reads.
    ///
    /// # Errors
    ///
    /// Somebody cannot log in.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves those logged in who were.
    pub async fn start(fleet: &Fleet, visitors: usize, tabs: Tabs) -> Result<Self> {
        let shared = Arc::new(Shared {
            is_over: AtomicBool::new(false),
            is_doubt_allowed: AtomicBool::new(true),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            book: Mutex::new(Book::of(visitors)),
        });
        let mut load =
            Self { shared, visitors: Vec::new(), tabs: JoinSet::new(), instances: fleet.addresses() };
        for number in 0..visitors {
            let visitor = Visitor::called("visitor", fleet)?;
            visitor.log_in().await?;
            let tabs = if tabs == Tabs::One { 1 } else { 2 };
            for _ in 0..tabs {
                let (shared, visitor) = (Arc::clone(&load.shared), visitor.clone());
                load.tabs.spawn(async move { shared.browse(number, &visitor).await });
            }
            load.visitors.push(visitor);
        }
        Ok(load)
    }

    /// Lets the visitors go on until each of them has made so many more requests.
    ///
    /// # Errors
    ///
    /// They do not within 20 seconds.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped.
    pub async fn go_on(&self, requests: u64) -> Result<()> {
        let before = self.shared.book().requests();
        self.until("the visitors made no requests", |book| {
            book.requests().iter().zip(&before).all(|(now, before)| *now >= before + requests)
        })
        .await
    }

    /// Ends the visitors' work, looks at what each of them has, logs them out, and gives the figures.
    ///
    /// # Errors
    ///
    /// A promise was broken: somebody was logged out, an acknowledged addition is lost or was done twice, or a request
    /// failed that could have been answered.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the visitors logged in.
    pub async fn close(mut self) -> Result<Figures> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tabs.join_next().await {
            ended.map_err(|error| Error::trouble(format!("a visitor got stuck: {error}")))?;
        }
        let mut book = std::mem::take(&mut *self.shared.book());
        for (number, visitor) in self.visitors.iter().enumerate() {
            // Nobody who only reads has a count.
            let found = match visitor.try_to("GET", "/value/count", None).await {
                Ok(seen) if seen.status == 404 => 0,
                Ok(seen) => seen.number().unwrap_or_default(),
                Err(error) => return Err(Error::trouble(format!("the proxy is gone: {error}"))),
            };
            book.found(number, visitor.name(), found);
        }
        let figures = book.close(self.instances, self.shared.most_under_way.load(Ordering::Relaxed))?;
        for visitor in &self.visitors {
            visitor.log_out().await?;
        }
        Ok(figures)
    }

    /// How many requests are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.shared.under_way.load(Ordering::Relaxed)
    }

    /// Waits until half of the visitors wait for an answer.
    pub(crate) async fn until_busy(&self) -> Result<()> {
        self.until("nothing was under way", |_| self.under_way() >= self.visitors.len().div_ceil(2)).await
    }

    /// How many requests an instance answered so far.
    pub(crate) fn answers_of(&self, instance: SocketAddr) -> u64 {
        self.shared.book().answers_of(instance)
    }

    /// Waits until an instance has answered so many requests.
    pub(crate) async fn until_answered(&self, instance: SocketAddr, answers: u64) -> Result<()> {
        let what = format!("the instance at {instance} was back, and got no request");
        self.until(&what, |book| book.answers_of(instance) >= answers).await
    }

    /// Says whether an addition may be left without an answer from here on.
    pub(crate) fn set_doubt(&self, doubt: Doubt) {
        self.shared.is_doubt_allowed.store(doubt == Doubt::Allowed, Ordering::Relaxed);
    }

    /// Says the same after what is under way has come to its end.
    pub(crate) async fn refuse_doubt(&self) -> Result<()> {
        self.go_on(2).await?;
        self.set_doubt(Doubt::Refused);
        Ok(())
    }

    /// Each visitor's cookie, for a request that a check makes in its name.
    pub(crate) fn visitors(&self) -> &[Visitor] {
        &self.visitors
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Book) -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            if is_so(&self.shared.book()) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Error::broken(format!("{what} for {PATIENCE:?}"));
            }
            sleep(POLL).await;
        }
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One tab.
    async fn browse(&self, number: usize, visitor: &Visitor) {
        let only_reads = number % READERS == READERS - 1;
        // Some additions take their time, so that instances end with requests under way.
        let deeds = [
            (Deed::Read, "GET", "/session"),
            (Deed::Add, "POST", "/add/count/1"),
            (Deed::Read, "GET", "/session"),
            (Deed::Add, "POST", "/slow/25/add/count/1"),
        ];
        let deeds = deeds.into_iter().filter(|(deed, ..)| !only_reads || *deed == Deed::Read);
        for (deed, method, path) in deeds.cycle() {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let (start, under_way) = (Instant::now(), self.under_way.fetch_add(1, Ordering::Relaxed) + 1);
            self.most_under_way.fetch_max(under_way, Ordering::Relaxed);
            let answer = visitor.try_to(method, path, None).await;
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            let is_allowed = self.is_doubt_allowed.load(Ordering::Relaxed);
            let doubt = if is_allowed { Doubt::Allowed } else { Doubt::Refused };
            self.book().note(number, visitor.name(), deed, doubt, &answer, start.elapsed());
            sleep(PAUSE).await;
        }
    }
}
