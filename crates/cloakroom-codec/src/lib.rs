#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod random;

pub use crate::error::{Error, ErrorKind};
pub use crate::random::random_array;
