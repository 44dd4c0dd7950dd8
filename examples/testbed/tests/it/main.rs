//! The stories, and the proofs that count, kill, dump and cancel, against the program itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

mod cancellations;
mod configuration;
mod counts;
mod dump;
mod faults;
mod fleet;
mod history;
mod outage;
mod program;
mod raw_redis;
#[path = "../../../../crates/cloakroom-faults/tests/it/servers.rs"]
mod servers;
mod spoiled;
mod stories;
