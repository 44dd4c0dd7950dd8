//! From a URL, or the pool of an application, to a store.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{Error, StoreError};
use sqlx::Pool;
use tokio::runtime::Handle;

use crate::dialect::{Asking, Dialect, Findings};
use crate::errand::Errand;
use crate::error::at_start;
use crate::link::{Link, Question};
use crate::store::SqlStore;
use crate::sweep::{self, Sweep};
use crate::table::TableName;
use crate::target::{Address, Place, Settings, Target};
use crate::verbs::Inner;

/// The shortest and the longest deadline.
const DEADLINES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

/// The shortest and the longest time between two rounds of the sweep.
const PERIODS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);

/// The smallest and the largest pool.
const POOLS: RangeInclusive<u32> = 1..=1000;

/// How long a migration may take: others may be at it.
const MIGRATION: Duration = Duration::from_secs(30);

/// Whether a store creates its table when it connects.
///
/// ```
/// use cloakroom_sqlx::Migration;
///
/// assert_eq!(Migration::default(), Migration::Always);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Migration {
    /// Where there is none. Where there is one, no right to create tables is needed.
    #[default]
    Always,
    /// Never: something else does it, such as [`SqlStore::migrate`] or the text of [`SqlStore::schema`].
    Never,
}

/// A store that is still being set up, from [`SqlStore::builder`].
///
/// What is set here wins over what the URL says. `Debug` shows nothing of the URL.
///
/// ```
/// # #[cfg(feature = "postgres")] {
/// use cloakroom_sqlx::PostgresStore;
///
/// let builder = PostgresStore::builder("postgres://shop:secret@localhost/shop").with_max_connections(20);
/// assert!(!format!("{builder:?}").contains("secret"));
/// # }
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[must_use = "a builder does nothing until `connect` or `connect_lazy`"]
pub struct SqlStoreBuilder<D: Dialect> {
    origin: Origin<D>,
    table: Option<TableName>,
    timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    max_connections: Option<u32>,
    migration: Option<Migration>,
    sweep: Option<Sweep>,
}

enum Origin<D: Dialect> {
    Url(String),
    Pool(Pool<D>),
}

impl<D: Dialect> SqlStoreBuilder<D> {
    pub(crate) fn from_url(url: &str) -> Self {
        Self::new(Origin::Url(url.to_owned()))
    }

    pub(crate) const fn from_pool(pool: Pool<D>) -> Self {
        Self::new(Origin::Pool(pool))
    }

    const fn new(origin: Origin<D>) -> Self {
        Self {
            origin,
            table: None,
            timeout: None,
            connect_timeout: None,
            max_connections: None,
            migration: None,
            sweep: None,
        }
    }

    /// Sets the table that the records lie in; by default `cloakroom_sessions`.
    pub fn with_table(mut self, table: TableName) -> Self {
        self.table = Some(table);
        self
    }

    /// Sets the deadline of a verb, all its tries together: 10 ms to 60 s; by default 2 s.
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how long to wait for a connection, new or used: 10 ms to 60 s; by default 1 s.
    ///
    /// It has no effect over the pool of an application.
    pub const fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Sets the largest size of the pool: 1 to 1000; by default 10.
    ///
    /// It has no effect over the pool of an application, and on a database in memory, which has one connection.
    pub const fn with_max_connections(mut self, connections: u32) -> Self {
        self.max_connections = Some(connections);
        self
    }

    /// Sets whether [`connect`](Self::connect) creates the table.
    pub const fn with_migration(mut self, migration: Migration) -> Self {
        self.migration = Some(migration);
        self
    }

    /// Sets whether and how often expired rows are removed: every 1 s to 24 h; by default 60 s.
    pub const fn with_sweep(mut self, sweep: Sweep) -> Self {
        self.sweep = Some(sweep);
        self
    }

    /// Connects, looks at the server, creates the table and starts the sweep; see [`SqlStore::connect`].
    ///
    /// # Errors
    ///
    /// As [`SqlStore::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`SqlStore::connect`].
    pub async fn connect(self) -> Result<SqlStore<D>, Error> {
        let (store, settings) = self.open()?;
        // Boxed: it lies so deep that the compiler would ask the caller's crate for a higher `recursion_limit`.
        let table = Box::pin(settle(store.inner(), &settings)).await?;
        sweep::start(&store, settings.sweep);
        tracing::info!(
            target: "cloakroom::sqlx",
            database = D::STORE,
            table = %store.table(),
            created = table == Table::Created,
            sweep = ?settings.sweep,
            "sessions are kept in a table"
        );
        Ok(store)
    }

    /// Takes the URL without a word to the database; see [`SqlStore::connect_lazy`].
    ///
    /// # Errors
    ///
    /// As [`SqlStore::connect_lazy`].
    pub fn connect_lazy(self) -> Result<SqlStore<D>, Error> {
        let (store, settings) = self.open()?;
        sweep::start(&store, settings.sweep);
        Ok(store)
    }

    fn open(self) -> Result<(SqlStore<D>, Settings), Error> {
        if Handle::try_current().is_err() {
            return Err(Error::misconfigured(
                "a SQL store is made inside a Tokio runtime: its connections live there",
            ));
        }
        let (mut settings, origin) = match self.origin {
            Origin::Url(url) => {
                let Target { place, settings, passed_on } = D::FORM.parse(&url)?;
                (settings, Ok(Address { place, passed_on }))
            }
            Origin::Pool(pool) => (Settings::of_a_pool(), Err(pool)),
        };
        settings.table = self.table.unwrap_or(settings.table);
        settings.timeout = self.timeout.unwrap_or(settings.timeout);
        settings.connect_timeout = self.connect_timeout.unwrap_or(settings.connect_timeout);
        settings.max_connections = self.max_connections.unwrap_or(settings.max_connections);
        settings.migration = self.migration.unwrap_or(settings.migration);
        settings.sweep = self.sweep.unwrap_or(settings.sweep);
        settings.check()?;
        let link = match origin {
            Ok(address) => {
                let options = D::options(&address, settings.timeout)?;
                match address.place {
                    Place::Memory => Link::in_memory(options),
                    Place::Server(_) | Place::File(_) => {
                        Link::open(options, settings.max_connections, settings.connect_timeout)
                    }
                }
            }
            Err(pool) => Link::over(pool),
        };
        Ok((SqlStore::new(Inner::new(link, settings.table.clone(), settings.timeout)), settings))
    }
}

impl<D: Dialect> fmt::Debug for SqlStoreBuilder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStoreBuilder")
            .field("table", &self.table)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_connections", &self.max_connections)
            .field("migration", &self.migration)
            .field("sweep", &self.sweep)
            .finish_non_exhaustive()
    }
}

impl Settings {
    fn of_a_pool() -> Self {
        Self { migration: Migration::Never, sweep: Sweep::Never, ..Self::default() }
    }

    fn check(&self) -> Result<(), Error> {
        let refused = |what| Err(Error::misconfigured(what));
        if !DEADLINES.contains(&self.timeout) || !DEADLINES.contains(&self.connect_timeout) {
            return refused("a timeout of the SQL store must be between 10ms and 60s");
        }
        if !POOLS.contains(&self.max_connections) {
            return refused("the pool of the SQL store must have 1 to 1000 connections");
        }
        match self.sweep {
            Sweep::Every(period) if !PERIODS.contains(&period) => {
                refused("the sweep of the SQL store must come every 1s to 24h, or never")
            }
            Sweep::Every(_) | Sweep::Never => Ok(()),
        }
    }
}

/// What was done about the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Found,
    Created,
}

/// Looks at the server and the table, and creates the table if that is wanted.
async fn settle<D: Dialect>(inner: &Arc<Inner<D>>, settings: &Settings) -> Result<Table, Error> {
    let mut done = Table::Found;
    loop {
        let errand = Errand::read(D::STORE, settings.timeout.max(settings.connect_timeout));
        match detached(inner, errand, Inspect(inner.table.clone())).await.map_err(at_start)? {
            Findings::Good { longest_payload } => {
                inner.limit_payload(longest_payload.unwrap_or(usize::MAX));
                return Ok(done);
            }
            Findings::NoTable if settings.migration == Migration::Always && done == Table::Found => {
                migrate(inner).await.map_err(at_start)?;
                done = Table::Created;
            }
            Findings::NoTable => {
                return Err(Error::misconfigured(format!(
                    "{}: the table {} is missing; call `migrate()`, or run the text of `schema()`",
                    D::STORE,
                    inner.table
                )));
            }
            Findings::Refused(why) => return Err(Error::misconfigured(format!("{}: {why}", D::STORE))),
        }
    }
}

/// Creates the table and its indexes where they are not there.
pub(crate) async fn migrate<D: Dialect>(inner: &Arc<Inner<D>>) -> Result<(), StoreError> {
    detached(inner, Errand::write(D::STORE, MIGRATION), Migrate(inner.table.clone())).await
}

async fn detached<D: Dialect, Q>(
    inner: &Arc<Inner<D>>,
    mut errand: Errand,
    question: Q,
) -> Result<Q::Answer, StoreError>
where
    Q: Question<D> + 'static,
    Q::Answer: 'static,
{
    let (effect, deadline, asked) = (errand.effect(), errand.deadline(), Arc::clone(inner));
    let work = Box::pin(async move { asked.link.ask(&question, &mut errand).await });
    inner.link.detached(effect, deadline, work).await
}

struct Inspect(TableName);
struct Migrate(TableName);

impl<D: Dialect> Question<D> for Inspect {
    type Answer = Findings;

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, Findings> {
        D::inspect(connection, &self.0)
    }
}

impl<D: Dialect> Question<D> for Migrate {
    type Answer = ();

    fn put<'c>(&'c self, connection: &'c mut D::Connection) -> Asking<'c, ()> {
        D::migrate(connection, &self.0)
    }
}
