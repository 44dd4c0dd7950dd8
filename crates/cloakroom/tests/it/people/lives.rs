//! Many short sessions, as different as those of a service: used, renewed, ended, limited, and cut off half way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom::{Expiry, Result, SessionLimit, SessionManager};
use cloakroom_testkit::dropped_after;

use super::client::Client;
use super::faulty::{Faulty, IndexFault};
use super::place::{Place, ring};

const IDLE: Duration = Duration::from_secs(2);
const ABSOLUTE: Duration = Duration::from_secs(4);
/// Of the two that limit a login, the nearer one.
const REMEMBERED: Duration = Duration::from_secs(3);
/// How many clients come at a time, and for how many others each of them waits before it goes on.
const WORKERS: usize = 48;
const BETWEEN: usize = 8;
/// How many logins are under way when the process ends.
const CUT_OFF: usize = 200;

/// What there was.
#[derive(Debug)]
pub(super) struct Told {
    /// When the last session is over that any of them could begin.
    pub(super) last_deadline: Instant,
    pub(super) took: Duration,
    /// How many logins were under way when the process ended.
    pub(super) under_way: usize,
    /// How often each thing was done, and how it ended.
    pub(super) outcomes: BTreeMap<String, usize>,
}

/// Lets so many clients come and go, in a runtime of their own, which ends in the middle of the last logins.
pub(super) fn live(place: &Place, count: usize, fault: Option<IndexFault>) -> Told {
    let begin = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let service = runtime.block_on(async {
        let service = Arc::new(Service::open(place, fault).await);
        let mut workers = tokio::task::JoinSet::new();
        for worker in 0..WORKERS {
            workers.spawn(Arc::clone(&service).work((worker..count).step_by(WORKERS)));
        }
        workers.join_all().await;
        for number in 0..CUT_OFF {
            let service = Arc::clone(&service);
            tokio::spawn(async move {
                service.under_way.fetch_add(1, Ordering::SeqCst);
                let mut client = Client::default();
                let _ = service.log_in(&mut client, number, &format!("cut {}", number % 3)).await;
                service.under_way.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while service.under_way.load(Ordering::SeqCst) < CUT_OFF / 4 {
            tokio::task::yield_now().await;
        }
        service
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    let service = Arc::into_inner(service).expect("no task is left");
    Told {
        last_deadline: service.last_deadline.into_inner().unwrap(),
        took: begin.elapsed(),
        under_way: service.under_way.into_inner(),
        outcomes: service.outcomes.into_inner().unwrap(),
    }
}

struct Service {
    free: SessionManager,
    evicting: SessionManager,
    refusing: SessionManager,
    last_deadline: Mutex<Instant>,
    under_way: AtomicUsize,
    outcomes: Mutex<BTreeMap<String, usize>>,
}

/// A client, and what it is called.
struct Guest {
    number: usize,
    who: String,
    client: Client,
}

impl Service {
    async fn open(place: &Place, fault: Option<IndexFault>) -> Self {
        let backend = match (place.connect().await, fault) {
            (backend, Some(fault)) => backend.layer(|store| Faulty::new(store, fault)),
            (backend, None) => backend,
        };
        let keys = ring();
        let manager = |limit| {
            let expiry = Expiry::new(IDLE, ABSOLUTE).with_touch_interval(Duration::from_millis(20));
            let builder = SessionManager::builder(backend.clone(), keys()).with_expiry(expiry);
            builder.with_session_limit(limit).build().unwrap()
        };
        Self {
            free: manager(SessionLimit::Unlimited),
            evicting: manager(SessionLimit::EvictOldest(3)),
            refusing: manager(SessionLimit::Refuse(3)),
            last_deadline: Mutex::new(Instant::now()),
            under_way: AtomicUsize::new(0),
            outcomes: Mutex::default(),
        }
    }

    async fn work(self: Arc<Self>, numbers: impl Iterator<Item = usize>) {
        let mut guests = VecDeque::new();
        for number in numbers {
            guests.push_back(self.comes(number).await);
            if guests.len() > BETWEEN {
                self.goes_on(guests.pop_front().unwrap()).await;
            }
        }
        for guest in guests {
            self.goes_on(guest).await;
        }
    }

    /// Half of them are alone, a third are one of thousands, and the others are one of a few with a limit.
    fn of(&self, number: usize) -> (&SessionManager, String) {
        match number % 12 {
            0..6 => (&self.free, format!("one {number}")),
            crowd @ 6..10 => (&self.free, format!("crowd {crowd}")),
            10 => (&self.evicting, format!("evicted {}", number / 96)),
            _ => (&self.refusing, format!("refused {}", number / 96)),
        }
    }

    async fn comes(&self, number: usize) -> Guest {
        let (sessions, who) = self.of(number);
        let mut client = Client::default();
        if number.is_multiple_of(3) {
            self.count("visit", &client.request(sessions, |session| session.set("basket", &number)).await);
        }
        // With a limit, whoever is cut off keeps others waiting.
        let cut_off = if number % 12 < 10 { number % 16 == 9 } else { number % 960 == 10 };
        if cut_off {
            let polls = u64::try_from(number / 16 % 7 + 1).unwrap();
            match dropped_after(polls, self.log_in(&mut client, number, &who)).await {
                Some(answer) => self.count("login", &answer),
                None => self.note("login cut off".to_owned()),
            }
        } else {
            let answer = self.log_in(&mut client, number, &who).await;
            self.count("login", &answer);
        }
        Guest { number, who, client }
    }

    async fn log_in(&self, client: &mut Client, number: usize, who: &str) -> Result<()> {
        let (sessions, _) = self.of(number);
        let answer = client.request(sessions, |session| {
            self.lasts(ABSOLUTE);
            session.authenticate(who)
        });
        answer.await
    }

    async fn goes_on(&self, guest: Guest) {
        let Guest { number, who, mut client } = guest;
        let (sessions, _) = self.of(number);
        match number / 12 % 9 {
            0 => {}
            1 => self.count("read", &client.request(sessions, |session| Ok(session.principal())).await),
            2 => self.count("rotation", &client.request(sessions, |session| session.rotate()).await),
            3 => {
                let answer = client.request(sessions, |session| {
                    session.logout();
                    Ok(())
                });
                self.count("logout", &answer.await);
            }
            4 => {
                self.count("write", &client.request(sessions, |session| session.set("number", &number)).await)
            }
            5 => {
                if let Ok(Some(handle)) = client.live(sessions, &who).await {
                    self.count("revocation", &sessions.revoke(&who, &handle).await);
                }
            }
            6 => {
                let answer = client.request(sessions, |session| {
                    self.lasts(REMEMBERED);
                    session.remember(REMEMBERED)
                });
                self.count("remember", &answer.await);
            }
            7 => self
                .count("another login", &self.log_in(&mut client, number, &format!("moved {number}")).await),
            _ => {
                let visit = client.visit(sessions);
                if let Ok(session) = visit.session().await
                    && (number % 12 < 6 || number % 4001 < 12)
                {
                    self.count("revocation of others", &sessions.revoke_others(&session).await);
                }
            }
        }
        if number % 2003 == 2002 {
            self.count("list", &sessions.sessions_of(&who).await);
        }
        if number % 9001 == 9000 {
            self.count("revocation of all", &sessions.revoke_all(&who).await);
        }
    }

    /// Notes that a session which begins now may last for so long.
    fn lasts(&self, life: Duration) {
        let mut last = self.last_deadline.lock().unwrap();
        *last = (*last).max(Instant::now() + life);
    }

    fn count<T>(&self, what: &str, answer: &Result<T>) {
        match answer {
            Ok(_) => self.note(what.to_owned()),
            Err(error) => self.note(format!("{what}: {:?}", error.kind())),
        }
    }

    fn note(&self, what: String) {
        *self.outcomes.lock().unwrap().entry(what).or_default() += 1;
    }
}
