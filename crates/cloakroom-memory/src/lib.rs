#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod deadline;
mod digest_hash;
mod expiring_map;
mod index;
mod list;
mod meter;
mod room;
mod shard;
mod shards;
mod store;

pub use crate::store::MemoryStore;
