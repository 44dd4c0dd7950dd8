//! The store against real servers, against a server that misbehaves on purpose, and through a bad network.
//!
//! What needs `memcached` is ignored by plain `cargo test` and run by `cargo xtask test`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the helpers of tests fail as tests do"
)]

mod cancel;
mod choice;
mod cost;
mod cut;
mod doubt;
mod emulator;
mod eviction;
mod fake;
mod items;
mod laws;
mod many;
mod network;
mod outage;
mod shared;
mod start;

use cloakroom_testkit::sample;
