//! Standbys: they answer reads, and hear of a logout late. Each load and each listing asks whether it came to one, in the same statement.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use sqlx::Row as _;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgRow;

/// What a standby says to whoever writes there.
const READ_ONLY: &str = "25006";

/// What a load asks besides, in a column behind the others: what the server is.
pub(super) const ASKED: &str = ", pg_is_in_recovery()";

/// Refuses what a standby says; behind the echo, the last of five columns is what it is.
pub(super) fn refuse(row: &PgRow) -> Result<(), sqlx::Error> {
    if row.try_get(5)? { Err(sqlx::Error::Database(Box::new(Standby))) } else { Ok(()) }
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
