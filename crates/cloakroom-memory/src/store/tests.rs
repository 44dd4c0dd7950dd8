#![allow(clippy::unwrap_used, reason = "helpers of tests, which may fail")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cloakroom_core::{Clock, Record, Store as _, StoreErrorKind, StoreKey, Version};

use super::MemoryStore;
use crate::deadline::Deadline;
use crate::search::MOST;
use crate::shard::STEP;

const MINUTE: Duration = Duration::from_secs(60);

fn now<T>(verb: impl Future<Output = T>) -> T {
    match pin!(verb).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the memory store waits for nothing"),
    }
}

fn key(number: u64) -> StoreKey {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    StoreKey::from_bytes(bytes)
}

/// How many reminders are due in all shards.
fn overdue(store: &MemoryStore) -> usize {
    let now = Deadline::at(store.0.clock.monotonic());
    (0..).map_while(|number| store.0.shards.numbered(number)).map(|shard| shard.overdue(now)).sum()
}

#[test]
fn verb_on_a_full_store_follows_a_thousand_reminders_at_most() {
    const SESSIONS: u64 = 100_000;
    let clock = Clock::manual();
    // Of which a tenth is not for records without a principal.
    let store = MemoryStore::new().with_clock(clock.clone()).with_max_entries(111_111);
    let version = Version::new(1).unwrap();
    let record = Record::new(vec![7], version, MINUTE);
    for number in 0..SESSIONS {
        let _ = now(store.create(&key(number), &record)).unwrap();
        let _ = now(store.touch(&key(number), version, 2 * MINUTE)).unwrap();
    }
    clock.advance(MINUTE);
    let (mut left, mut verbs) = (overdue(&store), 0);
    assert_eq!(left, 100_000, "a backlog that buries nothing");
    while left > 0 {
        let refused = now(store.create(&key(SESSIONS), &record)).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Full);
        let after = overdue(&store);
        assert!(left - after <= MOST + 2 * STEP, "{} at one go", left - after);
        assert!(after < left, "it goes on where the verb before gave up");
        (left, verbs) = (after, verbs + 1);
    }
    assert!(verbs >= 90, "{verbs}");
    clock.advance(MINUTE);
    let _ = now(store.create(&key(SESSIONS), &record)).unwrap();
}
