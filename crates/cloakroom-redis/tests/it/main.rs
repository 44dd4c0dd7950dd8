//! The store against real servers, against a server that misbehaves on purpose, and through a bad network.
//!
//! What needs `redis-server` is ignored by plain `cargo test` and run by `cargo xtask test`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the helpers of tests fail as tests do"
)]

mod announce;
mod cancel;
mod cost;
mod doubt;
mod failover;
mod fake;
mod fake_cluster;
mod index;
mod index_outages;
mod keys;
mod laws;
mod load;
mod network;
mod outage;
mod redirect;
mod replicas;
mod rights;
mod role;
mod shared;
mod start;
mod tls;

use cloakroom_testkit::sample;
