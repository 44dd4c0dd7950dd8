//! The tools of the fault suite: what is recorded, how it is judged, and what goes wrong on purpose.
//!
//! [`Recorded`] writes down every verb of a store into a [`History`]. [`check`] says whether one true store can have
//! answered so: each key is linearizable, and what was deleted stays deleted. [`FaultyStore`] proves the checker: it
//! is wrong in one way. [`Proxy`] is a network that misbehaves, [`Workload`] the clients that notice.
//!
//! Nothing here is published, and nobody else compiles it.

mod browser;
mod checker;
mod faulty;
mod figures;
mod history;
mod lost;
mod model;
mod order;
mod recorded;
mod rules;
mod workload;

pub use cloakroom_testkit::{Network, Proxy, Seen};

pub use crate::browser::Browser;
pub use crate::checker::{Finding, Law, Verdict, check};
pub use crate::faulty::{FaultyStore, StoreFault};
pub use crate::figures::Figures;
pub use crate::history::{Act, Answer, End, Event, History, Moment, Written};
pub use crate::lost::lost_writes;
pub use crate::recorded::Recorded;
pub use crate::rules::{Keeping, Resending, Rules};
pub use crate::workload::{Clients, Workload, fresh_key, record};
