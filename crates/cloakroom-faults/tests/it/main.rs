//! What breaks, and what every store makes of it: the fault runs, and the proof of their checker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests and their helpers"
)]

mod aborts;
mod application;
mod backend;
mod bench;
mod connections;
mod crash;
mod databases;
mod disk;
mod doctor;
mod embedded;
mod failover;
mod freeze;
mod full;
mod late;
mod laws;
mod list;
mod many;
mod nonsense;
mod partition;
mod planted;
mod resets;
mod resharding;
mod servers;
mod weather;
