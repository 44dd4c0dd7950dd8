//! The servers of one store.

use cloakroom_core::StoreKey;

use crate::router::Seed;

/// One server, and perhaps more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Servers<S> {
    first: S,
    others: Vec<S>,
}

impl<S> Servers<S> {
    pub(crate) const fn new(first: S, others: Vec<S>) -> Self {
        Self { first, others }
    }

    pub(crate) fn map<T>(self, make: impl Fn(S) -> T) -> Servers<T> {
        Servers { first: make(self.first), others: self.others.into_iter().map(make).collect() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &S> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The one that keeps `key`: the one with the highest score. Only names with the same seed can draw, and then
    /// the first wins.
    pub(crate) fn keeper(&self, key: &StoreKey, seed: impl Fn(&S) -> Seed) -> &S {
        let score = |server: &S| seed(server).score(key);
        self.others
            .iter()
            .fold(&self.first, |best, other| if score(other) > score(best) { other } else { best })
    }
}
