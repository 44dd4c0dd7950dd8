//! The visits of one request, by the names of their sessions.

use std::any::TypeId;

use crate::visit::Visit;

/// The visits of one request, which an adapter keeps in the request's extensions: one for each session that
/// the application names.
///
/// A name is the [`TypeId`] of any type; [`Unnamed`] stands for the session that has none. Almost always there
/// is one visit, which then costs no list.
///
/// ```
/// use std::any::TypeId;
/// use cloakroom_core::testing::ModelStore;
/// use cloakroom_core::{Clock, KeyRing, SessionManager, Unnamed, Visits};
///
/// let sessions = SessionManager::new(ModelStore::new(Clock::system()), KeyRing::generate());
/// let visits = Visits::new(TypeId::of::<Unnamed>(), sessions.visit([]));
/// assert!(visits.get(TypeId::of::<Unnamed>()).is_some());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Visits {
    first: Entry,
    more: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: TypeId,
    visit: Visit,
}

/// The name of the session that has none.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it is a name, and has no values")]
pub enum Unnamed {}

impl Visits {
    /// The first visit of a request.
    #[must_use]
    pub const fn new(name: TypeId, visit: Visit) -> Self {
        Self { first: Entry { name, visit }, more: Vec::new() }
    }

    /// Adds the visit of another session.
    pub fn add(&mut self, name: TypeId, visit: Visit) {
        self.more.push(Entry { name, visit });
    }

    /// The visit of this name.
    #[must_use]
    pub fn get(&self, name: TypeId) -> Option<&Visit> {
        let mut entries = std::iter::once(&self.first).chain(&self.more);
        entries.find(|entry| entry.name == name).map(|entry| &entry.visit)
    }
}
