//! The visits of one request, by the names of their sessions.

use std::any::TypeId;

use cloakroom_core::Visit;

/// The visits of one request, in its extensions. Almost always one, which then costs no list.
#[derive(Clone)]
pub(crate) struct Visits {
    first: Entry,
    more: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    name: TypeId,
    visit: Visit,
}

/// The name of the session that has none.
pub(crate) enum Unnamed {}

impl Visits {
    pub(crate) const fn new(name: TypeId, visit: Visit) -> Self {
        Self { first: Entry { name, visit }, more: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: TypeId, visit: Visit) {
        self.more.push(Entry { name, visit });
    }

    pub(crate) fn get(&self, name: TypeId) -> Option<&Visit> {
        let mut entries = std::iter::once(&self.first).chain(&self.more);
        entries.find(|entry| entry.name == name).map(|entry| &entry.visit)
    }
}
