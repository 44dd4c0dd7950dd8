#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cluster;
mod connect;
mod dial;
mod echo;
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
mod inbox;
mod index;
mod lanes;
mod link;
mod list;
mod node;
mod place;
mod prefix;
mod quorum;
mod reply;
mod request;
mod role;
mod script;
mod sentinel;
mod server;
mod store;
mod stored;
mod target;
mod tls;
mod vigil;
mod wire;
mod word;

pub use crate::connect::RedisStoreBuilder;
pub use crate::store::RedisStore;
