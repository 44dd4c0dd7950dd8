//! A store and a clock for tests, without a server.

mod model_store;

pub use model_store::ModelStore;
