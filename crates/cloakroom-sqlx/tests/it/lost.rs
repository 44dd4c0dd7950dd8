//! Replies that are lost on their way, and connections that somebody in between has forgotten.

use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use cloakroom_core::{
    Admitted, Created, Deleted, Freshness, PrincipalIndex as _, PrincipalTag, Replaced, Store as _,
    StoreErrorKind, Touched,
};
use cloakroom_sqlx::{Dialect, SqlStore};
use cloakroom_testkit::{Lateness, Network, Proxy, dropped_after};
use sqlx::pool::PoolOptions;
use sqlx::{Database, Executor, Pool};

use crate::machine::{Machine, on_both_servers};
use crate::outage::ended_within;
use crate::sample::{self, MINUTE};

on_both_servers! {
    verb_whose_reply_is_cut_at_any_byte_finds_its_own_write
    admit_whose_reply_is_lost_finds_its_own_write
    write_of_another_after_a_lost_reply_is_ambiguous
    forgotten_connections_cost_one_deadline
    connection_is_made_though_the_verb_that_wanted_it_gave_up
    dropped_verb_goes_on_and_keeps_its_connection
    each_verb_is_one_round_trip
    answer_that_came_twice_answers_nobody_else
    error_of_another_statement_is_not_believed
    verb_that_nobody_goes_on_with_gives_up_its_connection
}

/// More than the reply to any of these verbs.
const REPLY: u64 = 240;

/// As long as a slow machine takes.
const CONNECT: Duration = Duration::from_secs(2);

pub(crate) struct Wired<M: Machine> {
    pub(crate) server: M,
    pub(crate) proxy: Proxy,
    pub(crate) store: SqlStore<M::Dialect>,
    timeout: Duration,
}

impl<M: Machine> Wired<M> {
    pub(crate) async fn new(timeout: Duration, connections: u32) -> Self {
        let server = M::begin();
        let proxy = Proxy::before_port(server.port()).await.expect("a proxy");
        let store = SqlStore::builder(&server.address_by(proxy.address().port()))
            .with_max_connections(connections)
            .with_timeout(timeout)
            .with_connect_timeout(CONNECT)
            .connect()
            .await
            .expect("the server");
        Self { server, proxy, store, timeout }
    }

    /// From now on, over the pool of an application, which pings a connection that comes back.
    fn share(&mut self) -> Pool<M::Dialect> {
        let url = self.server.address_by(self.proxy.address().port());
        let pool = PoolOptions::new().max_connections(1).test_before_acquire(false);
        let pool = pool.connect_lazy(&url).expect("a URL");
        let shared = SqlStore::builder_over(pool.clone()).with_timeout(self.timeout);
        self.store = shared.connect_lazy().expect("a store");
        pool
    }

    /// Waits until the connection is back in the pool, or closed.
    async fn idle(&self) {
        self.until(&["1 of 1 ", "0 of 0 "]).await;
    }

    /// Waits until the connection is back in the pool, so that the next reply is that to the next verb.
    pub(crate) async fn settle(&self) {
        self.until(&["1 of 1 "]).await;
    }

    async fn until(&self, connections: &[&str]) {
        let is_so = || connections.iter().any(|words| format!("{:?}", self.store).contains(words));
        let wait = async {
            while !is_so() {
                tokio::task::yield_now().await;
            }
        };
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| panic!("{:?}", self.store));
    }
}

async fn verb_whose_reply_is_cut_at_any_byte_finds_its_own_write<M: Machine>() {
    let wired = Wired::<M>::new(Duration::from_secs(5), 1).await;
    let store = &wired.store;
    for cut in (0..REPLY).step_by(3) {
        let (key, first, second) = (sample::key(), sample::record(), sample::record());
        // Each on a connection that knows the statement already: what is lost before it is executed is not put again.
        assert_eq!(store.create(&sample::key(), &first).await.expect("an answer"), Created::Created);
        let _ = store.delete(&sample::key()).await.expect("an answer");
        wired.settle().await;
        wired.proxy.set(Network::CutNextWithin(cut));
        assert_eq!(store.create(&key, &first).await.expect("its own"), Created::Created, "{cut}");
        let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!(found.payload, first.payload);
        wired.settle().await;
        wired.proxy.set(Network::CutNextWithin(cut));
        let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!(found.payload, first.payload, "{cut}");
        let touched = store.touch(&key, first.version, MINUTE * 2).await.expect("an answer");
        assert_eq!(touched, Touched::Touched);
        wired.settle().await;
        wired.proxy.set(Network::CutNextWithin(cut));
        let replaced = store.replace(&key, first.version, &second).await.expect("its own");
        assert_eq!(replaced, Replaced::Replaced, "{cut}");
        wired.settle().await;
        wired.proxy.set(Network::CutNextWithin(cut));
        assert_eq!(store.delete(&key).await.expect("its own"), Deleted::Deleted, "{cut}");
        assert_eq!(store.load(&key, Freshness::Latest).await.expect("an answer"), None);
    }
    let cuts = wired.proxy.seen().cuts();
    println!("{cuts} replies cut");
    assert!(cuts > REPLY / 3 * 2, "{cuts} replies cut");
}

/// It has two replies, and either may be lost.
async fn admit_whose_reply_is_lost_finds_its_own_write<M: Machine>() {
    let wired = Wired::<M>::new(Duration::from_secs(5), 1).await;
    let (store, tag) = (&wired.store, PrincipalTag::from_bytes([7; 32]));
    for cut in (0..900).step_by(9) {
        // On a connection that knows the statements already; the list changes with each round, and does not grow.
        let version = store.entries(&tag).await.expect("an answer").version;
        let known = sample::key();
        let admitted = store.admit(&tag, version, &known, MINUTE, &[]).await.expect("an answer");
        assert_eq!(admitted, Admitted::Admitted);
        let version = store.entries(&tag).await.expect("an answer").version;
        wired.settle().await;
        wired.proxy.set(Network::CutOnceAfter(cut));
        let admitted = store.admit(&tag, version, &sample::key(), MINUTE, &[known]).await;
        assert_eq!(admitted.expect("its own"), Admitted::Admitted, "{cut}");
        let seen = store.entries(&tag).await.expect("an answer");
        assert_eq!(seen.entries.len(), 1, "{cut}");
        assert_ne!(seen.version, version);
        let all: Vec<_> = seen.entries.iter().map(|entry| entry.key).collect();
        store.remove(&tag, &all, Duration::ZERO).await.expect("an answer");
        wired.proxy.set(Network::Pass);
    }
    let cuts = wired.proxy.seen().cuts();
    println!("{cuts} replies cut");
    assert!(cuts > 30, "{cuts} replies cut");
}

async fn write_of_another_after_a_lost_reply_is_ambiguous<M: Machine>() {
    let wired = Wired::<M>::new(Duration::from_secs(5), 1).await;
    let other = SqlStore::<M::Dialect>::connect(&wired.server.address()).await.expect("the server");
    let (key, first, second, third) = (sample::key(), sample::record(), sample::record(), sample::record());
    assert_eq!(wired.store.create(&key, &first).await.expect("an answer"), Created::Created);
    let missing = wired.store.replace(&sample::key(), first.version, &second).await.expect("an answer");
    assert_eq!(missing, Replaced::Missing);
    wired.settle().await;
    // The reply is held back until somebody else has written, and then it is lost.
    wired.proxy.set(Network::HoldAfter(0));
    let (store, late, version) = (wired.store.clone(), second.clone(), first.version);
    let writer = tokio::spawn(async move { store.replace(&key, version, &late).await });
    while other.replace(&key, second.version, &third).await.expect("an answer") != Replaced::Replaced {
        tokio::task::yield_now().await;
    }
    wired.proxy.set(Network::CutOnceAfter(0));
    let error = writer.await.expect("an end").expect_err("somebody else's record");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
    let found = other.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
    assert_eq!(found.version, third.version);
}

async fn forgotten_connections_cost_one_deadline<M: Machine>() {
    let timeout = Duration::from_secs(4);
    let wired = Wired::<M>::new(timeout, 8).await;
    let store = &wired.store;
    let crowd = async {
        while !format!("{store:?}").contains("8 of 8 connections idle") {
            let crowd: Vec<_> = (0..32)
                .map(|_| {
                    let store = store.clone();
                    tokio::spawn(async move { store.load(&sample::key(), Freshness::Latest).await.is_ok() })
                })
                .collect();
            for one in crowd {
                assert!(one.await.expect("an answer"));
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), crowd).await.expect("eight at once");
    wired.proxy.set(Network::FreezeOlder);
    let (start, lateness) = (Instant::now(), Lateness::watch());
    let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("nobody answers");
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    ended_within(timeout + Duration::from_millis(200), start, &lateness);
    // The others that the pool has are as dead, and not each of them has to be found out.
    let start = Instant::now();
    for _ in 0..8 {
        let found = store.load(&sample::key(), Freshness::Latest).await.expect("an answer");
        assert_eq!(found, None);
    }
    ended_within(CONNECT, start, &lateness);
}

/// Else a verb whose deadline is shorter than a greeting takes would begin one again and again.
async fn connection_is_made_though_the_verb_that_wanted_it_gave_up<M: Machine>() {
    let server = M::begin();
    let proxy = Proxy::before_port(server.port()).await.expect("a proxy");
    proxy.set(Network::BlackHole);
    let store = SqlStore::<M::Dialect>::builder(&server.address_by(proxy.address().port()))
        .with_timeout(Duration::from_millis(20))
        .with_connect_timeout(Duration::from_secs(20))
        .connect_lazy()
        .expect("a URL");
    let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("no connection");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    proxy.set(Network::Pass);
    tokio::time::timeout(Duration::from_secs(15), async {
        while !format!("{store:?}").contains("1 of 1 connections idle") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("a connection");
}

/// What it asked is answered behind it, and the next verb gets its own answer over the same connection.
async fn dropped_verb_goes_on_and_keeps_its_connection<M: Machine>() {
    let wired = Wired::<M>::new(Duration::from_secs(5), 1).await;
    let (store, seen) = (&wired.store, wired.proxy.seen());
    let record = sample::record();
    assert_eq!(store.create(&sample::key(), &record).await.expect("an answer"), Created::Created);
    wired.settle().await;
    let connections = seen.connections();
    for _ in 0..5 {
        let (key, asked) = (sample::key(), seen.asked());
        wired.proxy.set(Network::HoldAfter(0));
        assert!(dropped_after(1, store.create(&key, &record)).await.is_none(), "answered at once");
        wired.proxy.until(|seen| seen.asked() > asked).await;
        wired.proxy.set(Network::Pass);
        assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
    }
    assert_eq!(seen.connections(), connections);
}

/// Nothing else goes to the server, on the way of the request or off it.
async fn each_verb_is_one_round_trip<M: Machine>() {
    let wired = Wired::<M>::new(Duration::from_secs(5), 1).await;
    let (store, seen) = (&wired.store, wired.proxy.seen());
    for warm in [false, true] {
        let mut before = seen.requests();
        let mut costs = Vec::new();
        let mut verb = |answer: bool| {
            assert!(answer);
            let all = seen.requests();
            costs.push(all - std::mem::replace(&mut before, all));
        };
        let (key, first, second) = (sample::key(), sample::record(), sample::record());
        let answer = store.create(&key, &first).await.expect("an answer") == Created::Created;
        wired.settle().await;
        verb(answer);
        let answer = store.load(&key, Freshness::Latest).await.expect("an answer").is_some();
        wired.settle().await;
        verb(answer);
        let answer =
            store.touch(&key, first.version, MINUTE * 2).await.expect("an answer") == Touched::Touched;
        wired.settle().await;
        verb(answer);
        let answer =
            store.replace(&key, first.version, &second).await.expect("an answer") == Replaced::Replaced;
        wired.settle().await;
        verb(answer);
        let answer = store.delete(&key).await.expect("an answer") == Deleted::Deleted;
        wired.settle().await;
        verb(answer);
        // What came after the last answer.
        verb(true);
        let preparing = u64::from(!warm);
        println!("{costs:?}");
        assert_eq!(costs, [1, 1, 1, 1, 1, 0].map(|cost| cost + preparing * cost));
    }
}

/// Whatever was asked before, and whatever is asked next; and where an application shares its pool, which pings in between.
async fn answer_that_came_twice_answers_nobody_else<M: Machine>() {
    const BEFORE: u32 = 9;
    const NEXT: u32 = 9;
    let mut wired = Wired::<M>::new(Duration::from_secs(5), 1).await;
    for is_shared in [false, true] {
        if is_shared {
            wired.share();
        }
        for round in 0..BEFORE * NEXT {
            answer_comes_twice(&wired, round / NEXT, round % NEXT).await;
        }
    }
}

async fn answer_comes_twice<M: Machine>(wired: &Wired<M>, before: u32, next: u32) {
    let (store, tag) = (&wired.store, PrincipalTag::from_bytes([7; 32]));
    let what = || format!("{next} after {before}, {store:?}");
    let (key, other) = (sample::key(), sample::key());
    let (first, second) = (sample::record(), sample::record());
    know_the_statements(store, &tag).await;
    assert_eq!(store.create(&key, &first).await.expect("an answer"), Created::Created);
    wired.idle().await;
    let answered = wired.proxy.seen().answered();
    wired.proxy.set(Network::Duplicate);
    // An error says that it was noticed at once.
    let asked = async {
        match before {
            0 => drop(store.load(&other, Freshness::Latest).await),
            1 => drop(store.load(&key, Freshness::Latest).await),
            2 => drop(store.touch(&key, first.version, MINUTE).await),
            3 => drop(store.touch(&other, first.version, MINUTE).await),
            4 => drop(store.create(&other, &second).await),
            5 => drop(store.create(&key, &second).await),
            6 => drop(store.delete(&other).await),
            7 => drop(store.entries(&tag).await),
            _ => drop(store.sweep(5).await),
        }
    };
    // No connection is made meanwhile.
    tokio::join!(asked, async {
        wired.proxy.until(|seen| seen.answered() > answered).await;
        wired.proxy.set(Network::Pass);
    });
    wired.idle().await;
    match next {
        0 => {
            let touched = store.touch(&key, first.version, MINUTE * 2).await;
            assert_eq!(touched.expect("its own"), Touched::Touched, "{}", what());
        }
        1 => {
            let replaced = store.replace(&key, first.version, &second).await;
            assert_eq!(replaced.expect("its own"), Replaced::Replaced, "{}", what());
        }
        2 => assert_eq!(store.delete(&key).await.expect("its own"), Deleted::Deleted, "{}", what()),
        // The first try may have made it, for all that is known, and somebody else taken its place.
        3 => match store.create(&key, &second).await {
            Ok(created) => assert_eq!(created, Created::Occupied, "{}", what()),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Ambiguous, "{}", what()),
        },
        4 => assert!(store.entries(&tag).await.expect("its own").entries.is_empty(), "{}", what()),
        5 => {
            let touched = store.touch(&sample::key(), first.version, MINUTE).await;
            assert_eq!(touched.expect("its own"), Touched::Missing, "{}", what());
        }
        // The first try may have deleted it, for all that is known.
        6 => drop(store.delete(&sample::key()).await.expect("its own")),
        7 => drop(store.sweep(5).await.expect("its own")),
        _ => {}
    }
    let found = store.load(&key, Freshness::Latest).await.expect("its own");
    let wanted = match next {
        1 => Some(second.payload),
        2 => None,
        _ => Some(first.payload),
    };
    assert_eq!(found.map(|record| record.payload), wanted, "{}", what());
}

/// Else a change that took effect would end as one that the server refused.
async fn error_of_another_statement_is_not_believed<M: Machine>()
where
    for<'c> &'c mut <M::Dialect as Database>::Connection: Executor<'c, Database = M::Dialect>,
{
    let mut wired = Wired::<M>::new(Duration::from_secs(5), 1).await;
    let pool = wired.share();
    let store = &wired.store;
    know_the_statements(store, &PrincipalTag::from_bytes([7; 32])).await;
    let (key, first, second) = (sample::key(), sample::record(), sample::record());
    assert_eq!(store.create(&key, &first).await.expect("an answer"), Created::Created);
    wired.settle().await;
    let (seen, mut length) = (wired.proxy.seen(), 0);
    // At first as it is; then the answer to the verb comes twice, and that to the ping behind it.
    for network in [Network::Pass, Network::Duplicate] {
        let before = seen.answered();
        wired.proxy.set(network);
        let touched = store.touch(&key, first.version, MINUTE).await.expect("an answer");
        assert_eq!(touched, Touched::Touched);
        wired.settle().await;
        wired.proxy.until(|seen| seen.answered() >= before + length * 2).await;
        length = seen.answered() - before;
    }
    wired.proxy.set(Network::Pass);
    // The application does not hear of its error.
    pool.execute(sqlx::raw_sql("SELECT id FROM nowhere")).await.expect("the answer to what was before");
    wired.settle().await;
    let replaced = store.replace(&key, first.version, &second).await;
    assert_eq!(replaced.expect("its own"), Replaced::Replaced);
}

/// So that each is one round trip from now on, over this connection.
async fn know_the_statements<D: Dialect>(store: &SqlStore<D>, tag: &PrincipalTag) {
    let (key, first, second) = (sample::key(), sample::record(), sample::record());
    assert_eq!(store.create(&key, &first).await.expect("an answer"), Created::Created);
    assert!(store.load(&key, Freshness::Latest).await.expect("an answer").is_some());
    let touched = store.touch(&key, first.version, MINUTE * 2).await.expect("an answer");
    assert_eq!(touched, Touched::Touched);
    let replaced = store.replace(&key, first.version, &second).await.expect("an answer");
    assert_eq!(replaced, Replaced::Replaced);
    for deleted in [Deleted::Deleted, Deleted::Missing] {
        assert_eq!(store.delete(&key).await.expect("an answer"), deleted);
    }
    assert!(store.entries(tag).await.expect("an answer").entries.is_empty());
    store.sweep(5).await.expect("an answer");
}

/// Else a crowd of such verbs would be an outage for everybody else.
async fn verb_that_nobody_goes_on_with_gives_up_its_connection<M: Machine>() {
    let timeout = Duration::from_secs(2);
    let mut wired = Wired::<M>::new(timeout, 1).await;
    for is_shared in [false, true] {
        if is_shared {
            wired.share();
        }
        let store = &wired.store;
        let (key, record) = (sample::key(), sample::record());
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
        wired.settle().await;
        wired.proxy.set(Network::HoldAfter(0));
        // Begun, and then left alone; and one that waits for the same connection, and is left alone, too.
        let mut parked = [store.load(&key, Freshness::Latest), store.load(&key, Freshness::Latest)];
        for verb in &mut parked {
            assert!(polled(verb.as_mut()).await.is_none(), "answered at once");
        }
        tokio::time::sleep(timeout).await;
        wired.proxy.set(Network::Pass);
        let found = store.load(&key, Freshness::Latest).await.expect("a connection");
        assert_eq!(found.map(|found| found.version), Some(record.version));
        for verb in parked {
            match verb.await {
                Ok(found) => assert_eq!(found.map(|found| found.version), Some(record.version)),
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Timeout),
            }
        }
    }
}

/// Polls once.
async fn polled<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
