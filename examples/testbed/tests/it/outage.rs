//! Servers that crash under load, freeze, and come back: nothing is lost or mixed, and after an acknowledged logout
//! nothing authenticates.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom_conformance::stories::{Client, Request, Response, Settings, tell};
use cloakroom_testkit::Lateness;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{interval, sleep};

use crate::history::{Act, Answer, Event, check};
use crate::program::{ADAPTERS, Testbed};
use crate::servers::{self, Backend, Crash, with_parameter};

/// How many clients there are.
const CLIENTS: usize = 16;
/// How long a load or a commit may take by default. A store may have less for each verb; the commit tries again then.
const DEADLINE: Duration = Duration::from_secs(2);
/// How much later than its deadline an answer may be seen by a client.
const SLACK: Duration = Duration::from_millis(50);
/// How long after the return of the server somebody must be served again, without a restart of ours. One request may wait
/// for as long, at a connection that the server no longer knows: so nobody waits for that one before he asks.
const RECOVERY: Duration = Duration::from_secs(2);
/// How often somebody asks until then.
const PACE: Duration = Duration::from_millis(50);

/// What all clients share.
struct Load {
    lateness: Lateness,
    over: AtomicBool,
    under_way: AtomicUsize,
    history: Mutex<Vec<Event>>,
    /// The cookies from before each acknowledged logout, and whose they were.
    dead: Mutex<Vec<(usize, String)>>,
}

/// What happens to the server under load.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Crash,
    Freeze,
}

/// Tells what the clients saw of each backend: a new one is one line at the end.
macro_rules! outages {
    ($module:ident, $backend:expr, #[$ignore:meta]) => {
        mod $module {
            use super::*;

            #[test]
            #[$ignore]
            fn crash_under_load_loses_nothing_and_mixes_nothing() {
                ADAPTERS.into_iter().for_each(|adapter| tell(under_load(adapter, $backend, Harm::Crash)));
            }

            #[test]
            #[$ignore]
            fn freeze_under_load_loses_nothing_and_mixes_nothing() {
                ADAPTERS.into_iter().for_each(|adapter| tell(under_load(adapter, $backend, Harm::Freeze)));
            }

            #[test]
            #[$ignore]
            fn frozen_server_never_holds_a_request_beyond_its_deadline() {
                for (parameters, deadline) in [("", DEADLINE), ("timeout=300ms", Duration::from_millis(300))]
                {
                    for adapter in ADAPTERS {
                        tell(freeze(adapter, $backend, parameters, deadline));
                    }
                }
            }
        }
    };
}

outages!(redis, servers::REDIS, #[ignore = "needs redis: run `cargo xtask test`"]);
outages!(postgres, servers::POSTGRES, #[ignore = "needs postgres: run `cargo xtask test`"]);
outages!(mariadb, servers::MARIADB, #[ignore = "needs mariadb: run `cargo xtask test`"]);
outages!(memcached, servers::MEMCACHED, #[ignore = "needs memcached: run `cargo xtask test`"]);

/// Sixteen clients work while the server goes and comes back; what they were answered is checked.
async fn under_load(adapter: &'static str, backend: Backend, harm: Harm) {
    let mut server = block_in_place(backend.start);
    let testbed = Testbed::start(adapter, &server.url(), &Settings::new()).await;
    let load = Arc::new(Load {
        lateness: Lateness::watch(),
        over: AtomicBool::default(),
        under_way: AtomicUsize::default(),
        history: Mutex::default(),
        dead: Mutex::default(),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(client(number, Client::of(&testbed), Arc::clone(&load))))
        .collect();
    sleep(Duration::from_millis(1500)).await;
    let (under_way, before) = (load.under_way.load(Ordering::SeqCst), load.history.lock().unwrap().len());
    match harm {
        Harm::Crash => block_in_place(|| server.kill9()),
        Harm::Freeze => server.stop(),
    }
    // Longer than a request may take, where nothing refuses it at once.
    sleep(if matches!(harm, Harm::Crash) { DEADLINE / 2 } else { 2 * DEADLINE }).await;
    let down = load.history.lock().unwrap().len();
    match harm {
        Harm::Crash => block_in_place(|| server.restart()),
        Harm::Freeze => server.cont(),
    }
    let recovered = until_served(&testbed).await;
    sleep(Duration::from_millis(1500)).await;
    load.over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.expect("no client panicked");
    }
    let ghosts = ghosts(&testbed, &load).await;
    let history = load.history.lock().unwrap().clone();
    let of = |answer: fn(&Answer) -> bool, from: usize, to: usize| {
        history[from..to].iter().filter(|event| event.act != Act::Anew && answer(&event.answer)).count()
    };
    let ok = |answer: &Answer| matches!(answer, Answer::Done | Answer::Found(_) | Answer::Absent);
    let unavailable = |answer: &Answer| *answer == Answer::Unavailable;
    let ended = |answer: &Answer| *answer == Answer::Ended;
    let other = |answer: &Answer| matches!(answer, Answer::Other(_));
    let end = history.len();
    println!(
        "{} behind {adapter}, {harm:?}: {under_way} requests under way when it struck; before it {} ok; until the server \
         was back {} ok (strangers, who need no store, and answers under way), {} 503; after it {} ok, {} 503; in all {} \
         409, {} other; {ghosts} cookies of acknowledged logouts tried at the end; the first success {recovered:?} after \
         the server was back",
        backend.name,
        of(ok, 0, before),
        of(ok, before, down),
        of(unavailable, before, down),
        of(ok, down, end),
        of(unavailable, down, end),
        of(ended, 0, end),
        of(other, 0, end),
    );
    assert!(under_way > 0 && ghosts > 0 && of(ok, 0, before) > 0 && of(ok, down, end) > 0);
    assert!(of(unavailable, before, end) > 0, "nobody noticed");
    assert!(recovered <= RECOVERY, "nobody was served until {recovered:?} after the server was back");
    let crash = if matches!(harm, Harm::Crash) { backend.crash } else { Crash::KeepsEverything };
    let findings = check(&history, crash, 2 * DEADLINE + SLACK);
    assert!(
        findings.is_empty(),
        "{} wrong answers: {:#?}",
        findings.len(),
        &findings[..findings.len().min(10)]
    );
    doctor(&history, crash);
}

/// Tries the cookies of all acknowledged logouts once more; how many there are.
async fn ghosts(testbed: &Testbed, load: &Load) -> usize {
    let dead = std::mem::take(&mut *load.dead.lock().unwrap());
    let visitor = Client::of(testbed);
    for (client, cookie) in &dead {
        let ghost = Request::new("GET", "/value/v").with_header("cookie", cookie.clone());
        ask(load, *client, &visitor, Act::ReadWithDeadCookie, ghost).await;
    }
    dead.len()
}

type Which = fn(&Event) -> bool;

/// The same checker objects to the same history with one answer changed.
fn doctor(history: &[Event], crash: Crash) {
    let mut objections = 0;
    let spoiled: [(Which, Answer); 4] = [
        (
            |event| matches!((&event.act, &event.answer), (Act::ReadValue, Answer::Found(_))),
            Answer::Found("x".into()),
        ),
        (
            |event| matches!((&event.act, &event.answer), (Act::Add, Answer::Found(_))),
            Answer::Found("999999".into()),
        ),
        (
            |event| matches!((&event.act, &event.answer), (Act::Add, Answer::Found(_))),
            Answer::Found("0".into()),
        ),
        (|event| event.act == Act::ReadWithDeadCookie, Answer::Found("x".into())),
    ];
    for (which, answer) in spoiled {
        let mut doctored = history.to_vec();
        let at = doctored.iter().rposition(which).expect("there is such an event");
        doctored[at].answer = answer;
        objections += usize::from(!check(&doctored, crash, DEADLINE * 10).is_empty());
    }
    assert_eq!(objections, 4, "the checker does not see planted faults");
}

async fn freeze(adapter: &'static str, backend: Backend, parameters: &str, deadline: Duration) {
    /// How long a handler is parked between its load and its commit.
    const PARKED: Duration = Duration::from_secs(1);
    let server = block_in_place(backend.start);
    let url = if parameters.is_empty() { server.url() } else { with_parameter(&server.url(), parameters) };
    let testbed = Testbed::start(adapter, &url, &Settings::new()).await;
    let control = Testbed::start(adapter, "memory:", &Settings::new()).await;
    let visitors: Vec<Client> = (0..8).map(|_| Client::of(&testbed)).collect();
    for visitor in &visitors {
        visitor.put("/value/a", "1").await.is(204);
    }
    let commits: Vec<_> =
        visitors.iter().enumerate().map(|(n, visitor)| timed(visitor, parked(n, PARKED))).collect();
    sleep(PARKED / 2).await;
    server.stop();
    let loads: Vec<_> = (0..3)
        .flat_map(|_| {
            visitors.iter().map(|visitor| timed(visitor, Request::new("GET", "/value/a"))).collect::<Vec<_>>()
        })
        .collect();
    // Beside them as many that only sleep for as long: what those take beyond it is the machine's.
    let asleep: Vec<_> = (0..loads.len())
        .map(|_| {
            timed(
                &Client::of(&control),
                Request::new("POST", &format!("/slow/{}/add/n/1", deadline.as_millis())),
            )
        })
        .collect();
    let (mut load, mut commit, mut late) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for request in loads {
        load = load.max(refused(request.await.expect("it is answered")));
    }
    for request in commits {
        commit = commit.max(refused(request.await.expect("it is answered")).saturating_sub(PARKED));
    }
    for request in asleep {
        let (response, took) = request.await.expect("it is answered");
        response.is(200);
        late = late.max(took.saturating_sub(deadline));
    }
    server.cont();
    let recovered = until_served(&testbed).await;
    println!(
        "{} behind {adapter}: deadline {deadline:?}: the longest load took {load:?}, the longest commit {commit:?}, and \
         what slept beside them {late:?} too long; the first success {recovered:?} after the server went on",
        backend.name
    );
    let slack = SLACK + late;
    assert!(load <= deadline + slack && commit <= DEADLINE + slack, "a request waited beyond its deadline");
    assert!(recovered <= RECOVERY, "nobody was served until {recovered:?} after the server went on");
    for visitor in &visitors {
        let value = visitor.get("/value/a").await.is(200).text();
        assert!(value == "1" || value == "2", "the value is {value}");
    }
}

fn parked(n: usize, time: Duration) -> Request {
    let ms = time.as_millis();
    match n % 3 {
        0 => Request::new("POST", &format!("/slow/{ms}/add/n/1")),
        _ => Request::new("POST", &format!("/slow/{ms}/value/a")).with_body("2"),
    }
}

fn timed(visitor: &Client, request: Request) -> tokio::task::JoinHandle<(Response, Duration)> {
    let visitor = visitor.clone();
    tokio::spawn(async move {
        let start = Instant::now();
        let response = visitor.ask(request).await;
        (response, start.elapsed())
    })
}

/// Wants the fixed refusal, which leaves the cookie alone.
fn refused((response, took): (Response, Duration)) -> Duration {
    assert_eq!(response.is(503).sets_no_cookie().body(), b"session store unavailable");
    took
}

/// How long it takes from now on until one of those who ask is given a session, without what the machine is late by.
async fn until_served(testbed: &Testbed) -> Duration {
    let (start, lateness) = (Instant::now(), Lateness::watch());
    let (mut pace, mut asked) = (interval(PACE), JoinSet::new());
    loop {
        tokio::select! {
            _ = pace.tick() => {
                let visitor = Client::of(testbed);
                asked.spawn(async move { visitor.put("/value/a", "1").await.status() });
            }
            Some(status) = asked.join_next() => {
                if status.expect("it is answered") == 204 {
                    return start.elapsed().saturating_sub(lateness.since(start));
                }
            }
        }
        assert!(start.elapsed() < Duration::from_secs(10), "no request succeeds any more");
    }
}

/// One client: sets, adds, reads, logs in and out, and begins anew where it cannot know what its cookie is worth.
async fn client(number: usize, visitor: Client, load: Arc<Load>) {
    let mut turn = 0_usize;
    while !load.over.load(Ordering::SeqCst) {
        turn += 1;
        let value = format!("\"client {number} turn {turn}\"");
        let set = Request::new("PUT", "/value/v").with_body(value.clone());
        ask(&load, number, &visitor, Act::Set(value), set).await;
        ask(&load, number, &visitor, Act::ReadValue, Request::new("GET", "/value/v")).await;
        ask(&load, number, &visitor, Act::Add, Request::new("POST", "/add/n/1")).await;
        ask(&load, number, &visitor, Act::ReadCounter, Request::new("GET", "/value/n")).await;
        let mut anew = false;
        if (turn + number).is_multiple_of(4) {
            let login = Request::new("POST", &format!("/login/client-{number}"));
            anew |= ask(&load, number, &visitor, Act::Login, login).await != Answer::Done;
            ask(&load, number, &visitor, Act::ReadValue, Request::new("GET", "/value/v")).await;
        }
        if (turn + number).is_multiple_of(8) {
            let dead = visitor.cookies();
            let logout = Request::new("POST", "/logout");
            // A write of the same visitor is parked while he logs out.
            let (writer, shared) = (Client::clone(&visitor), Arc::clone(&load));
            let parked = tokio::spawn(async move {
                let write = Request::new("POST", "/slow/60/add/n/1");
                ask(&shared, number, &writer, Act::AddParked, write).await;
            });
            sleep(Duration::from_millis(10)).await;
            let gone = ask(&load, number, &visitor, Act::Logout, logout).await == Answer::Done;
            parked.await.expect("it is answered");
            if gone {
                let cookie = dead.iter().map(|(name, token)| format!("{name}={token}")).collect::<String>();
                load.dead.lock().unwrap().push((number, cookie.clone()));
                let ghost = Request::new("GET", "/value/v").with_header("cookie", cookie);
                ask(&load, number, &visitor, Act::ReadWithDeadCookie, ghost).await;
            } else {
                ask(&load, number, &visitor, Act::ReadValue, Request::new("GET", "/value/v")).await;
            }
            anew = true;
        }
        if anew {
            visitor.forget();
            note(&load, Event { client: number, act: Act::Anew, answer: Answer::Done, took: Duration::ZERO });
        }
    }
}

async fn ask(load: &Load, client: usize, visitor: &Client, act: Act, request: Request) -> Answer {
    let start = Instant::now();
    load.under_way.fetch_add(1, Ordering::SeqCst);
    let response = visitor.send(request).await;
    load.under_way.fetch_sub(1, Ordering::SeqCst);
    let answer = match response {
        Ok(response) => understood(&act, &response),
        Err(error) => Answer::Other(error.to_string()),
    };
    let took = start.elapsed().saturating_sub(load.lateness.since(start));
    note(load, Event { client, act, answer: answer.clone(), took });
    answer
}

fn note(load: &Load, event: Event) {
    load.history.lock().unwrap().push(event);
}

fn understood(act: &Act, response: &Response) -> Answer {
    let cookie = !response.header("set-cookie").is_empty();
    match (response.status(), response.text()) {
        (503, body) if body == "session store unavailable" && !cookie => Answer::Unavailable,
        (409, body) if body == "session ended" && !cookie => Answer::Ended,
        (204, _) => Answer::Done,
        (200, body) => Answer::Found(body),
        (404, _) if matches!(act, Act::ReadValue | Act::ReadCounter | Act::ReadWithDeadCookie) => {
            Answer::Absent
        }
        (status, body) => Answer::Other(format!("{status} {body}")),
    }
}
