#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cluster;
mod connect;
mod dial;
mod errand;
mod error;
mod eviction;
mod fleet;
mod form;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod greeting;
mod hearing;
mod home;
mod index;
mod lanes;
mod link;
mod list;
mod node;
mod place;
mod prefix;
mod quorum;
mod request;
mod role;
mod script;
mod sentinel;
mod store;
mod stored;
mod target;
mod wire;

pub use crate::connect::RedisStoreBuilder;
pub use crate::store::RedisStore;
