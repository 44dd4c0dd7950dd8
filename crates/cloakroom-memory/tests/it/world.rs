//! A store, its clock, and short ways to speak of records.

#![allow(clippy::unwrap_used, reason = "shared by tests, which may fail")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cloakroom_core::{Clock, PrincipalIndex, PrincipalTag, Record, Store, StoreKey, Version};
use cloakroom_memory::MemoryStore;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Runs a verb of the memory store, which answers at the first poll.
pub(crate) fn now<T>(verb: impl Future<Output = T>) -> T {
    match pin!(verb).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the memory store waits for nothing"),
    }
}

pub(crate) fn store() -> (MemoryStore, Clock) {
    let clock = Clock::manual();
    (MemoryStore::new().with_clock(clock.clone()), clock)
}

pub(crate) fn index(store: &MemoryStore) -> &dyn PrincipalIndex {
    store.principals().unwrap()
}

pub(crate) fn key(number: u64) -> StoreKey {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    StoreKey::from_bytes(bytes)
}

pub(crate) fn tag(number: u8) -> PrincipalTag {
    PrincipalTag::from_bytes([number; 32])
}

pub(crate) fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// An anonymous record of so many bytes, for a minute.
pub(crate) fn record(len: usize, number: u64) -> Record {
    Record::new(vec![7; len], version(number), MINUTE)
}

/// The same of a principal.
pub(crate) fn record_of(number: u8, len: usize, version: u64) -> Record {
    record(len, version).with_principal(Some(tag(number)))
}
