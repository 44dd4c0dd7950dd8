#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod crowd;
mod cut;
mod dice;
mod harness;
pub mod laws;
mod list;
mod probe;
mod run;
mod sample;
pub mod stories;
mod verdict;

pub use crate::harness::Harness;
pub use crate::run::run;
