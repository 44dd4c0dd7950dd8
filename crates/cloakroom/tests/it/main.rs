//! The front door: what it makes of URLs, and how the stores behind it behave when they are full of sessions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "helpers of tests fail as they do, and measurements are printed"
)]

#[cfg(all(feature = "actix", feature = "axum", feature = "memory"))]
mod overhead;
mod people;
mod scale;
mod urls;
