#![cfg_attr(all(feature = "actix", feature = "axum", feature = "memory"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "actix", feature = "axum", feature = "memory")),
    doc = "The front door of Cloakroom: sessions, over every store and in every framework that a feature was switched on for."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod connect;

pub use cloakroom_core::*;
#[cfg(feature = "memcached")]
pub use cloakroom_memcached::{MemcachedStore, MemcachedStoreBuilder};
#[cfg(feature = "memory")]
pub use cloakroom_memory::MemoryStore;
#[cfg(feature = "redis")]
pub use cloakroom_redis::{RedisStore, RedisStoreBuilder};
#[cfg(feature = "mysql")]
pub use cloakroom_sqlx::MysqlStore;
#[cfg(feature = "postgres")]
pub use cloakroom_sqlx::PostgresStore;
#[cfg(feature = "sqlite")]
pub use cloakroom_sqlx::SqliteStore;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use cloakroom_sqlx::{Migration, SqlStore, SqlStoreBuilder, Sweep, TableName};

pub use crate::connect::connect;

#[cfg(feature = "actix")]
#[doc(inline)]
pub use cloakroom_actix as actix;
#[cfg(feature = "axum")]
#[doc(inline)]
pub use cloakroom_axum as axum;

/// The examples of pages that no crate shows.
#[cfg(all(doctest, feature = "actix", feature = "axum", feature = "memory"))]
mod pages {
    #[doc = include_str!("../../../docs/from-actix-session.md")]
    mod from_actix_session {}
    #[doc = include_str!("../../../docs/from-axum-session.md")]
    mod from_axum_session {}
    #[doc = include_str!("../../../docs/from-tower-sessions.md")]
    mod from_tower_sessions {}
    #[doc = include_str!("../../../docs/moving-sessions.md")]
    mod moving_sessions {}
}
