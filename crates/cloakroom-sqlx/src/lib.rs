#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod connect;
mod dialect;
mod errand;
mod error;
mod link;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod stored;
mod sweep;
mod table;
mod target;
mod verbs;

pub use crate::connect::{Migration, SqlStoreBuilder};
pub use crate::dialect::Dialect;
pub use crate::store::SqlStore;
pub use crate::sweep::Sweep;
pub use crate::table::TableName;

/// Keeps sessions in a file of SQLite, or in the memory of this process.
#[cfg(feature = "sqlite")]
pub type SqliteStore = SqlStore<sqlx::Sqlite>;

/// Keeps sessions in PostgreSQL.
#[cfg(feature = "postgres")]
pub type PostgresStore = SqlStore<sqlx::Postgres>;

/// Keeps sessions in MySQL or MariaDB.
#[cfg(feature = "mysql")]
pub type MysqlStore = SqlStore<sqlx::MySql>;
