//! What sessions do, over the model store, without a framework.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics when it fails"
)]

mod cancellation;
mod concurrency;
mod configuration;
mod cookies;
mod events;
mod expiry;
mod failure;
mod headers;
mod model;
mod renewal;
mod rotation;
mod secrecy;
mod world;
