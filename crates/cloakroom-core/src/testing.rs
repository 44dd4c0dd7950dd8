//! What tests need, without a server: a model store, a failing store, and sessions in a given state.
//!
//! A clock that a test moves by hand is [`Clock::manual`](crate::Clock::manual).

mod failing_store;
mod given_session;
mod model_store;

pub use failing_store::{FailingStore, Failure, StoreCalls, Verb};
pub use given_session::session;
pub use model_store::ModelStore;
