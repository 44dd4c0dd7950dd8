//! Replies that are garbage, or come twice: nobody ever sees the session of somebody else, or half of his own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cloakroom::{KeyRing, Session, SessionManager};
use cloakroom_faults::{Browser, Network};
use tokio::time::{sleep, timeout};

use crate::bench::{Bench, DEADLINE, Effort, RECOVERY};
use crate::servers::{Backend, with_parameter};

const VISITORS: usize = 12;

/// What the visitors met.
#[derive(Debug, Default)]
struct Report {
    own: usize,
    /// Own, but older than what was acknowledged: a reply that told a lie.
    older: usize,
    /// Nobody's, though there was a cookie: a session that is there was taken for one that is not.
    nobody: usize,
    errors: usize,
    longest: Duration,
    foreign: Vec<String>,
}

pub(crate) async fn replies_are_garbage_or_come_twice(backend: Backend, effort: Effort) {
    for _ in 0..effort.rounds() {
        for (what, network) in [("garbage", Network::Garbage), ("every reply twice", Network::Duplicate)] {
            spoil(backend, what, network).await;
        }
    }
}

async fn spoil(backend: Backend, what: &str, network: Network) {
    let bench = Bench::new(backend, DEADLINE);
    let proxy = bench.proxy().await;
    let url = bench.server.url_at(proxy.address());
    let url = with_parameter(&url, &format!("timeout={}ms", DEADLINE.as_millis()));
    let store = cloakroom::connect(&url).await.expect("a store");
    let sessions = SessionManager::builder(store, KeyRing::generate());
    let sessions = sessions.with_deadline(2 * DEADLINE).build().expect("a policy");
    let over = Arc::new(AtomicBool::new(false));
    let visitors: Vec<_> = (0..VISITORS)
        .map(|number| tokio::spawn(visitor(number, sessions.clone(), Arc::clone(&over))))
        .collect();
    sleep(Duration::from_millis(300)).await;
    let before = proxy.seen().answered();
    proxy.set(network);
    sleep(Duration::from_millis(1200)).await;
    proxy.set(Network::Pass);
    let spoiled = proxy.seen().answered() - before;
    let back = bench.history.now().at;
    let recovery = timeout(Duration::from_secs(20), async {
        while Browser::default().request(&sessions, |session| session.set("value", "x")).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
        bench.history.now().at - back
    })
    .await
    .expect("no request succeeds any more");
    let late = bench.late(back, back + recovery);
    sleep(Duration::from_millis(300)).await;
    over.store(true, Ordering::SeqCst);
    let mut all = Report::default();
    let mut browsers = Vec::new();
    for visitor in visitors {
        let (browser, report) = visitor.await.expect("no visitor panicked");
        browsers.push(browser);
        all.own += report.own;
        all.older += report.older;
        all.nobody += report.nobody;
        all.errors += report.errors;
        all.longest = all.longest.max(report.longest);
        all.foreign.extend(report.foreign);
    }
    println!(
        "{}, {what}, {spoiled} bytes: {} own sessions, {} older than acknowledged, {} nobody's, {} errors, longest request {:.1?}, first \
         success {recovery:.1?} after the end; {} foreign",
        backend.name,
        all.own,
        all.older,
        all.nobody,
        all.errors,
        all.longest,
        all.foreign.len()
    );
    assert!(all.foreign.is_empty(), "{:?}", all.foreign);
    // Whoever matches replies to requests may notice twins without an error; nobody takes garbage for an answer.
    assert!(all.own > 0 && spoiled > 0, "nothing was spoiled: {all:?}");
    assert!(all.errors > 0 || network == Network::Duplicate, "nobody noticed: {all:?}");
    // A twin is whole: whoever takes one for the answer to another question loses sessions that are there.
    assert!(all.nobody == 0 || network != Network::Duplicate, "sessions were lost: {all:?}");
    assert!(recovery <= RECOVERY + late, "{recovery:?}");
    // The judge objects to a cookie that belongs to somebody else.
    let stranger = browsers.iter_mut().find(|browser| browser.cookie().is_some()).expect("somebody has one");
    let (mut report, start) = (Report::default(), Instant::now());
    loop {
        read(VISITORS + 1, 0, stranger, &sessions, &mut report).await;
        if std::mem::take(&mut report.errors) == 0 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no request succeeds any more");
    }
    assert_eq!(report.foreign.len(), 1, "the judge sees no foreign session: {report:?}");
}

async fn visitor(number: usize, sessions: SessionManager, over: Arc<AtomicBool>) -> (Browser, Report) {
    let (mut browser, mut report, mut written) = (Browser::default(), Report::default(), 0);
    let name = format!("visitor-{number}");
    let mut turn = 0_usize;
    while !over.load(Ordering::SeqCst) {
        turn += 1;
        let start = Instant::now();
        let value = format!("{name} {turn}");
        let write = |session: &Session| {
            if session.principal().is_none() {
                session.authenticate(name.as_str())?;
            }
            session.set("value", &value)
        };
        match browser.request(&sessions, write).await {
            Ok(()) => written = turn,
            Err(_) => report.errors += 1,
        }
        report.longest = report.longest.max(start.elapsed());
        read(number, written, &mut browser, &sessions, &mut report).await;
        sleep(Duration::from_millis(1)).await;
    }
    (browser, report)
}

/// Reads with the cookie of this visitor, and looks whose session it is.
async fn read(
    number: usize,
    written: usize,
    browser: &mut Browser,
    sessions: &SessionManager,
    report: &mut Report,
) {
    let name = format!("visitor-{number}");
    let look = |session: &Session| Ok((session.principal(), session.get::<String>("value")?));
    let has_cookie = browser.cookie().is_some();
    let seen = browser.request(sessions, look).await;
    match seen {
        Err(_) => report.errors += 1,
        Ok((None, None)) => report.nobody += usize::from(has_cookie),
        Ok((Some(principal), value)) if principal == name => {
            let mut words = value.as_deref().unwrap_or_default().split(' ');
            let owner = words.next().is_some_and(|owner| owner == name);
            match words.next().and_then(|turn| turn.parse::<usize>().ok()) {
                Some(turn) if owner && turn >= written => report.own += 1,
                Some(_) if owner => report.older += 1,
                _ => report.foreign.push(format!("{name} sees {value:?}")),
            }
        }
        Ok(other) => report.foreign.push(format!("{name} sees {other:?}")),
    }
}
