//! Sessions in one table of a database.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{
    Created, Deleted, Error, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreKey,
    Touched, Version,
};
use sqlx::Pool;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::connect::SqlStoreBuilder;
use crate::dialect::Dialect;
use crate::error::{Effect, at_start};
use crate::link::Link;
use crate::sweep;
use crate::table::TableName;
use crate::target::Settings;
use crate::verbs::Inner;

/// Keeps sessions in one table of a database.
///
/// Its names are [`PostgresStore`](crate::PostgresStore), [`MysqlStore`](crate::MysqlStore) and
/// [`SqliteStore`](crate::SqliteStore), each behind the feature of its database. A clone is the same store.
///
/// Each verb is one statement, and ends within its deadline, all tries together. The clock of the database
/// says what is expired. A verb is asked inside a Tokio runtime that has its timer and its I/O enabled; outside of one it
/// is `Misconfigured`.
///
/// # Lost answers
///
/// A verb whose connection broke is asked again on another one. It finds its own write by the version, and answers
/// as if nothing had happened; a `delete` whose answer was lost answers `Deleted`. Where somebody else's record
/// is found instead, `create` and `replace` answer
/// [`Ambiguous`](cloakroom_core::StoreErrorKind::Ambiguous): theirs may have been there for a moment. So does a `create` that is
/// not in place: put again, it could bring a session back that somebody has ended since.
/// A deadlock or a serialization failure is tried again, too, after a random pause.
///
/// # Cancel safety
///
/// A verb that is dropped goes on in the background until its deadline at most, and leaves the old or the new
/// record. A connection over which an answer is still due is closed, never used again.
pub struct SqlStore<D: Dialect> {
    inner: Arc<Inner<D>>,
    /// Ends the sweep when the last clone is gone.
    alive: Arc<watch::Sender<()>>,
}

impl<D: Dialect> SqlStore<D> {
    /// Connects to the database that `url` names, creates the table if there is none, and starts the sweep.
    ///
    /// The form of `url` depends on the database, and is described with its store. Parameters after `?` that all
    /// of them have:
    ///
    /// | name | meaning | default |
    /// |---|---|---|
    /// | `table` | the name of the table, see [`TableName`] | `cloakroom_sessions` |
    /// | `timeout` | the deadline of a verb, `10ms` to `60s` | `2s` |
    /// | `connect_timeout` | how long to wait for a connection, `10ms` to `60s` | `1s` |
    /// | `max_connections` | the largest size of the pool, 1 to 1000 | `10` |
    /// | `migrate` | `always`: create the table if there is none; `never` | `always` |
    /// | `sweep` | how often to remove expired rows, `1s` to `24h`; `never` | `60s` |
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a URL, a password, a certificate, a table or a server that cannot be used, in a sentence
    /// that says what to do and shows no password. `Unavailable` or `Timeout` when the server is not there; to
    /// start before the server does, see [`connect_lazy`](Self::connect_lazy).
    ///
    /// # Cancel safety
    ///
    /// Of a call that is dropped, the table may remain.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use cloakroom_sqlx::SqliteStore;
    ///
    /// let store = SqliteStore::connect("sqlite::memory:?table=visits").await?;
    /// # let _ = store;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect().await
    }

    /// Takes `url` as [`connect`](Self::connect) does, without a word to the database: the first verb dials.
    ///
    /// It neither creates the table nor looks at the server. The sweep is started.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a URL that is wrong, and outside of a Tokio runtime. A wrong password shows when the
    /// first verb fails.
    ///
    /// ```
    /// # #[cfg(feature = "postgres")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use cloakroom_sqlx::PostgresStore;
    ///
    /// let store = PostgresStore::connect_lazy("postgres://shop@localhost/shop")?;
    /// assert!(PostgresStore::connect_lazy("postgres://localhost/shop?tiemout=1s").is_err());
    /// # let _ = store;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect_lazy(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect_lazy()
    }

    /// A store that is still being set up; what is set here wins over what the URL says.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use std::time::Duration;
    /// use cloakroom_sqlx::{SqliteStore, Sweep};
    ///
    /// let store = SqliteStore::builder("sqlite::memory:")
    ///     .with_timeout(Duration::from_millis(500))
    ///     .with_sweep(Sweep::Every(Duration::from_secs(300)))
    ///     .connect()
    ///     .await?;
    /// # let _ = store;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(url: &str) -> SqlStoreBuilder<D> {
        SqlStoreBuilder::from_url(url)
    }

    /// A store over the pool of the application, with the usual table: no migration, no sweep, no look at the server.
    ///
    /// What else there is to say is said to [`builder_over`](Self::builder_over). How long to wait for a connection is
    /// the pool's business, and so is whether it is sound: with `test_before_acquire(false)`, a verb that meets four dead
    /// connections in a row fails, as the first ones do after the server was restarted.
    ///
    /// ```
    /// # #[cfg(feature = "postgres")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use cloakroom_sqlx::PostgresStore;
    ///
    /// let pool = sqlx::PgPool::connect_lazy("postgres://shop@localhost/shop")?;
    /// let store = PostgresStore::from_pool(pool);
    /// # let _ = store;
    /// # Ok::<(), sqlx::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn from_pool(pool: Pool<D>) -> Self {
        let Settings { table, timeout, .. } = Settings::default();
        Self::new(Inner::new(Link::over(pool), table, timeout))
    }

    /// A store over the pool of the application that is still being set up.
    ///
    /// Neither migration nor sweep unless they are asked for; [`connect`](SqlStoreBuilder::connect) looks at the server
    /// and the table.
    ///
    /// ```
    /// # #[cfg(feature = "postgres")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use cloakroom_sqlx::PostgresStore;
    ///
    /// let pool = sqlx::PgPool::connect_lazy("postgres://shop@localhost/shop")?;
    /// let store = PostgresStore::builder_over(pool).with_table("shop.sessions".parse()?).connect_lazy()?;
    /// # let _ = store;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder_over(pool: Pool<D>) -> SqlStoreBuilder<D> {
        SqlStoreBuilder::from_pool(pool)
    }

    /// The text that creates the table and its indexes where they are not there, for those who run their own migrations.
    ///
    /// ```
    /// # #[cfg(feature = "postgres")] {
    /// use cloakroom_sqlx::{PostgresStore, TableName};
    ///
    /// let text = PostgresStore::schema(&TableName::default());
    /// assert!(text.starts_with("CREATE TABLE IF NOT EXISTS \"cloakroom_sessions\""));
    /// # }
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn schema(table: &TableName) -> String {
        D::schema(table)
    }

    /// Creates the table and its indexes where they are not there, whoever else does so at the same time.
    ///
    /// Only this needs the right to create tables, and only where there is none yet. It waits 30 s at most.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where the database refuses, in a sentence that says what to do; `Unavailable` or `Timeout` where
    /// it cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// Of a call that is dropped, the table may remain, with or without its indexes; the next call goes on.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use cloakroom_sqlx::SqliteStore;
    ///
    /// let store = SqliteStore::connect_lazy("sqlite::memory:")?;
    /// store.migrate().await?;
    /// store.migrate().await?;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn migrate(&self) -> Result<(), Error> {
        crate::connect::migrate(&self.inner).await.map_err(at_start)
    }

    /// Removes up to `batch` expired rows now, and tells how many.
    ///
    /// For those who run their own schedule, with [`Sweep::Never`](crate::Sweep::Never). Any number of nodes may do it
    /// at the same time: on PostgreSQL and MySQL they pass over the rows that another one is about to remove. Batches of
    /// 500 keep the locks short; on SQLite, where every other write waits meanwhile, batches of 5.
    ///
    /// # Errors
    ///
    /// The database could not be asked; rows may or may not have been removed.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped goes on in the background until its deadline at most.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use cloakroom_sqlx::SqliteStore;
    ///
    /// let store = SqliteStore::connect("sqlite::memory:?sweep=never").await?;
    /// assert_eq!(store.sweep(1000).await?, 0);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn sweep(&self, batch: u32) -> Result<u64, Error> {
        let inner = &self.inner;
        let errand = inner.write();
        let (deadline, work) = (errand.deadline(), Box::pin(Arc::clone(inner).sweep(errand, batch)));
        Ok(inner.link.detached(Effect::Write, deadline, work).await?)
    }

    /// The table that the records lie in.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use cloakroom_sqlx::SqliteStore;
    ///
    /// let store = SqliteStore::connect("sqlite::memory:").await?;
    /// assert_eq!(store.table().to_string(), "cloakroom_sessions");
    /// # Ok::<(), cloakroom_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn table(&self) -> &TableName {
        &self.inner.table
    }

    pub(crate) fn new(inner: Inner<D>) -> Self {
        Self { inner: Arc::new(inner), alive: Arc::new(watch::Sender::new(())) }
    }

    pub(crate) const fn inner(&self) -> &Arc<Inner<D>> {
        &self.inner
    }

    /// Does the work of a verb. A sweep whose runtime is gone goes on where it is asked.
    pub(crate) async fn verb<T: Send + 'static>(
        &self,
        effect: Effect,
        deadline: Instant,
        work: Pin<Box<impl Future<Output = Result<T, StoreError>> + Send + 'static>>,
    ) -> Result<T, StoreError> {
        sweep::go_on(self);
        self.inner.link.detached(effect, deadline, work).await
    }

    /// Ends when the last clone of this store is gone.
    pub(crate) fn end(&self) -> watch::Receiver<()> {
        self.alive.subscribe()
    }
}

#[async_trait]
impl<D: Dialect> Store for SqlStore<D> {
    async fn load(&self, key: &StoreKey, _freshness: Freshness) -> Result<Option<Record>, StoreError> {
        let inner = &self.inner;
        let errand = inner.read();
        let (deadline, work) = (errand.deadline(), Box::pin(Arc::clone(inner).load(errand, *key)));
        self.verb(Effect::Read, deadline, work).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        let inner = &self.inner;
        let errand = inner.creation();
        let deadline = errand.deadline();
        let work = Box::pin(Arc::clone(inner).create(errand, *key, record.clone()));
        self.verb(Effect::Write, deadline, work).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let inner = &self.inner;
        let errand = inner.write();
        let deadline = errand.deadline();
        let work = Box::pin(Arc::clone(inner).replace(errand, *key, expected, record.clone()));
        self.verb(Effect::Write, deadline, work).await
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        let inner = &self.inner;
        let errand = inner.write();
        let deadline = errand.deadline();
        let work = Box::pin(Arc::clone(inner).touch(errand, *key, expected, ttl));
        self.verb(Effect::Write, deadline, work).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        let inner = &self.inner;
        let errand = inner.write();
        let (deadline, work) = (errand.deadline(), Box::pin(Arc::clone(inner).delete(errand, *key)));
        self.verb(Effect::Write, deadline, work).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}

impl<D: Dialect> Clone for SqlStore<D> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), alive: Arc::clone(&self.alive) }
    }
}

impl<D: Dialect> fmt::Debug for SqlStore<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(D::TYPE)
            .field("table", &self.inner.table.to_string())
            .field("timeout", &self.inner.timeout)
            .field("link", &self.inner.link)
            .finish()
    }
}
