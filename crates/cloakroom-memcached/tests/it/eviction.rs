//! A server that has too little memory: sessions go missing, and nothing else happens.

use cloakroom_core::{Created, Deleted, Freshness, Record, Replaced, Store as _, Touched};
use cloakroom_memcached::MemcachedStore;
use xtask::server::MemcachedServer;

use crate::sample::{self, MINUTE};

#[tokio::test]
#[ignore = "needs memcached: run `cargo xtask test`"]
async fn evicted_sessions_are_plain_misses() {
    const SESSIONS: usize = 4_000;
    let server = MemcachedServer::builder().with_arguments(["-m", "2"]).start().expect("a server");
    let store = MemcachedStore::connect(&server.url()).await.expect("a server");
    let payload = |number: usize| {
        let mut payload = format!("of {number}:").into_bytes();
        payload.resize(1_000 + number % 7 * 700, number.to_le_bytes()[0]);
        payload
    };
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        let (key, record) = (sample::key(), Record::new(payload(number), sample::version(), MINUTE));
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
        sessions.push((key, record));
    }
    let evictions = server.stats().expect("a count")["evictions"];
    let (mut kept, mut gone) = (0, 0);
    for (key, record) in &sessions {
        let next = Record::new(record.payload.clone(), sample::version(), MINUTE);
        match store.load(key, Freshness::Latest).await.expect("an answer") {
            Some(found) => {
                assert!(found.payload == record.payload && found.version == record.version, "a mixture");
                kept += 1;
                // Between two requests it may go.
                let replaced = store.replace(key, record.version, &next).await.expect("an answer");
                assert_ne!(replaced, Replaced::Conflict);
            }
            None => {
                gone += 1;
                let replaced = store.replace(key, record.version, &next).await;
                assert_eq!(replaced.expect("an answer"), Replaced::Missing);
                let touched = store.touch(key, record.version, MINUTE * 2).await;
                assert_eq!(touched.expect("an answer"), Touched::Missing);
                assert_eq!(store.delete(key).await.expect("an answer"), Deleted::Missing);
                assert_eq!(store.load(key, Freshness::Latest).await.expect("an answer"), None);
            }
        }
    }
    println!("{kept} sessions kept, {gone} gone; the server counts {evictions} evictions");
    assert!(evictions > 500 && gone > 500 && kept > 50, "{kept} kept, {gone} gone, {evictions} evicted");
}
