//! The application as people, browsers and other sites meet it: a process of its own, over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod browser;
mod csrf;
mod devices;
mod hostile;
mod notes;
mod outage;
mod page;
mod pages;
mod password;
mod program;
#[path = "../../src/scratch.rs"]
mod scratch;
mod server;
mod signing;
mod step_up;
mod stores;
