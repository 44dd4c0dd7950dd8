//! The laws, on stores that keep them, and on stores that break them on purpose.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests and their helpers fail by panicking"
)]

mod backend;
mod broken;
mod fault;
mod faults;
mod faulty;
mod index_faults;
mod indexed_model;
mod list;
mod model;
