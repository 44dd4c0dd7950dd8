#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod error;
mod principal;
mod store;
mod store_error;
#[cfg(feature = "testing")]
pub mod testing;

pub use async_trait::async_trait;

pub use crate::clock::Clock;
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::principal::{Admitted, Entries, IndexVersion, PrincipalIndex};
pub use crate::store::{
    Created, Deleted, Freshness, PrincipalTag, PublicHandle, Record, Replaced, Store, StoreKey, Touched,
    Version,
};
pub use crate::store_error::{StoreError, StoreErrorKind};
