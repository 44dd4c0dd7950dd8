//! Several servers: each key has one, and keeps it whatever becomes of the others.

use cloakroom_core::{Created, Freshness, Record, Replaced, Store as _, StoreErrorKind, StoreKey};
use cloakroom_memcached::MemcachedStore;
use xtask::server::MemcachedServer;

use crate::sample;

const SESSIONS: usize = 600;

struct Servers([MemcachedServer; 3]);

impl Servers {
    fn start() -> Self {
        Self([(); 3].map(|()| MemcachedServer::start().expect("a server")))
    }

    /// The URL with the servers in this order.
    fn url(&self, order: [usize; 3]) -> String {
        format!("memcache://{}", order.map(|number| format!("127.0.0.1:{}", self.0[number].port())).join(","))
    }

    fn items(&self) -> [u64; 3] {
        [0, 1, 2].map(|number| self.0[number].stats().expect("a count")["curr_items"])
    }
}

async fn filled(store: &MemcachedStore) -> Vec<(StoreKey, Record)> {
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let (key, record) = (sample::key(), sample::record());
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
        sessions.push((key, record));
    }
    sessions
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn each_server_keeps_its_share_whatever_the_order() {
    let servers = Servers::start();
    let store = MemcachedStore::connect(&servers.url([0, 1, 2])).await.expect("the servers");
    let sessions = filled(&store).await;
    let items = servers.items();
    println!("{items:?} of {SESSIONS} sessions");
    assert_eq!(items.iter().sum::<u64>(), 600);
    assert!(items.iter().all(|count| (140..=260).contains(count)), "{items:?}");
    let other = MemcachedStore::connect(&servers.url([2, 0, 1])).await.expect("the servers");
    for (key, record) in &sessions {
        let found = other.load(key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!(found.version, record.version);
    }
}

/// Nobody takes over: a session that moved would come back, ended or not, when the server does.
#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn keys_of_a_server_that_is_down_are_unavailable_and_the_others_are_not() {
    let mut servers = Servers::start();
    let store = MemcachedStore::connect(&servers.url([0, 1, 2])).await.expect("the servers");
    let sessions = filled(&store).await;
    let items = servers.items();
    servers.0[1].kill9();
    let mut lost = Vec::new();
    for (key, record) in &sessions {
        match store.load(key, Freshness::Latest).await {
            Ok(found) => {
                assert_eq!(found.expect("a record").version, record.version);
                let next = sample::record();
                let replaced = store.replace(key, record.version, &next).await;
                assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
            }
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                let error = store.create(key, record).await.expect_err("no server");
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                lost.push(*key);
            }
        }
    }
    println!("{} of {SESSIONS} sessions were on the server that is down", lost.len());
    assert_eq!(u64::try_from(lost.len()).expect("few"), items[1]);
    let after = servers.0[0].stats().expect("a count")["curr_items"];
    assert_eq!(after, items[0], "another server took over");
    servers.0[1].restart().expect("the server again");
    for key in &lost {
        assert_eq!(store.load(key, Freshness::Latest).await.expect("an answer"), None);
        let created = store.create(key, &sample::record()).await;
        assert_eq!(created.expect("an answer"), Created::Created);
    }
}

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn start_wants_all_servers_and_a_lazy_one_none() {
    let mut servers = Servers::start();
    servers.0[2].kill9();
    let error = MemcachedStore::connect(&servers.url([0, 1, 2])).await.expect_err("one is down");
    assert_eq!(error.kind(), cloakroom_core::ErrorKind::Unavailable);
    let store = MemcachedStore::connect_lazy(&servers.url([0, 1, 2])).expect("a URL");
    let mut found = 0;
    for _ in 0..60 {
        found += usize::from(store.create(&sample::key(), &sample::record()).await.is_ok());
    }
    assert!((20..=55).contains(&found), "{found} of 60");
}
