//! What Chromium makes of the cookies, pages and refusals of the real programs, on both adapters.
//!
//! Each check returns what it finds wrong. One test demands that it finds nothing; another one spoils the answers on their
//! way, and demands that it finds that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests and their helpers"
)]

mod accounts;
mod back;
mod carried;
mod cookies;
mod cross_site;
mod csrf;
mod driver;
mod findings;
mod program;
mod restart;
mod screenshots;
mod sockets;
mod tabs;
mod world;
