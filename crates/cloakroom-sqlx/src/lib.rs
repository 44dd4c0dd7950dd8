#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "each database uses its own part of what they share")
)]

mod admissions;
mod connect;
mod detach;
mod dialect;
mod errand;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod link;
#[cfg(feature = "mysql")]
mod mysql;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod source;
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

/// Keeps sessions in PostgreSQL.
///
/// The form of the URL is `postgres://user:password@host[:port]/database`, or `postgresql://…`. User and password are
/// percent-encoded, and so is the directory of a Unix socket in the place of the host: `%2Frun%2Fpostgresql`. Parameters
/// besides those of [`SqlStore::connect`]:
///
/// | name | meaning | default |
/// |---|---|---|
/// | `sslmode` | `disable`, `prefer`, `require`, `verify-ca`, `verify-full`; with `sslrootcert`, `require` is `verify-ca`, and the first two are refused | `prefer`; with `sslrootcert`, `verify-full` |
/// | `sslrootcert` | the file of the authorities to trust instead of the system's, in PEM | |
/// | `sslcert`, `sslkey` | the files of the client's certificate and key | |
/// | `host` | the host, or the directory of a Unix socket | that of the URL |
/// | `application_name` | what the server calls the connections | `cloakroom` |
///
/// `prefer` is TLS if the server offers it, and `require` is TLS always; neither asks whose the certificate is, so that whoever
/// gets in between reads and changes everything. `verify-ca` asks which authority has signed it, `verify-full` also for which
/// host: use it wherever the way to the server is not your own. `allow` is refused: the client library would never encrypt.
///
/// One host is named, not a list: an address that always leads to the primary.
///
/// What the URL leaves open of TLS, the client library takes from the variables of libpq: `PGSSLMODE`, `PGSSLROOTCERT`,
/// `PGSSLCERT` and `PGSSLKEY`; and `PGOPTIONS`.
///
/// ```no_run
/// use cloakroom_sqlx::PostgresStore;
///
/// # async fn connect() -> Result<(), cloakroom_core::Error> {
/// let url = "postgres://shop:s3cret@db.internal/shop?sslmode=verify-full&table=shop.sessions";
/// let store = PostgresStore::connect(url).await?;
/// # Ok::<(), cloakroom_core::Error>(())
/// # }
/// ```
#[cfg(feature = "postgres")]
pub type PostgresStore = SqlStore<sqlx::Postgres>;

/// Keeps sessions in MySQL 8.0 or MariaDB 10.6, or later.
///
/// The form of the URL is `mysql://user:password@host[:port]/database`, or `mariadb://…`. User and password are
/// percent-encoded. Parameters besides those of [`SqlStore::connect`]:
///
/// | name | meaning | default |
/// |---|---|---|
/// | `ssl-mode` | `DISABLED`, `PREFERRED`, `REQUIRED`, `VERIFY_CA`, `VERIFY_IDENTITY`; with `ssl-ca`, `REQUIRED` is `VERIFY_CA`, and the first two are refused | `PREFERRED`; with `ssl-ca`, `VERIFY_IDENTITY` |
/// | `ssl-ca` | the file of the authorities to trust instead of the system's, in PEM | |
/// | `ssl-cert`, `ssl-key` | the files of the client's certificate and key | |
/// | `socket` | the path of a Unix socket, in the place of the host | |
///
/// `PREFERRED` is TLS if the server offers it, and `REQUIRED` is TLS always; neither asks whose the certificate is, so that
/// whoever gets in between reads and changes everything, and with `PREFERRED` can have the password sent without TLS.
/// `VERIFY_CA` asks which authority has signed it, `VERIFY_IDENTITY` also for which host: use it wherever the way to the
/// server is not your own.
///
/// One host is named, not a list: an address that always leads to the primary.
///
/// ```no_run
/// use cloakroom_sqlx::MysqlStore;
///
/// # async fn connect() -> Result<(), cloakroom_core::Error> {
/// let store = MysqlStore::connect("mysql://shop:s3cret@db.internal/shop?ssl-mode=REQUIRED").await?;
/// # Ok::<(), cloakroom_core::Error>(())
/// # }
/// ```
#[cfg(feature = "mysql")]
pub type MysqlStore = SqlStore<sqlx::MySql>;

/// Keeps sessions in a file of SQLite, or in the memory of this process.
///
/// The form of the URL is `sqlite:PATH` or `sqlite://PATH`, the path absolute or relative, `?`, `#` and `%` in it
/// percent-encoded; or `sqlite::memory:`. Its parameters are those of [`SqlStore::connect`].
///
/// The file is created, in a directory that must be there, with the rights that the process gives to new files. Writers
/// queue up in this process, and wait for those of other processes for half of `timeout`. In memory there is one connection, and
/// all is gone with the last clone of the store.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use cloakroom_sqlx::SqliteStore;
///
/// let store = SqliteStore::connect("sqlite::memory:").await?;
/// # let _ = store;
/// # Ok::<(), cloakroom_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "sqlite")]
pub type SqliteStore = SqlStore<sqlx::Sqlite>;
