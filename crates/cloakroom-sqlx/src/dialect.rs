//! The databases that sessions can be kept in: what is the same for all of them, and what each says its own way.
#![allow(
    missing_debug_implementations,
    unnameable_types,
    unreachable_pub,
    reason = "what `Speak` names is as public as the trait, and nobody else may name either: that is the seal"
)]

mod echo;
mod listing;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::Error;
use futures_util::TryStreamExt as _;
use sqlx::error::DatabaseError;
use sqlx::query::Query;
use sqlx::{Arguments as _, AssertSqlSafe, Either, SqlSafeStr as _};
use sqlx::{
    ColumnIndex, ConnectOptions, Connection, Database, Decode, Encode, Executor, IntoArguments, Row, Type,
};

use crate::error::Meaning;
use crate::table::TableName;
use crate::target::{Address, Form};

#[cfg(any(feature = "mysql", feature = "postgres"))]
pub use echo::prove;
pub use echo::{Echo, out_of_step};
pub use listing::Listing;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use listing::listing;

/// A database that sessions can be kept in: `sqlx::Postgres`, `sqlx::MySql` or `sqlx::Sqlite`, by the features of
/// this crate. Nobody else can implement it.
pub trait Dialect: Speak {}

/// An answer that is waited for.
pub type Asking<'c, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'c>>;

/// How to connect.
pub type Options<D> = <<D as Database>::Connection as Connection>::Options;

/// What a database says its own way.
pub trait Speak: Database<Connection: Send, Arguments: Send> {
    /// What errors call the store.
    const STORE: &'static str;
    /// What `Debug` calls the store.
    const TYPE: &'static str;
    /// What its URLs look like.
    const FORM: Form;
    /// Whether there is one writer at a time, so that a queue in this process is shorter than one at the file.
    const ONE_WRITER: bool;
    /// How many expired rows are removed at once, at first: what waits for them waits for a fraction of a millisecond.
    const FIRST_BATCH: u32;
    /// Whether a delete that the server cut short may say that it found nothing, while the row is there.
    const MAY_LEAVE_A_ROW: bool = false;
    /// Whether the answer that a change found nothing brings back no echo.
    const NOTHING_IS_MUTE: bool = false;

    /// The texts of all statements.
    fn statements(table: &TableName) -> Statements;
    /// The text that creates the table and its indexes.
    fn schema(table: &TableName) -> String;
    /// How to connect to what the URL names; `verb` is the deadline of a verb.
    fn options(address: &Address, verb: Duration) -> Result<Options<Self>, Error>;
    /// What an error of the database means, and what to do about it if that is known.
    fn meaning(error: &dyn DatabaseError) -> (Meaning, &'static str);
    /// The same of an error in place of a connection, where there was one before.
    fn meaning_later(error: &dyn DatabaseError) -> (Meaning, &'static str) {
        Self::meaning(error)
    }
    /// The code of an error of the database.
    fn code(error: &dyn DatabaseError) -> String {
        error.code().unwrap_or_default().into_owned()
    }

    /// Executes a statement that changes rows, and tells how many.
    fn change<'c>(connection: &'c mut Self::Connection, step: &'c Step<'c>) -> Asking<'c, u64>;
    /// Executes a statement that removes at most one row, and tells how many.
    fn delete<'c>(connection: &'c mut Self::Connection, step: &'c Step<'c>) -> Asking<'c, u64> {
        Self::change(connection, step)
    }
    /// Reads the one record that a statement finds.
    fn load<'c>(connection: &'c mut Self::Connection, step: &'c Step<'c>) -> Asking<'c, Option<Stored>>;
    /// Reads the version and the time left that a statement finds.
    fn look<'c>(connection: &'c mut Self::Connection, step: &'c Step<'c>) -> Asking<'c, Option<Look>>;
    /// Reads the admissions of a principal, and the keys of the records that belong to it if they are asked for.
    fn listing<'c>(connection: &'c mut Self::Connection, step: &'c Step<'c>) -> Asking<'c, Listing>;
    /// Removes expired rows, at most as many as the step says, and tells how many.
    fn sweep<'c>(connection: &'c mut Self::Connection, step: &'c Sweeping) -> Asking<'c, u64>;
    /// Has an echo brought back by a statement of its own: so the answer before it was that to the statement before it.
    fn prove(connection: &mut Self::Connection) -> Asking<'_, ()>;
    /// Looks at the server and the table.
    fn inspect<'c>(connection: &'c mut Self::Connection, table: &'c TableName) -> Asking<'c, Findings>;
    /// Creates the table and its indexes where they are not there, whoever else does so at the same time.
    fn migrate<'c>(connection: &'c mut Self::Connection, table: &'c TableName) -> Asking<'c, ()>;
}

/// The texts of the statements, in which each value appears once, in the order of the fields of [`Step`], the echo before
/// them where there is one.
#[derive(Debug)]
pub struct Statements {
    pub load: Arc<str>,
    pub create: Arc<str>,
    /// Where `create` does not do it: puts the record in the place of an expired one.
    pub take_over: Option<Arc<str>>,
    pub replace: Arc<str>,
    pub look: Arc<str>,
    pub touch: Arc<str>,
    pub delete: Arc<str>,
    /// Finds the list of admissions of a principal.
    pub admissions: Arc<str>,
    /// The same, and the keys of the principal's records.
    pub listing: Arc<str>,
    pub sweep: Sweeping,
}

/// What removes expired rows.
#[derive(Clone, Debug)]
pub struct Sweeping {
    /// Finds the keys of expired rows, where that is a statement of its own.
    pub find: Option<Arc<str>>,
    /// Removes rows.
    pub remove: Arc<str>,
    /// How many at most.
    pub batch: u32,
}

/// How the parts of statements are said.
pub struct Words {
    pub table: String,
    /// Milliseconds since 1970 by the clock of the database, rounded down, for statements that write.
    pub now: &'static str,
    /// The same for those that read: not before any write that they see was begun, so that nobody is told that a record
    /// lives longer than was asked for.
    pub now_or_later: &'static str,
    /// The function that gives the greater of two numbers.
    pub greatest: &'static str,
    /// Whether the server is one that hears late of what is written, as far as it says so.
    pub is_late: &'static str,
    /// How a statement that finds something begins, so that its answer brings back an echo; and with what in that place further
    /// rows begin.
    pub echo: &'static str,
    pub no_echo: &'static str,
    /// How a new version is said: the first value of each statement that writes a record.
    pub version: &'static str,
}

impl Words {
    pub fn load(&self) -> String {
        let Self { table, now_or_later: now, .. } = self;
        format!(
            "SELECT payload, version, expires_at - ({now} + 1), principal FROM {table} \
             WHERE id = ? AND expires_at > {now}"
        )
    }

    /// One row whether or not there is a record.
    pub fn load_with_echo(&self, more: &str) -> String {
        let Self { table, now_or_later: now, echo, .. } = self;
        format!(
            "SELECT {echo}payload, version, expires_at - ({now} + 1), principal{more} \
             FROM (SELECT 1) AS once LEFT JOIN {table} ON id = ? AND expires_at > {now}"
        )
    }

    pub fn insert(&self) -> String {
        let Self { table, now, version, .. } = self;
        format!(
            "INSERT INTO {table} (version, expires_at, principal, payload, id) \
             VALUES ({version}, {now} + 1 + ?, ?, ?, ?)"
        )
    }

    /// An expired record is none.
    pub fn insert_or_take_over(&self) -> String {
        let Self { table, now, .. } = self;
        format!(
            "{} ON CONFLICT (id) DO UPDATE SET version = excluded.version, expires_at = excluded.expires_at, \
             principal = excluded.principal, payload = excluded.payload WHERE {table}.expires_at <= {now}",
            self.insert()
        )
    }

    pub fn take_over(&self) -> String {
        let Self { table, now, version, .. } = self;
        format!(
            "UPDATE {table} SET version = {version}, expires_at = {now} + 1 + ?, principal = ?, payload = ? \
             WHERE id = ? AND expires_at <= {now}"
        )
    }

    pub fn replace(&self) -> String {
        let Self { table, now, version, .. } = self;
        format!(
            "UPDATE {table} SET version = {version}, expires_at = {now} + 1 + ?, principal = ?, payload = ? \
             WHERE id = ? AND version = ? AND expires_at > {now}"
        )
    }

    pub fn look(&self) -> String {
        let Self { table, now_or_later: now, .. } = self;
        format!("SELECT version, expires_at - {now} FROM {table} WHERE id = ?")
    }

    /// One row whether or not there is one in the table.
    pub fn look_with_echo(&self) -> String {
        let Self { table, now_or_later: now, echo, .. } = self;
        format!(
            "SELECT {echo}version, expires_at - {now} FROM (SELECT 1) AS once LEFT JOIN {table} ON id = ?"
        )
    }

    /// `ttl` is how the time to live is said.
    pub fn touch(&self, ttl: &str) -> String {
        let Self { table, now, greatest, .. } = self;
        format!(
            "UPDATE {table} SET expires_at = {greatest}(expires_at, {now} + 1 + {ttl}) \
             WHERE id = ? AND version = ? AND expires_at > {now}"
        )
    }

    pub fn delete(&self) -> String {
        let Self { table, now, .. } = self;
        format!("DELETE FROM {table} WHERE id = ? AND expires_at > {now}")
    }

    /// One row whether or not there is a list, and in it the time.
    pub fn admissions(&self) -> String {
        let Self { table, now_or_later: now, is_late, echo, .. } = self;
        format!(
            "SELECT {echo}NULL, version, payload, {now}, {is_late} \
             FROM (SELECT 1) AS once LEFT JOIN {table} ON id = ? AND expires_at > {now}"
        )
    }

    /// The list comes first: see [`crate::index`].
    pub fn listing(&self) -> String {
        let Self { table, now_or_later: now, no_echo, .. } = self;
        format!(
            "{} UNION ALL SELECT {no_echo}id, NULL, NULL, NULL, NULL FROM {table} \
             WHERE principal = ? AND expires_at > {now}",
            self.admissions()
        )
    }
}

/// A statement with its values.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    pub sql: &'a Arc<str>,
    pub values: &'a [Value<'a>],
}

/// A value of a statement. It has no `Debug`: these are keys and payloads.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Bytes(&'a [u8]),
    Maybe(Option<&'a [u8]>),
    Number(i64),
}

impl Value<'_> {
    /// How many bytes it is, about.
    const fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) | Self::Maybe(Some(bytes)) => bytes.len(),
            Self::Maybe(None) | Self::Number(_) => 8,
        }
    }
}

/// A row as it lies there.
pub struct Stored {
    pub payload: Vec<u8>,
    pub version: i64,
    pub left: i64,
    pub principal: Option<Vec<u8>>,
}

/// Of a row: its version, and how many milliseconds it has left; none if it is expired.
pub struct Look {
    pub version: i64,
    pub left: i64,
}

/// What a look at the server and the table found.
pub enum Findings {
    /// All is well; and how long a payload may be, where the server says.
    Good { longest_payload: Option<usize> },
    /// There is no table.
    NoTable,
    /// Sessions cannot be kept there, for this reason.
    Refused(&'static str),
}

/// Executes a statement that finds nothing.
pub async fn execute<D>(
    connection: &mut D::Connection,
    step: &Step<'_>,
    echo: Option<Echo>,
) -> Result<D::QueryResult, sqlx::Error>
where
    D: Database<Arguments: IntoArguments<D>>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'v> &'v [u8]: Encode<'v, D> + Type<D>,
    for<'v> i64: Encode<'v, D> + Type<D>,
    for<'v> Option<&'v [u8]>: Encode<'v, D> + Type<D>,
{
    let mut found = connection.fetch_many(bound::<D>(step, echo)?);
    let (mut done, mut rows) = (D::QueryResult::default(), 0_u32);
    while let Some(next) = found.try_next().await? {
        match next {
            Either::Left(part) => done.extend([part]),
            Either::Right(_) => rows = rows.saturating_add(1),
        }
    }
    if rows > 0 { Err(out_of_step()) } else { Ok(done) }
}

/// Executes a statement that finds at most one row. It is read to its end, so that nothing of it is left over.
pub async fn one<D>(
    connection: &mut D::Connection,
    step: &Step<'_>,
    echo: Option<Echo>,
) -> Result<Option<D::Row>, sqlx::Error>
where
    D: Database<Arguments: IntoArguments<D>>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'v> &'v [u8]: Encode<'v, D> + Type<D>,
    for<'v> i64: Encode<'v, D> + Type<D>,
    for<'v> Option<&'v [u8]>: Encode<'v, D> + Type<D>,
{
    let mut found = connection.fetch_many(bound::<D>(step, echo)?);
    let mut first = None;
    while let Some(next) = found.try_next().await? {
        if let Either::Right(row) = next {
            first.get_or_insert(row);
        }
    }
    Ok(first)
}

/// The row that a statement finds in any case, and that brings back its echo.
pub async fn answer<D>(connection: &mut D::Connection, step: &Step<'_>) -> Result<D::Row, sqlx::Error>
where
    D: Database<Arguments: IntoArguments<D>>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'v> &'v [u8]: Encode<'v, D> + Type<D>,
    for<'v> i64: Encode<'v, D> + Decode<'v, D> + Type<D>,
    for<'v> Option<&'v [u8]>: Encode<'v, D> + Type<D>,
    usize: ColumnIndex<D::Row>,
{
    let echo = Echo::fresh();
    let row = one::<D>(connection, step, Some(echo)).await?;
    echo.is_in(row.as_ref())?;
    row.ok_or_else(out_of_step)
}

/// The statement with its values in it, the echo before them.
pub fn bound<'q, D>(step: &Step<'_>, echo: Option<Echo>) -> Result<Query<'q, D, D::Arguments>, sqlx::Error>
where
    D: Database<Arguments: IntoArguments<D>>,
    for<'v> &'v [u8]: Encode<'v, D> + Type<D>,
    for<'v> i64: Encode<'v, D> + Type<D>,
    for<'v> Option<&'v [u8]>: Encode<'v, D> + Type<D>,
{
    let mut arguments = D::Arguments::default();
    // Each value comes with its length.
    let values = || echo.map(Echo::value).into_iter().chain(step.values.iter().copied());
    arguments.reserve(step.values.len() + 1, values().map(|value| value.size() + 8).sum());
    for value in values() {
        let added = match value {
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Maybe(bytes) => arguments.add(bytes),
            Value::Number(number) => arguments.add(number),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    // All that is in the text is of ours, or a checked name.
    Ok(sqlx::query_with(AssertSqlSafe(Arc::clone(step.sql)).into_sql_str(), arguments))
}

/// The record in a row of [`Words::load`], whose columns begin with the one of this number.
pub fn stored<R: Row>(row: &R, first: usize) -> Result<Stored, sqlx::Error>
where
    usize: ColumnIndex<R>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Stored {
        payload: row.try_get(first)?,
        version: row.try_get(first + 1)?,
        left: row.try_get(first + 2)?,
        principal: row.try_get(first + 3)?,
    })
}

/// The record in a row of [`Words::load_with_echo`], if there is one.
pub fn stored_behind_echo<R: Row>(row: &R) -> Result<Option<Stored>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    match row.try_get(2)? {
        None::<i64> => Ok(None),
        Some(_) => stored(row, 1).map(Some),
    }
}

/// What is in a row of [`Words::look_with_echo`].
pub fn look_behind_echo<R: Row>(row: &R) -> Result<Option<Look>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let version: Option<i64> = row.try_get(1)?;
    version.map(|version| Ok(Look { version, left: row.try_get(2)? })).transpose()
}

/// What is in a row of [`Words::look`].
pub fn look<R: Row>(row: &R) -> Result<Look, sqlx::Error>
where
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Look { version: row.try_get(0)?, left: row.try_get(1)? })
}

/// The same options without a word of the library about statements.
pub fn silent<O: ConnectOptions>(options: O) -> O {
    options.disable_statement_logging()
}
