//! Standbys: they answer reads, and hear of a logout late. Each load and each listing asks whether it came to one, in the same statement.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use sqlx::Row as _;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgRow;

use crate::dialect::{Stored, Words};

/// What a standby says to whoever writes there.
const READ_ONLY: &str = "25006";

/// The text of a load: one row whether or not there is a record, and in it what the server is.
pub(super) fn load(words: &Words) -> String {
    let Words { table, now_or_later: now, .. } = words;
    format!(
        "SELECT payload, version, expires_at - ({now} + 1), principal, pg_is_in_recovery() \
         FROM (SELECT 1) AS once LEFT JOIN {table} ON id = ? AND expires_at > {now}"
    )
}

/// Refuses what a standby says; the last of five columns is what it is.
pub(super) fn refuse(row: &PgRow) -> Result<(), sqlx::Error> {
    if row.try_get(4)? { Err(sqlx::Error::Database(Box::new(Standby))) } else { Ok(()) }
}

/// What that found.
pub(super) fn stored(row: &PgRow) -> Result<Option<Stored>, sqlx::Error> {
    refuse(row)?;
    match row.try_get(1)? {
        None::<i64> => Ok(None),
        Some(_) => crate::dialect::stored(row).map(Some),
    }
}

/// A read that came to a standby ends as a write would that came there.
#[derive(Debug)]
struct Standby;

impl fmt::Display for Standby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl StdError for Standby {}

impl DatabaseError for Standby {
    fn message(&self) -> &'static str {
        "the server is in recovery"
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(READ_ONLY.into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
