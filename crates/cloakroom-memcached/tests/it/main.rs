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

mod choice;
mod doubt;
mod emulator;
mod fake;
mod laws;
mod log;
mod sample;
mod shared;
