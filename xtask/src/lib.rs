//! The workspace's own tools: real servers as values, and the commands of `cargo xtask`.
//!
//! Tests of other crates take this one as a dev-dependency when they have to kill, freeze or restart a
//! server themselves; see [`server`].

pub mod cli;
mod command;
mod error;
pub mod fault;
pub mod install;
pub mod server;
mod workspace;

pub use crate::command::step::cargo;
pub use crate::error::{Error, Result};
