#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod connect;
mod connection;
mod errand;
mod error;
mod facts;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod home;
mod interview;
mod item_size;
mod lifetime;
mod node;
mod pool;
mod prefix;
mod request;
mod router;
mod servers;
mod store;
mod stored;
mod target;

pub use crate::connect::MemcachedStoreBuilder;
pub use crate::store::MemcachedStore;
