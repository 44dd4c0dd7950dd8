#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// In the order of a request.
mod cache;
mod carried;
mod change;
mod commit;
mod cookie_header;
mod key;
mod live;
mod login;
mod manager;
mod reply;
mod session;
mod transport;
mod visit;
mod visits;
// What it rests on.
mod backend;
mod clock;
mod cookie;
mod csrf;
mod error;
mod events;
mod expiry;
mod form;
mod limit;
mod patience;
mod principal;
mod renewal;
mod store;
mod store_error;
#[cfg(feature = "testing")]
pub mod testing;
mod turns;

pub use async_trait::async_trait;
pub use cloakroom_codec::KeyRing;

pub use crate::backend::Backend;
pub use crate::clock::Clock;
pub use crate::cookie::{CookieLifetime, CookiePolicy, Partition, SameSite};
pub use crate::csrf::CsrfPolicy;
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::events::{EndReason, RejectReason, SessionEvent, SessionEventKind, SessionEvents};
pub use crate::expiry::Expiry;
pub use crate::key::{Key, SessionKey};
pub use crate::limit::SessionLimit;
pub use crate::login::{Login, VisitorValues};
pub use crate::manager::{OnEnded, SessionInfo, SessionManager, SessionManagerBuilder};
pub use crate::principal::{Admitted, Entries, Entry, IndexVersion, PrincipalIndex};
pub use crate::renewal::{OnReuse, Renewal};
pub use crate::reply::{Reply, ResponseHeaders};
pub use crate::session::Session;
pub use crate::store::{
    Created, Deleted, Freshness, PrincipalTag, PublicHandle, Record, Replaced, Store, StoreKey, Touched,
    Version,
};
pub use crate::store_error::{StoreError, StoreErrorKind};
pub use crate::visit::Visit;
pub use crate::visits::{Unnamed, Visits};
