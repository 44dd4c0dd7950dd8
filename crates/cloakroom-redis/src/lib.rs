#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod connect;
mod errand;
mod error;
mod eviction;
mod link;
mod prefix;
mod script;
mod store;
mod stored;
mod target;

pub use crate::connect::RedisStoreBuilder;
pub use crate::store::RedisStore;
