//! What a test of a store needs, whichever the store.
//!
//! [`Proxy`] is a network that misbehaves, [`Log`] what was logged meanwhile, [`sample`] makes keys and records,
//! [`dropped_after`] drops a verb half-way, and [`Lateness`] is what the machine is late by. [`network`], [`outage`] and
//! [`logins_beside_revocations`] are what every store goes through.
//!
//! Nothing here is published. The crate knows `cloakroom-core` alone, so that every store's tests can use it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the helpers of tests fail and tell as tests do"
)]

mod clock;
mod dice;
mod dropped;
mod lateness;
mod log;
pub mod network;
pub mod outage;
mod proxy;
mod revocation;
pub mod sample;

pub use crate::clock::{Clock, until};
pub use crate::dice::Dice;
pub use crate::dropped::dropped_after;
pub use crate::lateness::Lateness;
pub use crate::log::{Listening, Log};
pub use crate::proxy::{Network, Proxy, Seen};
pub use crate::revocation::logins_beside_revocations;
