//! Echoes: a statement takes a number along, and its answer brings it back.
//!
//! What a server sends is an answer to the statement before because it comes next, and for no other reason: PostgreSQL numbers
//! nothing, and MySQL numbers the packets of one answer, beginning anew with each statement. If something in between repeats
//! an answer, each statement from then on would get that to the one before: a session that is there reads as none.

use std::hash::{BuildHasher as _, RandomState};

use sqlx::{ColumnIndex, Decode, Row, Type};

use super::Value;

/// A number that an answer must bring back: positive, so that no database reads it in two ways, and never 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Echo(i64);

impl Echo {
    /// One that no other statement has, of this process or of another.
    pub fn fresh() -> Self {
        // Each state is seeded anew; nobody has to guess it, only to not have the same by accident.
        let random = RandomState::new().hash_one(0).cast_signed();
        Self((random & i64::MAX).max(1))
    }

    pub const fn value(self) -> Value<'static> {
        Value::Number(self.0)
    }

    /// Demands that the row brings it back, as the first of its columns.
    pub fn is_in<R: Row>(self, row: Option<&R>) -> Result<(), sqlx::Error>
    where
        usize: ColumnIndex<R>,
        for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    {
        // Before any other column: another answer may have fewer.
        match row.map(|row| row.try_get::<i64, _>(0)) {
            Some(Ok(number)) if number == self.0 => Ok(()),
            _ => Err(out_of_step()),
        }
    }

    /// Demands that this is it.
    pub fn is(self, number: u64) -> Result<(), sqlx::Error> {
        if number.cast_signed() == self.0 { Ok(()) } else { Err(out_of_step()) }
    }
}

/// Has a fresh echo brought back by a statement of its own, which needs no preparation.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub async fn prove<D>(connection: &mut D::Connection, number: &'static str) -> Result<(), sqlx::Error>
where
    D: sqlx::Database,
    for<'c> &'c mut D::Connection: sqlx::Executor<'c, Database = D>,
    usize: ColumnIndex<D::Row>,
    for<'r> i64: Decode<'r, D> + Type<D>,
{
    let echo = Echo::fresh();
    // All that is in the text is of ours.
    let text = sqlx::AssertSqlSafe(format!("SELECT CAST({} AS {number})", echo.0));
    match sqlx::Executor::fetch_all(connection, sqlx::raw_sql(text)).await {
        Ok(rows) if rows.len() == 1 => echo.is_in(rows.first()),
        // An error as well may be that to the statement before.
        Ok(_) | Err(sqlx::Error::Database(_)) => Err(out_of_step()),
        Err(error) => Err(error),
    }
}

/// What came is not the answer to what was asked.
pub fn out_of_step() -> sqlx::Error {
    sqlx::Error::Protocol("an answer that nobody asked for".to_owned())
}

#[cfg(feature = "sqlite")]
#[cfg(test)]
mod tests;
