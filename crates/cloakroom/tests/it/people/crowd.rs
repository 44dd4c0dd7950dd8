//! Fifty logins of one person at once, at two instances, and what somebody sees who watches.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom::{ErrorKind, PublicHandle, SessionLimit, SessionManager, Version};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::client::{Client, LogBook, look};
use super::faulty::{Faulty, IndexFault};
use super::place::{Place, ring};

/// How many log in at once.
const LOGINS: usize = 50;
/// How many may have a session each, in turns.
const LIMITS: [usize; 3] = [1, 3, 5];

/// Two instances of an application that keeps limits, one pair for each limit, and a third one that looks.
pub(super) struct Stage {
    pairs: Vec<(SessionLimit, usize, [SessionManager; 2])>,
    auditor: SessionManager,
    pub(super) book: Arc<LogBook>,
}

impl Stage {
    /// Connects the instances, each by itself where the store has connections.
    pub(super) async fn open(place: &Place, fault: Option<IndexFault>) -> Self {
        let keys = ring();
        let mut backends = Vec::new();
        for _ in 0..2 {
            let backend = place.connect().await;
            backends.push(match fault {
                Some(fault) => backend.layer(|store| Faulty::new(store, fault)),
                None => backend,
            });
        }
        let limits = LIMITS.map(|n| [(SessionLimit::Refuse(n), n), (SessionLimit::EvictOldest(n), n)]);
        let pairs = limits.into_iter().flatten().map(|(limit, most)| {
            let instance = |at: usize| {
                let builder = SessionManager::builder(backends[at].clone(), keys());
                builder.with_session_limit(limit).build().unwrap()
            };
            (limit, most, [instance(0), instance(1)])
        });
        let auditor = SessionManager::new(place.connect().await, keys());
        Self { pairs: pairs.collect(), auditor, book: Arc::default() }
    }

    /// One round: fifty clients log in at the same moment, half of them at each instance.
    pub(super) async fn round(&self, number: usize) -> Round {
        let (limit, most, instances) = &self.pairs[number % self.pairs.len()];
        let who: Arc<str> = format!("ada {:016x}", Version::random().unwrap().get()).into();
        let (finished, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let watcher = tokio::spawn(watch(
            self.auditor.clone(),
            Arc::clone(&who),
            *most,
            Arc::clone(&finished),
            Arc::clone(&over),
        ));
        let start = Arc::new(Barrier::new(LOGINS));
        let logins: Vec<_> = (0..LOGINS)
            .map(|number| {
                let (sessions, start) = (instances[number % 2].clone(), Arc::clone(&start));
                let (who, book, finished) = (Arc::clone(&who), Arc::clone(&self.book), Arc::clone(&finished));
                tokio::spawn(async move {
                    let mut client = Client::default();
                    start.wait().await;
                    let answer = client.log_in(&sessions, &who, &book).await;
                    finished.lock().unwrap().push(client);
                    answer.map_err(|error| error.kind())
                })
            })
            .collect();
        let mut round = Round::default();
        let (mut taken, mut refused) = (0, 0);
        for login in logins {
            match login.await.unwrap() {
                Ok(()) => taken += 1,
                Err(ErrorKind::LimitReached) => refused += 1,
                Err(other) => round.accuse(format!("a login ended with {other:?}")),
            }
        }
        over.store(true, Ordering::Release);
        round.watched = watcher.await.unwrap();
        let wanted = match limit {
            SessionLimit::Refuse(_) => (*most, LOGINS - most),
            _ => (LOGINS, 0),
        };
        if (taken, refused) != wanted {
            round.accuse(format!("{taken} logins were taken and {refused} refused"));
        }
        let clients = std::mem::take(&mut *finished.lock().unwrap());
        let live: BTreeSet<String> = live(&self.auditor, &who, clients, &self.book)
            .await
            .iter()
            .map(|(_, handle)| text(handle))
            .collect();
        if live.len() != *most {
            round.accuse(format!("{} tokens are live in the end", live.len()));
        }
        let listed: BTreeSet<String> = self.listed(&who).await.iter().map(text).collect();
        if listed != live {
            round.accuse(format!("{} are listed and {} live", listed.len(), live.len()));
        }
        if round.watched.by_tokens > *most {
            round.accuse(format!("{} tokens were live at one moment", round.watched.by_tokens));
        }
        if round.watched.by_list > *most {
            round.accuse(format!("{} listed sessions were live at one moment", round.watched.by_list));
        }
        if round.watched.in_a_list > *most {
            round.accuse(format!("one list named {} sessions", round.watched.in_a_list));
        }
        // What is left of one round is no burden to the next ones.
        let revoked = look(&self.book, || self.auditor.revoke_all(&who)).await;
        if revoked != live.len() {
            round.accuse(format!("{revoked} of {} were revoked", live.len()));
        }
        for violation in &mut round.violations {
            *violation = format!("round {number}, {limit:?}: {violation}");
        }
        round
    }

    async fn listed(&self, who: &str) -> Vec<PublicHandle> {
        handles(&self.auditor, who, &self.book).await
    }
}

/// What one round showed.
#[derive(Default)]
pub(super) struct Round {
    pub(super) violations: Vec<String>,
    pub(super) watched: Watched,
}

impl Round {
    fn accuse(&mut self, what: String) {
        self.violations.push(what);
    }
}

/// What somebody saw who watched the sessions of one person.
///
/// A session that is live at one look and at a later one was live in between, since what is over never comes back. So
/// a watcher looks at all of them, and then again at those that were live: whatever was live both times was live at the
/// moment between the two. That never accuses a store of what it did not do. It does not see more sessions than there may
/// be for a shorter time than it takes to look twice, nor by its tokens those whose clients have no answer yet; these it
/// finds by the list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watched {
    /// The most sessions that were live at one moment, of clients that had their tokens.
    pub(super) by_tokens: usize,
    /// The most sessions that were live at one moment, of those on the list.
    pub(super) by_list: usize,
    /// The most sessions that one list named. A list is read at one moment and its sessions are loaded after it; since
    /// each keeps its place until it is over, there are no more of them than places.
    pub(super) in_a_list: usize,
    /// How many times it looked, and how long the longest pair of looks took.
    pub(super) looks: usize,
    pub(super) longest: Duration,
    /// How often the store told nothing.
    pub(super) blind: usize,
}

impl Watched {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            by_tokens: self.by_tokens.max(other.by_tokens),
            by_list: self.by_list.max(other.by_list),
            in_a_list: self.in_a_list.max(other.in_a_list),
            looks: self.looks + other.looks,
            longest: self.longest.max(other.longest),
            blind: self.blind + other.blind,
        }
    }
}

async fn watch(
    auditor: SessionManager,
    who: Arc<str>,
    most: usize,
    finished: Arc<Mutex<Vec<Client>>>,
    over: Arc<AtomicBool>,
) -> Watched {
    let (mut watched, book) = (Watched::default(), Arc::new(LogBook::default()));
    let (mut taken, mut clients): (usize, Vec<Client>) = (0, Vec::new());
    loop {
        let is_last = over.load(Ordering::Acquire);
        {
            let finished = finished.lock().unwrap();
            clients.extend_from_slice(&finished[taken..]);
            taken = finished.len();
        }
        let begin = Instant::now();
        // Who was over before is over.
        let before = live(&auditor, &who, std::mem::take(&mut clients), &book).await;
        let before = before.into_iter().map(|(client, _)| client).collect();
        let after = live(&auditor, &who, before, &book).await;
        watched.by_tokens = watched.by_tokens.max(after.len());
        clients = after.into_iter().map(|(client, _)| client).collect();
        let first = handles(&auditor, &who, &book).await;
        watched.in_a_list = watched.in_a_list.max(first.len());
        // Only then is there anything to find out.
        if first.len() > most {
            let second = handles(&auditor, &who, &book).await;
            let both = first.iter().filter(|handle| second.contains(handle)).count();
            watched.by_list = watched.by_list.max(both);
        } else {
            watched.by_list = watched.by_list.max(first.len());
        }
        watched.looks += 1;
        watched.longest = watched.longest.max(begin.elapsed());
        if is_last {
            watched.blind = book.tries().failed.values().sum();
            return watched;
        }
        tokio::task::yield_now().await;
    }
}

/// Those whose tokens open live sessions, with the sessions; all are asked at once.
async fn live(
    auditor: &SessionManager,
    who: &Arc<str>,
    clients: Vec<Client>,
    book: &Arc<LogBook>,
) -> Vec<(Client, PublicHandle)> {
    let mut looks = JoinSet::new();
    for client in clients {
        let (auditor, who, book) = (auditor.clone(), Arc::clone(who), Arc::clone(book));
        looks.spawn(async move {
            let handle = look(&book, || client.live(&auditor, &who)).await;
            handle.map(|handle| (client, handle))
        });
    }
    looks.join_all().await.into_iter().flatten().collect()
}

async fn handles(auditor: &SessionManager, who: &str, book: &LogBook) -> Vec<PublicHandle> {
    let infos = look(book, || auditor.sessions_of(who)).await;
    infos.into_iter().map(|info| info.handle).collect()
}

fn text(handle: &PublicHandle) -> String {
    handle.as_str().to_owned()
}
