//! The stores against real databases, and against what goes wrong there.
//!
//! What needs a server is ignored by plain `cargo test` and run by `cargo xtask test`. SQLite needs none.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the helpers of tests fail as tests do"
)]

mod cancel;
mod contention;
mod cost;
mod full;
mod index;
mod laws;
mod lost;
mod lost_create;
mod machine;
mod migrate;
mod outage;
mod people;
mod plan;
mod raw;
mod runtimes;
mod scratch;
mod secrecy;
mod shared;
mod start;
mod sweep;
mod tls;

use cloakroom_testkit::sample;
