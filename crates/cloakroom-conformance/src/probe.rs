//! A handle on a store under test, which takes errors for breaches.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{
    Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreKey, Touched, Version,
};

use crate::harness::Harness;
use crate::verdict::{answered, broken, no_error};

/// A handle that tasks can share.
#[derive(Debug)]
pub(crate) struct Probe<S>(Arc<S>);

impl<S> Clone for Probe<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A store on a namespace of its own.
pub(crate) async fn one<H: Harness>(h: &H) -> Probe<H::Store> {
    Probe(Arc::new(h.open().await))
}

/// Two stores on one namespace.
pub(crate) async fn two<H: Harness>(h: &H) -> [Probe<H::Store>; 2] {
    let one = h.open().await;
    let other = h.open_again(&one).await;
    [Probe(Arc::new(one)), Probe(Arc::new(other))]
}

/// One of two stores, by the number of a task.
pub(crate) const fn pick<S>([one, other]: &[Probe<S>; 2], number: usize) -> &Probe<S> {
    if number.is_multiple_of(2) { one } else { other }
}

impl<S: Store> Probe<S> {
    pub(crate) fn store(&self) -> &S {
        &self.0
    }

    pub(crate) fn index(&self) -> &dyn PrincipalIndex {
        match self.0.principals() {
            Some(index) => index,
            None => broken("it has no index of principals", "one, or these laws not listed"),
        }
    }

    pub(crate) async fn load(&self, key: &StoreKey) -> Option<Record> {
        no_error("load", self.0.load(key, Freshness::Latest).await)
    }

    pub(crate) async fn create(&self, key: &StoreKey, record: &Record) -> Created {
        no_error("create", self.0.create(key, record).await)
    }

    pub(crate) async fn replace(&self, key: &StoreKey, expected: Version, record: &Record) -> Replaced {
        no_error("replace", self.0.replace(key, expected, record).await)
    }

    pub(crate) async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Touched {
        no_error("touch", self.0.touch(key, expected, ttl).await)
    }

    pub(crate) async fn delete(&self, key: &StoreKey) -> Deleted {
        no_error("delete", self.0.delete(key).await)
    }

    /// Creates a record where there is none.
    pub(crate) async fn begin(&self, key: &StoreKey, record: &Record) {
        answered("create of an absent key", &self.create(key, record).await, &Created::Created);
    }
}
