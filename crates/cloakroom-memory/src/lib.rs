#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod deadline;
mod expiring_map;
mod hashed;
mod index;
mod list;
mod meter;
mod room;
mod search;
mod shard;
mod shards;
mod slot;
mod store;

pub use crate::store::MemoryStore;
