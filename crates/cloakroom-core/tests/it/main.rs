//! What sessions do, over the model store, without a framework.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics when it fails"
)]

mod at_once;
mod cancellation;
mod change_over;
mod client_side;
mod client_side_login;
mod concurrency;
mod configuration;
mod cookies;
mod credentials;
mod csrf;
mod doubt;
mod events;
mod expiry;
mod failure;
mod fleet;
mod headers;
mod limit;
mod limit_doubt;
mod listing;
mod lists;
mod log;
mod lost_create;
mod lost_reply;
mod model;
mod outdated;
mod plain;
mod remember;
mod renewal;
mod renewal_clients;
mod rotation;
mod secrecy;
mod step_up;
mod upkeep;
mod world;
