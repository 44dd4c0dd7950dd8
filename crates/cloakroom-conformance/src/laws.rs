//! The laws: one function for each line of the contracts, under the same name.
//!
//! [`conformance_tests!`](crate::conformance_tests) and
//! [`index_conformance_tests!`](crate::index_conformance_tests) list them; each can also be called by itself, to
//! be debugged. A law opens a namespace of its own, and panics with what the store did and what the law wants.
//! It takes an error for a breach, too, as the backend is expected to be up.
//!
//! ```
//! # use std::sync::Arc;
//! # use cloakroom_conformance::Harness;
//! # use cloakroom_core::{Clock, testing::ModelStore};
//! # struct Model;
//! # impl Harness for Model {
//! #     type Store = Arc<ModelStore>;
//! #     async fn open(&self) -> Arc<ModelStore> { Arc::new(ModelStore::new(Clock::system())) }
//! #     async fn open_again(&self, store: &Arc<ModelStore>) -> Arc<ModelStore> { Arc::clone(store) }
//! # }
//! use cloakroom_conformance::{laws, run};
//!
//! run(laws::delete::delete_is_idempotent(&Model));
//! # Ok::<(), cloakroom_core::Error>(())
//! ```
#![allow(clippy::missing_panics_doc, reason = "every law panics when a store breaks it")]

pub mod create;
pub mod delete;
pub mod expiry;
pub mod index;
pub mod replace;
pub mod together;
